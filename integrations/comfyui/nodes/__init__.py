"""One file per node; `images` and `host` are what they share."""
