"""The entry point of ``relight-cli`` and ``python -m relight_cli``."""

import sys

from relight_cli.devices import garbage_kept
from relight_cli.errors import ExitCode


def main() -> None:
    """Run the command line; Ctrl-C prints one line, also during the import."""
    try:
        with garbage_kept():
            from relight_cli.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("relight-cli: interrupted.\n")
        sys.exit(ExitCode.INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
