"""The command line: the one place where an exception becomes an exit code."""

import signal
import sys
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from typer import TyperException

from relight_cli._version import __version__
from relight_cli.commands.albedo import albedo
from relight_cli.commands.deshadow import deshadow
from relight_cli.commands.doctor import doctor
from relight_cli.commands.interpolate_timelapse import interpolate_timelapse
from relight_cli.commands.refine_depth import refine_depth
from relight_cli.commands.relight import relight
from relight_cli.commands.weights import weights_app
from relight_cli.errors import ExitCode, RelightError
from relight_cli.jobs.console import say, wants_tracebacks
from relight_cli.jobs.streams import separate_stderr

app = typer.Typer(
    name="relight-cli",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(relight)
app.command()(deshadow)
app.command(short_help="Take all light out of each PHOTO.")(albedo)
app.command(short_help="Make the light between frames, or steady it.")(interpolate_timelapse)
app.command(short_help="Estimate the depth of each PHOTO, and refine it.")(refine_depth)
app.command(short_help="Tell what is here, and what is broken.")(doctor)
app.add_typer(weights_app, name="weights")


class Terminated(BaseException):
    """SIGTERM, raised where the program stands so that temporary files are cleared away."""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relight-cli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")] = False,
) -> None:
    """Change the light in photos."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _let_clear_up() -> None:
    """Ignore a second Ctrl-C or SIGTERM, which would cut off the clearing up after the first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main() -> None:
    """Run the command line and exit with one of `errors.ExitCode`."""
    signal.signal(signal.SIGTERM, _terminate)
    with separate_stderr():
        code = _run()
    sys.exit(int(code))


def _run() -> int:
    """Run the command line; give its exit code."""
    if not wants_tracebacks(sys.argv[1:]):
        warnings.simplefilter("ignore")  # of libraries; what the user should know is said in our own words
    try:
        code = app(prog_name="relight-cli", standalone_mode=False) or ExitCode.OK
        if code == ExitCode.INTERRUPTED:  # Typer has already turned Ctrl-C into its exit code
            _let_clear_up()
            _fail("interrupted.", ExitCode.INTERRUPTED)
    except RelightError as error:
        # `| head` has what it wanted; no line about that.
        code = error.exit_code if isinstance(error.__cause__, BrokenPipeError) else _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _let_clear_up()
        code = _fail("interrupted.", ExitCode.INTERRUPTED)
    except Terminated:
        _let_clear_up()
        code = _fail("terminated.", ExitCode.TERMINATED)
    except Exception as error:  # noqa: BLE001  the last line of defence: one line, the documented code
        code = _unexpected(error)
    return int(code)


def _fail(line: str, code: ExitCode) -> ExitCode:
    if line.startswith("Usage:"):  # a command without its arguments gets its help text
        typer.echo(line, err=True)
    else:
        say(f"relight-cli: {line}")
    if wants_tracebacks(sys.argv[1:]):
        traceback.print_exc()
    return code


def _unexpected(error: Exception) -> ExitCode:
    """Tell a usage error of Typer's, a device that gave up, and everything else apart."""
    if isinstance(error, TyperException):
        return _fail(_usage(error), ExitCode.USAGE)
    from relight_cli.devices import device_error

    if known := device_error(error):
        return _fail(str(known), known.exit_code)
    return _fail(
        f"unexpected {type(error).__name__}: {error}. `relight-cli -v ...` shows the traceback.", ExitCode.UNEXPECTED
    )


def _usage(error: TyperException) -> str:
    """Put a usage error of Typer's in one line that ends in what to do."""
    line = error.format_message()
    if line.startswith("Usage:"):
        return line
    dashed = next((word for word in sys.argv[1:] if word.startswith("-") and Path(word).is_file()), None)
    context = getattr(error, "ctx", None)  # some of them do not know their command
    command = context.command_path if context else "relight-cli"
    remedy = f"write ./{dashed} for the file" if dashed else f"see '{command} --help'"
    # "Value error" is what the validator below Typer puts before a sentence of its own.
    return f"{line.replace('Value error, ', '').rstrip('.')}; {remedy}."
