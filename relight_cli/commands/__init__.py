"""One file per subcommand: parse, plan, call one function, write."""
