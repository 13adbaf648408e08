"""Run the command line as ``python -m relight_cli``."""

from relight_cli.cli import main

main()
