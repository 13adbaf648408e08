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
    from relight_cli.checkpoints.geometry import load_geometry
    from relight_cli.checkpoints.models import expected_model, load_model
    from relight_cli.checkpoints.surfaces import expected_networks, find_surfaces
    from relight_cli.checkpoints.weights import LookUp
    from relight_cli.jobs.masks import check_mask_options
    from relight_cli.jobs.photo_geometry import GeometrySource
    from relight_cli.jobs.photo_layers import PhotoLayers, tasks_with_layers
    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.sequences.command import command_for

    check_mask_options(photos, options, save_layer=save_shading)
    tasks = tasks_with_layers("albedo", options)
    expected = expected_model(options.model, tasks, options.weights_dir)
    extras = (SHADING,) if save_shading else ()
    # --save-shading changes the exposure of the albedo, so it is part of the record.
    more: dict[str, object] = {"beside": extras} if save_shading else {}
    if options.layers is not None:
        more |= expected_networks(options.model, options.weights_dir, estimated=not options.depth)
    unfit = {"--save-shading": save_shading, **options.compositing()}
    command = command_for(photos, "albedo", expected, options, options.files(), more, unfit)
    if not command.plan(photos, options.outputs(extras, (SHADING,))):
        return
    mask = command.read_mask(options)
    geometry = GeometrySource.of_command(options.depth, options, load_geometry) if options.layers is not None else None
    if command.is_made_elsewhere():
        return
    model = load_model(tasks=tasks, **options.model_arguments())
    if geometry and not geometry.is_given:
        command.record(geometry.find(model, options, find_surfaces, LookUp))
    layers = PhotoLayers(geometry)
    from relight_cli.relighting import mapping

    def chosen(**more: object) -> mapping.AlbedoOptions:
        return subset(command.options, mapping.AlbedoOptions, fit_shading=save_shading, **more)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress", name: str) -> "AlbedoResult":
        result = mapping.albedo(model, photo, mask.for_photo(photo), chosen(tile_batch=batch), progress)
        return layers.added(result, model, photo, command.options, batch)

    cost = TileCost(
        lambda model, photo, side: mapping.tiles_to_map(model, photo, ALBEDO, chosen(max_side=side)),
        lambda model: model.network.max_side,
        lambda model: mapping.mapping_seconds(model, ALBEDO),
    )
    command.run(model, change, cost, lambda result: [result.shading] if save_shading else [])
