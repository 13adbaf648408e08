"""The options that commands share, declared once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from relight_cli.errors import UsageError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.streams import reserve_stdout
from relight_cli.relighting.options import MappingOptions, RelightOptions, TileColour

T = TypeVar("T")


class ModelName(StrEnum):
    """Which network."""

    AUTO = "auto"
    CROCODILIGHT = "crocodilight"
    TINY = "tiny"


class Dtype(StrEnum):
    """Which arithmetic."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


Photos = Annotated[
    list[str],
    typer.Argument(
        metavar="PHOTO", help="Files, folders, globs, @FILE with names (@-: from stdin), or - for a photo on stdin."
    ),
]
WeightsDir = Annotated[
    Path | None,
    typer.Option(
        "--weights-dir",
        envvar="RELIGHT_WEIGHTS_DIR",
        metavar="DIR",
        help="Folder of published files, looked in before the Hub.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never touch the network (also HF_HUB_OFFLINE=1).")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]


@dataclass(frozen=True)
class CommandOptions:
    """Options of every command that makes files from photos."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR|TEMPLATE|-",
            help="A file (one input), a folder, a template of {stem} {task} {ext} {index}, or - for stdout. "
            "Default: <name>_<task>.<same kind> beside the input.",
        ),
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave inputs whose output exists; redo it if made otherwise.")
    ] = False
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Take the photos of nested folders too; -o keeps the folders.")
    ] = False
    null: Annotated[bool, typer.Option("--null", "-0", help="Names in @FILE end in NUL, as of find -print0.")] = False
    weights_dir: WeightsDir = None
    offline: Offline = False
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda[:N]|mps", help="Where to compute.")] = "auto"
    dtype: Annotated[
        Dtype,
        typer.Option(
            case_sensitive=False, help="auto: bfloat16 where it is fast; float32: in the published order of rounding."
        ),
    ] = Dtype.AUTO
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse larger photos, by their header.")] = 500_000_000
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", dir_okay=False, help="Append one JSON object per input.")
    ] = None
    quiet: Quiet = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")] = False


@dataclass(frozen=True)
class PhotoCommandOptions(CommandOptions):
    """Options of every command that makes photos from photos."""

    model: Annotated[
        ModelName,
        typer.Option(
            case_sensitive=False,
            envvar="RELIGHT_MODEL",
            help="auto: the published network if it can be had, else tiny.",
        ),
    ] = ModelName.AUTO
    detail: Annotated[
        bool,
        typer.Option("--detail/--no-detail", help="Keep the photo's own fine detail, or the decoder's raw output."),
    ] = RelightOptions.detail
    strength: Annotated[float, typer.Option(min=0, max=1.5, help="0: unchanged, 1: full, above: exaggerated.")] = (
        RelightOptions.strength
    )
    tile_overlap: Annotated[float, typer.Option(min=0, max=0.5, help="Overlap of tiles, in tiles.")] = (
        RelightOptions.tile_overlap
    )
    tile_batch: Annotated[int, typer.Option(min=0, max=256, help="Tiles at a time; 0: by device.")] = (
        RelightOptions.tile_batch
    )
    max_side: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            show_default="by network",
            help="Longer side of the copy that the network sees; its gain is applied to every pixel. 0: full size.",
        ),
    ] = RelightOptions.max_side
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP, AVIF, HEIC and JPEG 2000.")] = 95
    strip: Annotated[
        bool,
        typer.Option(
            "--strip", help="Write no metadata: no EXIF, GPS, XMP, dpi, Software tag. The colour profile stays."
        ),
    ] = False

    def __post_init__(self) -> None:
        """Raise UsageError where options of the change of light contradict each other."""
        if self.max_side and not self.detail:
            raise UsageError("--max-side applies the gain of a smaller copy: leave it out with --no-detail.")

    def model_arguments(self) -> dict[str, Any]:
        """Return what `checkpoints.models.load_model` takes of these options."""
        return {
            "name": self.model,
            "device": self.device,
            "dtype": self.dtype,
            "weights_dir": self.weights_dir,
            "offline": self.offline,
            "progress": not self.quiet,
            "notify": notifier(self.quiet),
        }


@dataclass(frozen=True)
class MappingCommandOptions(PhotoCommandOptions):
    """Options of deshadow and albedo."""

    mask: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Change the photo only where this picture is white; grey is in between."),
    ] = None
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Change it only where the mask is black.")] = False
    tile_colour: Annotated[
        TileColour,
        typer.Option(case_sensitive=False, help="free: each tile decides on its colours alone, as published."),
    ] = MappingOptions.tile_colour

    def mask_files(self) -> dict[str, Path]:
        """Return the mask, if there is one, as `Recipe.files` takes it."""
        return {"mask": self.mask} if self.mask else {}


def subset(options: CommandOptions, kind: type[T], **more: object) -> T:
    """Return those of a command's options that the Python API has too, as its dataclass `kind`."""
    shared = {f.name: getattr(options, f.name) for f in fields(kind) if hasattr(options, f.name)}  # type: ignore[arg-type]
    return kind(**{**shared, **more})


def with_options(options: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of an options dataclass as its own options; it gets them as `options`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(options, include_extras=True)
        own = [p for p in inspect.signature(command).parameters.values() if p.name != "options"]
        shared = [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
            for f in fields(options)
        ]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            chosen = options(**{f.name: values.pop(f.name) for f in fields(options)})
            with reserve_stdout():
                command(**values, options=chosen)

        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
        return run

    return decorate
