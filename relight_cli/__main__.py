"""The entry point of ``relight-cli`` and ``python -m relight_cli``."""

import sys

try:
    from relight_cli.interruption import INTERRUPTIONS, end_process, leave_interrupted, signals_handled
except KeyboardInterrupt:
    sys.stderr.write("relight-cli: interrupted.\n")
    sys.exit(130)


def main() -> None:
    """Run the command line and end the process; a signal costs one line, also during the import."""
    with signals_handled():
        try:
            end_process(_run())
        except INTERRUPTIONS:
            leave_interrupted()


def _run() -> int:
    """Return the exit code of the command line."""
    from relight_cli.devices import garbage_kept

    with garbage_kept():
        from relight_cli.cli import main as run
    try:
        run()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


if __name__ == "__main__":
    main()
