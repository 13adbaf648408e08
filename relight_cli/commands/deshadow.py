"""relight-cli deshadow: photos without cast shadows, or the masks of these shadows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.errors import UsageError
from relight_cli.jobs.mapping_options import MappingCommandOptions
from relight_cli.jobs.option_types import Photos
from relight_cli.jobs.options import subset, with_options
from relight_cli.models.interface import SHADOW
from relight_cli.relighting.options import DeshadowOptions

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.options import Progress

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
            raise UsageError("--probability is what --mask-only writes: give both.")
        if self.mask_only and (given := [name for name, value in self.compositing().items() if value is not None]):
            raise UsageError(f"--mask-only writes a mask, {given[0]} is for photos: give only one of them.")
        if self.mask_only and self.strength != DeshadowOptions.strength:
            raise UsageError("--mask-only writes a mask, --strength is for photos: give only one of them.")
        if self.probability and self.threshold is not None:
            raise UsageError(
                "--probability writes how probable all shadows are, whatever the --threshold: give only one of them."
            )
        if not self.detail and (self.mask_only or self.threshold):
            name = "--mask-only" if self.mask_only else "--threshold"
            raise UsageError(f"{name} and --no-detail contradict each other: give only one of them.")


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
    from relight_cli.checkpoints.geometry import load_geometry
    from relight_cli.checkpoints.models import expected_model, load_model
    from relight_cli.checkpoints.surfaces import expected_networks, find_surfaces
    from relight_cli.checkpoints.weights import LookUp
    from relight_cli.jobs.masks import check_mask_options
    from relight_cli.jobs.outputs import Outputs
    from relight_cli.jobs.photo_geometry import GeometrySource
    from relight_cli.jobs.photo_layers import PhotoLayers, tasks_with_layers
    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.sequences.command import command_for

    check_mask_options(photos, options, save_layer=save_mask)
    if save_mask and options.mask_only:
        raise UsageError("--mask-only writes a mask and no photo, --save-mask both: give only one of them.")
    tasks = tasks_with_layers("deshadow", options)
    expected = expected_model(options.model, tasks, options.weights_dir)
    outputs = options.outputs((MASK,) if save_mask else (), (MASK,))
    if options.mask_only:
        outputs = Outputs(default_suffix=".png")
    unfit = {"--save-mask": save_mask, "--mask-only": options.mask_only, **options.compositing()}
    task = "deshadowed" if not options.mask_only else "probability" if options.probability else "mask"
    more: dict[str, object] = {}
    if options.layers is not None:
        more |= expected_networks(options.model, options.weights_dir, estimated=not options.depth)
    command = command_for(photos, task, expected, options, options.files(), more, unfit)
    if not command.plan(photos, outputs):
        return
    mask = command.read_mask(options)
    geometry = GeometrySource.of_command(options.depth, options, load_geometry) if options.layers is not None else None
    if command.is_made_elsewhere():
        return
    model = load_model(tasks=tasks, **options.model_arguments())
    if geometry and not geometry.is_given:
        command.record(geometry.find(model, options, find_surfaces, LookUp))
    layered = PhotoLayers(geometry)
    from relight_cli.relighting import mapping
    from relight_cli.relighting.light_change import ChangeResult
    from relight_cli.relighting.shadow_mask import shadow_mask, tiles_of_mask

    def chosen(**more: object) -> DeshadowOptions:
        return subset(command.options, DeshadowOptions, **more)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress", name: str) -> ChangeResult:
        weights, asked = mask.for_photo(photo), chosen(tile_batch=batch)
        if not options.mask_only:
            result = mapping.deshadow(model, photo, weights, asked, progress)
            return layered.added(result, model, photo, command.options, batch)
        found = shadow_mask(model, photo, weights, asked, progress)
        return ChangeResult(found.probability if options.probability else found.photo)

    def layers(result: ChangeResult) -> "list[Photo]":
        return [result.shadow] if save_mask and isinstance(result, mapping.DeshadowResult) else []

    def tiles(model: "Model", photo: "Photo", side: int | None) -> int:
        asked = chosen(max_side=side)
        if options.mask_only:
            return tiles_of_mask(model, photo, asked)
        return mapping.tiles_to_map(model, photo, SHADOW, asked)

    cost = TileCost(
        tiles,
        lambda model: model.network.max_side,
        lambda model: mapping.mapping_seconds(model, SHADOW),
    )
    command.run(model, change, cost, layers)
