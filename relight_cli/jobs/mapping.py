"""What deshadow and albedo share: a photo under its own illumination latents, mapped."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.errors import UsageError
from relight_cli.jobs.inputs import STANDARD, reads_stdin
from relight_cli.jobs.options import PhotoOptions

if TYPE_CHECKING:
    from relight_cli.jobs.batch import Layers
    from relight_cli.rasters.samples import Samples
    from relight_cli.relighting.light_change import Picture, Progress


class TileColour(StrEnum):
    """How tiles settle on colours."""

    AGREE = "agree"
    FREE = "free"


@dataclass(frozen=True)
class MappingOptions(PhotoOptions):
    """Options of deshadow and albedo."""

    mask: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Change the photo only where this picture is white; grey is in between."),
    ] = None
    invert_mask: Annotated[bool, typer.Option("--invert-mask", help="Change it only where the mask is black.")] = False
    tile_colour: Annotated[
        TileColour,
        typer.Option(case_sensitive=False, help="free: each tile decides on its colours alone, as published."),
    ] = TileColour.AGREE


Finish = Callable[["Picture", "Picture"], "Picture"]
"""From a picture and its mapped one to the one to save."""


def run_mapping(
    photos: list[str],
    task: str,
    mapper: str,
    options: MappingOptions,
    beside: tuple[str, ...],
    possible: tuple[str, ...],
    finish: Finish | None = None,
    layers: "Layers" = lambda photo, changed: [],
) -> None:
    """Map the light of photos; `beside` names the layers that are saved with each, of those `possible`."""
    from relight_cli.devices import choose
    from relight_cli.jobs.batch import nothing_to_do, run_batch
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.memory import Fallback
    from relight_cli.jobs.models import expected_model, load_model, tile_options
    from relight_cli.jobs.outputs import Outputs
    from relight_cli.jobs.planning import plan
    from relight_cli.jobs.provenance import Making

    _check(photos, options, beside)
    notify = notifier(options.quiet)
    files = {"mask": options.mask} if options.mask else {}
    mappers = {mapper: f"CroCoDiLight_{mapper}_mapper.pth"}
    # Layers that change the photo itself are an option of how it is made.
    making = Making(task, expected_model(mappers, options), options, files, {"beside": beside} if finish else {})
    outputs = Outputs(beside=beside, possible=possible)
    jobs = plan(photos, task, options, notify, files.values(), outputs, lambda job: making.settle(job, notify))
    if nothing_to_do(jobs, making):
        return
    mask = _read_mask(options)
    from relight_cli.relighting.light_change import ChangeOptions, TileOptions, tile_count
    from relight_cli.relighting.mapping import map_light

    compute = choose(options.device, options.dtype)
    model = load_model(mappers, options, compute, notify)
    change = ChangeOptions(options.strength, options.detail)
    tiling = tile_options(options, compute, model.network.max_side, agree=options.tile_colour == TileColour.AGREE)

    def work(picture: "Picture", tiling: TileOptions, progress: "Progress") -> "Picture":
        if mask:
            mask.require_size(picture)
        mapped = map_light(model.network, picture, mapper, change, tiling, progress)
        if finish:
            mapped = finish(picture, mapped)
        return mask.over(picture, mapped) if mask else mapped

    def tiles(picture: "Picture") -> int:
        return tile_count(model.network, picture, change, tiling)

    run_batch(jobs, replace(making, model=model), work, tiles, Fallback(model, tiling, options), layers)


def _check(photos: list[str], options: MappingOptions, beside: tuple[str, ...]) -> None:
    """Raise UsageError for options that contradict each other."""
    if options.mask == STANDARD and reads_stdin(photos):
        raise UsageError("stdin is one thing: name a file for PHOTO or for --mask.")
    if options.invert_mask and not options.mask:
        raise UsageError("--invert-mask turns a --mask around: give one.")
    if beside and options.output == "-":
        raise UsageError("--output - holds one picture: name a file or a folder to save a layer beside it.")


@dataclass(frozen=True)
class Mask:
    """Where the photos may change."""

    path: Path
    share: "Samples"  # (H, W) in [0, 1]

    def require_size(self, picture: "Picture") -> None:
        """Raise UsageError where the mask is of another size than a picture."""
        if self.share.shape != picture.shape[:2]:
            size, wanted = (f"{shape[1]} x {shape[0]}" for shape in (self.share.shape, picture.shape))
            raise UsageError(f"{self.path} is {size} pixels and the photo {wanted}: give a mask of the photo's size.")

    def over(self, picture: "Picture", changed: "Picture") -> "Picture":
        """Give the changed picture where the mask lets it through, else the old one."""
        from relight_cli.relighting.masks import OnlyWhere

        return OnlyWhere(self.share, picture, changed)


def _read_mask(options: MappingOptions) -> Mask | None:
    from relight_cli.jobs.batch import read
    from relight_cli.relighting.masks import mask_of

    if options.mask is None:
        return None
    return Mask(options.mask, mask_of(read(options.mask, options), invert=options.invert_mask))
