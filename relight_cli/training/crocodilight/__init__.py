"""The training of CroCoDiLight (ICLR 2026) in stages, on one's own pairs."""
