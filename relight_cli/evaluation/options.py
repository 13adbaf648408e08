"""The options that the commands of evaluate share."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from relight_cli.errors import MissingExtraError, OutputUnwritableError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.option_types import Device, Dtype, Offline, ProgressOption, Quiet, Verbose, WeightsDir, Yes
from relight_cli.jobs.progress import ProgressMode
from relight_cli.jobs.weights_look_up import look_up_arguments

Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="Folder of the data set, in its own layout.")]


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of every command of evaluate."""

    protocol: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Protocol, as above.", show_default="recognised by the layout"),
    ] = None
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--results",
            metavar="DIR",
            help="Judge the results in this folder, of any tool; may be given several times.",
        ),
    ] = None
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="Take N pictures, evenly spread; 0: all.")] = 0
    unsound: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.txt",
            dir_okay=False,
            help="List of pictures whose truth is wrong; a second table has the means of the others.",
            show_default="unsound-PROTOCOL.txt in DATASET, if it exists",
        ),
    ] = None
    resamples: Annotated[
        int,
        typer.Option(min=0, max=100_000, metavar="N", help="Resamples of the bootstrap for 95 % confidence; 0: none."),
    ] = 1000
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same numbers.")] = 0
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", dir_okay=False, help="Write each picture's scores.")
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", dir_okay=False, help="Append one line of JSON per picture.")
    ] = None
    weights_dir: WeightsDir = None
    offline: Offline = False
    yes: Yes = False
    device: Device = "auto"
    dtype: Annotated[Dtype, typer.Option(case_sensitive=False, help="auto: bfloat16 if it is fast, else float32.")] = (
        Dtype.AUTO
    )
    progress: ProgressOption = ProgressMode.AUTO
    quiet: Quiet = False
    verbose: Verbose = False

    def model_arguments(self) -> dict[str, Any]:
        """Return the arguments of the loaders of networks that these options set."""
        chosen = {"device": self.device, "dtype": self.dtype, "notify": notifier(self.quiet)}
        return chosen | look_up_arguments(self)


def require_extra() -> None:
    """Raise MissingExtraError if the packages of the extra are not installed."""
    if not find_spec("skimage"):
        raise MissingExtraError("evaluate needs an extra: pip install 'relight-cli[eval]'.")


def require_free(path: Path | None, *, overwrite: bool) -> None:
    """Raise OutputUnwritableError if a file exists that must not be replaced, before any work."""
    if path and os.path.lexists(path) and not overwrite:
        raise OutputUnwritableError(f"{path}: the file exists; pass --overwrite or choose another name")


def spread(cases: list[Any], limit: int) -> list[Any]:
    """Return `limit` of the cases, evenly spread; all if it is 0."""
    if not limit or limit >= len(cases):
        return cases
    return [cases[number * len(cases) // limit] for number in range(limit)]
