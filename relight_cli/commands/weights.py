"""relight-cli weights: list, fetch, verify, convert, export and find the checkpoints."""

import json
from collections.abc import Iterator
from enum import StrEnum
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

weights_app = typer.Typer(no_args_is_help=True, help="List, fetch, verify, convert and export weights.")

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


class ExportedTask(StrEnum):
    """The values of --task."""

    DESHADOW = "deshadow"
    ALBEDO = "albedo"
    RELIGHT = "relight"


@weights_app.command(short_help="Export tiny as ONNX, or as a package for darktable.")
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The network: tiny.")],
    onnx: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="File to write: NAME.onnx with one task, or relight-tiny.dtmodel with all tasks."
        ),
    ],
    task: Annotated[
        ExportedTask | None, typer.Option(help="What a .onnx file does. [default: deshadow]", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
    verbose: Verbose = False,
) -> None:
    """Export tiny as ONNX for other programs, with licence, training data and hash of the weights as metadata.

    The graph takes pictures of any size. Its outputs are the picture in its new light, and the change of log light.
    A package (.dtmodel) holds the graphs of all tasks and the provenance that darktable 5.6 reads.
    """
    from relight_cli.checkpoints.onnx_graphs import PACKAGE, darktable_package, onnx_of_tiny, require_onnx
    from relight_cli.errors import UsageError
    from relight_cli.jobs.file_names import make_folder
    from relight_cli.photos.atomic_files import atomic_file
    from relight_cli.places.objects import place_of

    if name.lower() != "tiny":
        raise UsageError(f"{name}: cannot be exported; tiny is the only network with a graph in ONNX.")
    target = place_of(onnx)
    is_package = target.suffix.lower() == ".dtmodel"
    if is_package and task:
        raise UsageError(f"--task {task}: a package has all tasks; leave it out, or name a file in .onnx.")
    if is_package and target.name != f"{PACKAGE}.dtmodel":
        raise UsageError(f"--onnx {onnx}: darktable wants a package named after its id; name it {PACKAGE}.dtmodel.")
    if not is_package and target.suffix.lower() != ".onnx":
        raise UsageError(f"--onnx {onnx}: end the name in .onnx, or in .dtmodel for a package of darktable.")
    require_onnx()
    make_folder(target.parent)
    with atomic_file(target, overwrite=overwrite) as temporary:  # an existing file is refused before the work
        temporary.write_bytes(darktable_package() if is_package else onnx_of_tiny(task or ExportedTask.DESHADOW))
    typer.echo(onnx)


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
