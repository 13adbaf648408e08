"""relight-cli deshadow: photos without cast shadows, or the masks of these shadows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.errors import UnfitOptionError, UsageError
from relight_cli.jobs.mapping_options import MappingCommandOptions
from relight_cli.jobs.option_types import Photos
from relight_cli.jobs.options import subset, with_options
from relight_cli.models.interface import SHADOW
from relight_cli.relighting.options import DeshadowOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting import mapping
    from relight_cli.relighting.options import Progress
    from relight_cli.sequences.mapping_command import MappingCommand

MASK = "mask.png"


@dataclass(frozen=True)
class DeshadowCommandOptions(MappingCommandOptions):
    """Options of deshadow."""

    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="P",
            show_default="depends on the network",
            help="Leave shadows alone that are less probable than P; 0: remove all that are found.",
        ),
    ] = DeshadowOptions.threshold
    mask_only: Annotated[
        bool, typer.Option("--mask-only", help="Write only a mask, <name>_mask.png: white in the shadows.")
    ] = False
    probability: Annotated[
        bool,
        typer.Option(
            "--probability",
            help="With --mask-only: how probable a shadow is at each pixel, to <name>_probability.png.",
        ),
    ] = False

    def __post_init__(self) -> None:
        """Raise UsageError for options that contradict each other."""
        super().__post_init__()
        if self.probability and not self.mask_only:
            raise UnfitOptionError("--probability is what --mask-only writes: give both.", "--probability")
        if self.mask_only and (given := [name for name, value in self.compositing().items() if value is not None]):
            raise UnfitOptionError(
                f"--mask-only writes a mask, {given[0]} is for photos: give only one of them.", given[0]
            )
        if self.mask_only and self.strength != DeshadowOptions.strength:
            raise UsageError("--mask-only writes a mask, --strength is for photos: give only one of them.")
        if self.probability and self.threshold is not None:
            raise UsageError(
                "--probability writes how probable all shadows are, whatever the --threshold: give only one of them."
            )
        if not self.detail and (self.mask_only or self.threshold):
            name = "--mask-only" if self.mask_only else "--threshold"
            raise UnfitOptionError(
                f"{name} and --no-detail contradict each other: give only one of them.", "--no-detail", "--threshold"
            )


@with_options(DeshadowCommandOptions)
def deshadow(
    photos: Photos,
    options: DeshadowCommandOptions,
    save_mask: Annotated[
        bool,
        typer.Option("--save-mask", help="Also write the shadow to <output>_mask.png: white where it takes all light."),
    ] = False,
) -> None:
    """Remove cast shadows from each PHOTO."""
    from relight_cli.checkpoints.networks import Networks
    from relight_cli.jobs.masks import check_mask_options
    from relight_cli.jobs.outputs import Outputs
    from relight_cli.sequences.mapping_command import MappingCommand, Task

    check_mask_options(photos, options, save_layer=save_mask)
    if save_mask and options.mask_only:
        raise UsageError("--mask-only writes a mask and no photo, --save-mask both: give only one of them.")
    outputs = options.outputs((MASK,) if save_mask else (), (MASK,))
    if options.mask_only:
        outputs = Outputs(default_suffix=".png")
    made = "deshadowed" if not options.mask_only else "probability" if options.probability else "mask"
    task = Task("deshadow", made, outputs, {}, {"--save-mask": save_mask, "--mask-only": options.mask_only})
    run = MappingCommand.prepare(photos, task, options, Networks.of(**options.model_arguments()))
    if run is None:
        return
    if options.mask_only:
        _write_masks(run, probability=options.probability)
    else:
        _remove_shadows(run, save_mask=save_mask)


def _remove_shadows(run: "MappingCommand", *, save_mask: bool) -> None:
    """Make the photos, and the masks of --save-mask."""
    from relight_cli.relighting import mapping

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress", name: str) -> "mapping.DeshadowResult":
        asked = _chosen(run, tile_batch=batch)
        result = mapping.deshadow(model, photo, run.mask.for_photo(photo), asked, progress)
        return run.with_layers(result, model, photo, batch)

    cost = _cost(run, lambda model, photo, asked: mapping.tiles_to_map(model, photo, SHADOW, asked))
    run.command.run(run.model, change, cost, lambda result: [result.shadow] if save_mask else [])


def _write_masks(run: "MappingCommand", *, probability: bool) -> None:
    """Make the masks of --mask-only, or of how probable shadows are."""
    from relight_cli.relighting.light_change import ChangeResult
    from relight_cli.relighting.shadow_mask import shadow_mask, tiles_of_mask

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress", name: str) -> ChangeResult:
        found = shadow_mask(model, photo, run.mask.for_photo(photo), _chosen(run, tile_batch=batch), progress)
        return ChangeResult(found.probability if probability else found.photo)

    run.command.run(run.model, change, _cost(run, tiles_of_mask))


def _chosen(run: "MappingCommand", **more: object) -> DeshadowOptions:
    return subset(run.command.options, DeshadowOptions, **more)


def _cost(run: "MappingCommand", tiles: "Callable[[Model, Photo, DeshadowOptions], int]") -> "TileCost":
    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.relighting.mapping import mapping_seconds

    return TileCost(
        lambda model, photo, side: tiles(model, photo, _chosen(run, max_side=side)),
        lambda model: model.network.max_side,
        lambda model, photo: mapping_seconds(model, SHADOW),
    )
