"""relight-cli weights: list, fetch, verify, convert and find the checkpoints."""

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from relight_cli.checkpoints.hub import hub_cache
from relight_cli.checkpoints.listing import facts, listing
from relight_cli.checkpoints.manifest import WeightsFile, fetch_command, load_manifest
from relight_cli.checkpoints.weights import LookUp, availability, find, require_download, verify
from relight_cli.errors import ExitCode, ModelUnavailableError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.option_types import Dtype, Offline, Quiet, Verbose, WeightsDir, Yes
from relight_cli.jobs.questions import terminal_question

weights_app = typer.Typer(no_args_is_help=True, help="List, fetch, verify and convert model weights.")

_NAMES_HELP = "Command (relight, deshadow ...), repository or file, as in 'weights list'."


@weights_app.command("list", short_help="List all files with size, licence, use and place.")
def list_weights(
    weights_dir: WeightsDir = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array with one object per file, for programs.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """List all files with size, licence, use and place, as wide as the terminal."""
    import shutil

    options = LookUp(weights_dir, offline=True)
    files = [(file, availability(file, options)) for file in load_manifest().files]
    if as_json:
        typer.echo(json.dumps([facts(file, found) for file, found in files], indent=2))
        return
    for line in listing(files, shutil.get_terminal_size().columns):
        typer.echo(line)


@weights_app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help=_NAMES_HELP)],
    weights_dir: WeightsDir = None,
    offline: Offline = False,
    yes: Yes = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Download missing files, check them and print the path of each.

    Size and licence are shown first. On a terminal the command asks whether to go on; a script gives --yes or sets
    RELIGHT_ACCEPT_LICENCE=1.
    """
    options = LookUp(weights_dir, offline, progress=not quiet, accept_licence=yes, ask=terminal_question())
    files = list(_selected(names))
    require_download(files, options)
    for file in files:
        typer.echo(find(file, options, notifier(quiet)))


@weights_app.command("verify", short_help="Check the hashes of files again.")
def verify_weights(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help=_NAMES_HELP)] = None,
    weights_dir: WeightsDir = None,
    verbose: Verbose = False,
) -> None:
    """Check the hashes of the named files, or of all files on this machine, and ignore earlier results.

    A damaged file is deleted from the Hub cache, but not from a weights folder. Exits with code 6 if any fails.
    """
    options = LookUp(weights_dir, offline=True)
    failed = False
    files = [*_selected(names)] if names else [f for f in load_manifest().files if availability(f, options)]
    if not files:
        typer.echo(f"no file is on this machine: run {fetch_command(load_manifest().files[0])}.", err=True)
    for file in files:
        try:
            found = verify(file, options)
        except ModelUnavailableError as error:
            failed = True
            typer.echo(f"FAILED     {error}")
        else:
            typer.echo(f"{'ok        ' if found.sha256 else 'no hash   '} {file.name}  {found.path}")
    if failed:
        raise typer.Exit(ExitCode.MODEL)


@weights_app.command(short_help="Convert the files of crocodilight to load faster.")
def convert(
    weights_dir: WeightsDir = None,
    dtype: Annotated[
        Dtype, typer.Option(case_sensitive=False, help="auto: what crocodilight runs in on this machine.")
    ] = Dtype.AUTO,
    verbose: Verbose = False,
) -> None:
    """Convert the files of crocodilight to load faster: only what it uses, in the dtype that it runs in.

    Writes next to the published files and prints each path. A converted file is used until its original changes.
    """
    from relight_cli.checkpoints.crocodilight import convert as convert_file
    from relight_cli.devices import choose

    options, compute = LookUp(weights_dir, offline=True), choose(dtype=dtype)
    files = [file for file in load_manifest().files if file.repository_name == "CroCoDiLight"]
    present = [file for file in files if availability(file, options)]
    if not present:
        raise ModelUnavailableError(f"no file of crocodilight is on this machine: run {fetch_command(files[0])}.")
    for file in present:
        typer.echo(convert_file(find(file, options), compute.dtype))


@weights_app.command(short_help="Print the folders that are searched and the files found.")
def where(weights_dir: WeightsDir = None, verbose: Verbose = False) -> None:
    """Print the folders that are searched, in order, then the path of each file found."""
    options = LookUp(weights_dir, offline=True)
    for folder in (weights_dir, hub_cache()):
        if folder is not None:
            typer.echo(folder)
    for file in load_manifest().files:
        if found := availability(file, options):
            typer.echo(f"{file.name}  {found.path}")


def _selected(names: list[str]) -> Iterator[WeightsFile]:
    """Yield each named file once, in order; look up every name before the first is yielded."""
    manifest = load_manifest()
    return iter(dict.fromkeys(file for name in names for file in manifest.select(name)))
