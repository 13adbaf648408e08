"""The protocols that judge results against known truths, and the studies of depth refinement."""
