"""Pages to look at results in a browser: one file each, without a request to anywhere."""
