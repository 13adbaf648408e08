"""Loaded model and arrays in, arrays out; no paths, no printing, no downloads."""
