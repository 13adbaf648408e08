"""The command line; the only module that turns exceptions into exit codes."""

import contextlib
import errno
import sys
import warnings
from typing import Annotated

import typer
from typer import TyperException

from relight_cli._version import __version__
from relight_cli.commands.albedo import albedo
from relight_cli.commands.deshadow import deshadow
from relight_cli.commands.doctor import doctor
from relight_cli.commands.evaluate import evaluate_app
from relight_cli.commands.interpolate_timelapse import interpolate_timelapse
from relight_cli.commands.lights import lights_app
from relight_cli.commands.refine_depth import refine_depth
from relight_cli.commands.relight import relight
from relight_cli.commands.report import report_app
from relight_cli.commands.serve import serve
from relight_cli.commands.studio import studio
from relight_cli.commands.train import train_app
from relight_cli.commands.weights import weights_app
from relight_cli.errors import ExitCode, RelightError
from relight_cli.interruption import Terminated, signals_handled
from relight_cli.jobs.applied_defaults import apply_defaults, origin_of
from relight_cli.jobs.console import forget_verbose, show_traceback, wants_tracebacks
from relight_cli.jobs.defaults import NO_CONFIG
from relight_cli.jobs.option_tree import prepare_program
from relight_cli.jobs.progress import current, forget_progress
from relight_cli.jobs.streams import separate_stderr
from relight_cli.paths import is_file
from relight_cli.places.urls import redact

app = typer.Typer(
    name="relight-cli",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(relight)
app.command()(deshadow)
app.command(short_help="Remove all light from each PHOTO and keep its albedo.")(albedo)
app.command(short_help="Interpolate or deflicker the light of a timelapse.")(interpolate_timelapse)
app.command(short_help="Estimate and refine the depth of each PHOTO.")(refine_depth)
app.command(short_help="Check the installation and report what is broken.")(doctor)
app.add_typer(evaluate_app, name="evaluate")
app.command(short_help="Answer HTTP requests with networks that stay loaded.")(serve)
app.command(short_help="Try a light in the browser, and make photos with it.")(studio)
app.add_typer(lights_app, name="lights")
app.add_typer(report_app, name="report")
app.add_typer(weights_app, name="weights")
app.add_typer(train_app, name="train")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"relight-cli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    no_config: Annotated[
        bool, typer.Option("--no-config", envvar=NO_CONFIG, help="Read no relight.toml, the file of your own defaults.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")] = False,
) -> None:
    """Change the light in photos.

    relight.toml, here or in your configuration folder, and RELIGHT_<OPTION> set defaults of options. 'relight-cli
    doctor' shows those in force.
    """
    tolerant = context.invoked_subcommand == "doctor" or _asks_for_help()
    apply_defaults(context, no_config=no_config, tolerant=tolerant)


def _asks_for_help() -> bool:
    return not {"-h", "--help"}.isdisjoint(sys.argv[1:])


def main() -> None:
    """Run the command line and exit with one of `errors.ExitCode`."""
    with signals_handled(lambda word, code: current().last_line(word, code)), separate_stderr():
        code = _run()
    sys.exit(int(code))


def _run() -> int:
    """Run the command line and return its exit code."""
    forget_verbose()
    forget_progress()
    program = typer.main.get_command(app)
    if not _asks_for_help():  # help lists --overwrite, not also --no-overwrite
        prepare_program(program)
    if not wants_tracebacks(sys.argv[1:]):
        warnings.simplefilter("ignore")  # of libraries; relight-cli prints its own notes
    try:
        code = program(prog_name="relight-cli", standalone_mode=False) or ExitCode.OK
        if code == ExitCode.INTERRUPTED:  # Typer has already turned Ctrl-C into its exit code
            _fail(current().last_words("interrupted"), ExitCode.INTERRUPTED)
    except RelightError as error:
        # The reader of the pipe (such as `head`) has closed it: exit without a message.
        code = error.exit_code if isinstance(error.__cause__, BrokenPipeError) else _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _fail(current().last_words("interrupted"), ExitCode.INTERRUPTED)
    except Terminated:
        code = _fail(current().last_words("terminated"), ExitCode.TERMINATED)
    except Exception as error:  # noqa: BLE001  any other error is one line and a documented code too
        code = _unexpected(error)
    current().end(int(code))
    return int(code)


def _fail(line: str, code: ExitCode, *, traceable: bool = True) -> ExitCode:
    """Print an error, with -v and if it is `traceable` also its traceback; return its exit code."""
    line, error = redact(line), sys.exception()
    with contextlib.suppress(OSError):  # of a terminal that is closed: the code is the same
        if line.startswith("Usage:"):  # the help text, which Typer returns for a command without arguments
            typer.echo(line, err=True)
        else:
            current().fail(line, error, code)
        if traceable and wants_tracebacks(sys.argv[1:]) and error:
            show_traceback(error)
    return code


def _unexpected(error: Exception) -> ExitCode:
    """Report a usage error of Typer, a device error or any other unexpected error; return its exit code."""
    if isinstance(error, TyperException):
        return _fail(_usage(error), ExitCode.USAGE, traceable=False)
    from relight_cli.devices import device_error

    if known := device_error(error):
        return _fail(str(known), known.exit_code)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        line = f"{error.filename}: the name is longer than the file system takes: choose a shorter one."
        return _fail(line, ExitCode.USAGE)
    return _fail(
        f"unexpected {type(error).__name__}: {error}. Run `relight-cli -v ...` to see the traceback.",
        ExitCode.UNEXPECTED,
    )


def _usage(error: TyperException) -> str:
    """Format a usage error of Typer as one line that ends in the remedy."""
    line = error.format_message()
    if line.startswith("Usage:"):
        return line
    dashed = next((word for word in sys.argv[1:] if word.startswith("-") and is_file(word)), None)
    context = getattr(error, "ctx", None)  # not every usage error has a context
    command = context.command_path if context else "relight-cli"
    remedy = f"to name the file, write ./{dashed}" if dashed else f"see '{command} --help'"
    parameter = getattr(error, "param", None)
    if context and parameter and (origin := origin_of(context, parameter)):
        line = f"{origin}: {line}"
    # The validator that Typer uses puts "Value error, " before its messages.
    return f"{line.replace('Value error, ', '').rstrip('.')}; {remedy}."
