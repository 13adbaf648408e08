"""One file a subcommand: parse, read, call one pipeline, write."""
