"""relight-cli albedo: the reflectance of surfaces, without light."""

from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.mapping_options import MappingCommandOptions
from relight_cli.jobs.option_types import Photos
from relight_cli.jobs.options import subset, with_options
from relight_cli.models.interface import ALBEDO

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.mapping import AlbedoResult
    from relight_cli.relighting.options import Progress

SHADING = "shading.deep"  # .tif for a TIFF, else .png


@with_options(MappingCommandOptions)
def albedo(
    photos: Photos,
    options: MappingCommandOptions,
    save_shading: Annotated[
        bool,
        typer.Option(
            "--save-shading",
            help="Also write the linear light to <output>_shading.png (16 bits), or .tif (float) for a TIFF.",
        ),
    ] = False,
) -> None:
    """Remove all light from each PHOTO and keep its albedo.

    --save-shading changes the exposure of the albedo so that the shading does not exceed white. In linear light, albedo
    times shading equals the photo.
    """
    from relight_cli.checkpoints.networks import Networks
    from relight_cli.jobs.masks import check_mask_options
    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.sequences.mapping_command import MappingCommand, Task

    check_mask_options(photos, options, save_layer=save_shading)
    extras = (SHADING,) if save_shading else ()
    # --save-shading changes the exposure of the albedo, so it is part of the record.
    more = {"beside": extras} if save_shading else {}
    task = Task("albedo", "albedo", options.outputs(extras, (SHADING,)), more, {"--save-shading": save_shading})
    run = MappingCommand.prepare(photos, task, options, Networks.of(**options.model_arguments()))
    if run is None:
        return
    from relight_cli.relighting import mapping

    def chosen(**more: object) -> mapping.AlbedoOptions:
        return subset(run.command.options, mapping.AlbedoOptions, fit_shading=save_shading, **more)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress", name: str) -> "AlbedoResult":
        result = mapping.albedo(model, photo, run.mask.for_photo(photo), chosen(tile_batch=batch), progress)
        return run.with_layers(result, model, photo, batch)

    cost = TileCost(
        lambda model, photo, side: mapping.tiles_to_map(model, photo, ALBEDO, chosen(max_side=side)),
        lambda model: model.network.max_side,
        lambda model, photo: mapping.mapping_seconds(model, ALBEDO),
    )
    run.command.run(run.model, change, cost, lambda result: [result.shading] if save_shading else [])
