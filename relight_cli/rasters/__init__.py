"""Rows of a picture, made when they are read: one lazy type, bit depth and resizing."""
