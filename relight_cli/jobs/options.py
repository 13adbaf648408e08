"""The options that commands share, declared once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from relight_cli.errors import UsageError
from relight_cli.jobs.applied_defaults import call_with_fitting, drop_weaker
from relight_cli.jobs.compositing_options import CompositingOptions
from relight_cli.jobs.console import notifier
from relight_cli.jobs.engines.calls import remember_call
from relight_cli.jobs.engines.engine_options import EngineOptions
from relight_cli.jobs.option_types import (
    Device,
    Dtype,
    Network,
    Offline,
    ProgressOption,
    Quiet,
    Verbose,
    WeightsDir,
    Yes,
    check_output,
)
from relight_cli.jobs.progress import ProgressMode, begin_progress
from relight_cli.jobs.sequence_options import SequenceOptions
from relight_cli.jobs.shards import check_shard
from relight_cli.jobs.streams import reserve_stdout
from relight_cli.jobs.weights_look_up import look_up_arguments
from relight_cli.photos.effort import Effort
from relight_cli.places.appending import appended_whole
from relight_cli.places.objects import kept, place_of
from relight_cli.relighting.options import RelightOptions

T = TypeVar("T")


def check_input_colour(colour: str | None) -> str | None:
    """Raise UsageError for a --input-colour that is not a profile."""
    if colour not in (None, "linear", "srgb"):
        from relight_cli.photos.colour_tags import profile_for

        profile_for(colour)
    return colour


@dataclass(frozen=True)
class CommandOptions:
    """Options of every command that makes files from photos."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            callback=check_output,
            metavar="FILE|DIR|TEMPLATE|-",
            help="File (for one input), folder, template with {stem} {task} {ext} {index}, or - for stdout. "
            "Default: <name>_<task>.<ext> next to the input.",
        ),
    ] = None
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Skip inputs whose output is up to date; replace outdated outputs, but none that was retouched.",
        ),
    ] = False
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Search nested folders too; -o keeps their structure.")
    ] = False
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Names in @FILE end in NUL, as written by find -print0.")
    ] = False
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            callback=check_shard,
            help="Make only share I (from 1) of N of the photos, chosen by their names; N processes make all of them.",
        ),
    ] = None
    weights_dir: WeightsDir = None
    offline: Offline = False
    yes: Yes = False
    device: Device = "auto"
    dtype: Annotated[
        Dtype,
        typer.Option(
            case_sensitive=False,
            help="auto: bfloat16 if it is fast, else float32. float32: slower, rounds as published.",
        ),
    ] = Dtype.AUTO
    page: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            show_default="the first full-size one",
            help="Page of a TIFF, or part of an EXR, to read.",
        ),
    ] = None
    max_pixels: Annotated[int, typer.Option(min=1, metavar="N", help="Refuse photos with more than N pixels.")] = (
        500_000_000
    )
    input_colour: Annotated[
        str | None,
        typer.Option(
            "--input-colour",
            metavar="linear|srgb|FILE.icc",
            callback=check_input_colour,
            help="Colours of files that state none: linear light, sRGB (default), or an ICC profile.",
        ),
    ] = None
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", dir_okay=False, help="Append one line of JSON per input.")
    ] = None
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE.html",
            dir_okay=False,
            help="Also write a page to look at each result before and after in a browser, offline.",
        ),
    ] = None
    compare_full: Annotated[
        bool, typer.Option("--compare-full", help="Embed all pictures of --compare at full size; large files.")
    ] = False
    progress: ProgressOption = ProgressMode.AUTO
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", "-n", help="Print what would be made, how long it takes and how much memory; make nothing."
        ),
    ] = False
    quiet: Quiet = False
    verbose: Verbose = False


