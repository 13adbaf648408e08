"""Photos, tiles and gains."""
