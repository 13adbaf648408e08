"""The way in, as ``relight-cli`` and as ``python -m relight_cli``."""

import sys

from relight_cli.errors import ExitCode


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it in one line, as it does later."""
    try:
        from relight_cli.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("relight-cli: interrupted.\n")
        sys.exit(ExitCode.INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
