"""Change the light in a photo."""

__version__ = "0.1.0"
