"""Lights that belong to no picture: harmonics, suns, and where they come from."""