@dataclass(frozen=True)
class PhotoCommandOptions(CommandOptions):
    """Options of every command that makes photos from photos."""

    model: Network = "auto"
    detail: Annotated[
        bool,
        typer.Option(
            "--detail/--no-detail",
            help="Apply the new light to the photo's own pixels, or output the network's picture.",
        ),
    ] = RelightOptions.detail
    strength: Annotated[
        float,
        typer.Option(
            min=0, max=1.5, metavar="X", help="Strength of the change; 0: none, 1: full, above 1: exaggerated."
        ),
    ] = RelightOptions.strength
    tile_overlap: Annotated[
        float, typer.Option(min=0, max=0.5, metavar="X", help="Overlap of neighbouring tiles, as a share of a tile.")
    ] = RelightOptions.tile_overlap
    tile_batch: Annotated[
        int, typer.Option(min=0, max=256, metavar="N", help="Tiles to process at a time; 0: chosen by device.")
    ] = RelightOptions.tile_batch
    max_side: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            show_default="depends on the network",
            help="Compute the gain on a copy with longer side N and apply it to the full-size photo; 0: no copy.",
        ),
    ] = RelightOptions.max_side
    quality: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Quality of JPEG, WebP, AVIF, HEIC and JPEG 2000.")
    ] = 95
    effort: Annotated[
        Effort,
        typer.Option(
            case_sensitive=False,
            help="Time to encode photos (not videos). fast: larger files; small: smaller files, slower.",
        ),
    ] = Effort.DEFAULT
    strip: Annotated[
        bool,
        typer.Option("--strip", help="Write no metadata (EXIF, GPS, XMP, dpi, Software tag), only the colour profile."),
    ] = False

    def __post_init__(self) -> None:
        """Raise UsageError for options that contradict each other."""
        if self.max_side and not self.detail:
            raise UsageError("--max-side and --no-detail contradict each other: give only one of them.")

    def model_arguments(self) -> dict[str, Any]:
        """Return the arguments of `checkpoints.models.load_model` that these options set."""
        chosen = {"name": self.model, "device": self.device, "dtype": self.dtype, "notify": notifier(self.quiet)}
        return chosen | look_up_arguments(self, download=not self.dry_run)


@dataclass(frozen=True)
class LightCommandOptions(EngineOptions, CompositingOptions, SequenceOptions, PhotoCommandOptions):
    """Options of relight, deshadow and albedo."""

    budget: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Choose --max-side so that the network takes about this long for a photo like the first.",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Raise UsageError for options that contradict each other."""
        super().__post_init__()
        self.check_compositing(self.output)
        self.check_engine()
        if self.budget is not None and self.max_side is not None:
            raise UsageError("--budget chooses --max-side: give only one of them.")
        if self.budget is not None and not self.detail:
            raise UsageError("--budget and --no-detail contradict each other: give only one of them.")


@dataclass(frozen=True)
class MaskedCommandOptions(LightCommandOptions):
    """Options of every command that may change a part of a photo alone."""

    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Change the photo only where this picture is white, partly where it is grey."
        ),
    ] = None
    invert_mask: Annotated[
        bool, typer.Option("--invert-mask", help="Change the photo only where the mask is black.")
    ] = False

    def mask_files(self) -> dict[str, Path]:
        """Return the mask, if any, in the form of `Recipe.files`."""
        return {"mask": self.mask} if self.mask else {}


def subset(options: CommandOptions, kind: type[T], **more: object) -> T:
    """Return a command's options as the Python API's dataclass `kind`; `more` replaces or adds fields."""
    common = {f.name: getattr(options, f.name) for f in fields(kind) if hasattr(options, f.name)}  # type: ignore[arg-type]
    return kind(**{**common, **more})


def with_options(options: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that turns the fields of a dataclass into options; the command gets them as `options`.

    A command that has a parameter `context` gets the Typer context, too.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        """Return a command with the fields as its parameters."""
        hints = get_type_hints(options, include_extras=True)
        taken = inspect.signature(command).parameters
        own = [p for p in taken.values() if p.name not in ("options", "context")]
        shared = [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
            for f in fields(options)
        ]

        defaults = {p.name: p.default for p in (*own, *shared)}
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

        @functools.wraps(command)
        def run(context: typer.Context, **values: Any) -> None:
            """Call the command with these fields as one object."""
            drop_weaker(context, values, defaults)
            values = {name: kept(place_of(v)) if isinstance(v, Path) else v for name, v in values.items()}
            begun = False

            def call(given: dict[str, Any]) -> None:
                """Call the command once; the progress begins with the first call."""
                nonlocal begun
                chosen = options(**{f.name: given.pop(f.name) for f in fields(options)})
                if isinstance(chosen, CommandOptions):  # `lights` makes no photos
                    if not begun:
                        begin_progress(command.__name__.replace("_", "-"), chosen)
                    begun = True
                    remember_call(command, given, chosen)
                more = {"context": context} if "context" in taken else {}
                with reserve_stdout(), appended_whole():
                    command(**given, **more, options=chosen)

            call_with_fitting(call, context, values, defaults)

        run.__signature__ = inspect.Signature([*own, *shared, context])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*own, *shared, context)}
        return run

    return decorate
