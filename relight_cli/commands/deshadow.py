"""relight-cli deshadow: photos without cast shadows."""

from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.options import MappingCommandOptions, Photos, subset, with_options

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.mapping import DeshadowResult
    from relight_cli.relighting.options import Progress

MASK = "mask.png"


@with_options(MappingCommandOptions)
def deshadow(
    photos: Photos,
    options: MappingCommandOptions,
    save_mask: Annotated[
        bool,
        typer.Option("--save-mask", help="Also write the shadow to <output>_mask.png: white where it takes all light."),
    ] = False,
) -> None:
    """Remove cast shadows from each PHOTO."""
    from relight_cli.checkpoints.models import expected_model, load_model
    from relight_cli.jobs.masks import check_mask_options
    from relight_cli.jobs.outputs import Outputs
    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.sequences.command import command_for

    check_mask_options(photos, options, save_layer=save_mask)
    expected = expected_model(options.model, ["deshadow"], options.weights_dir)
    unfit = {"--save-mask": save_mask}
    command = command_for(photos, "deshadowed", expected, options, options.mask_files(), unfit=unfit)
    if not command.plan(photos, Outputs(extras=(MASK,) if save_mask else (), possible_extras=(MASK,))):
        return
    mask = command.read_mask(options)
    model = load_model(tasks=["deshadow"], **options.model_arguments())
    from relight_cli.relighting import mapping

    def chosen(**more: object) -> mapping.DeshadowOptions:
        return subset(command.options, mapping.DeshadowOptions, **more)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress", name: str) -> "DeshadowResult":
        return mapping.deshadow(model, photo, mask.for_photo(photo), chosen(tile_batch=batch), progress)

    cost = TileCost(
        lambda model, photo, side: mapping.tiles_to_map(model, photo, mapping.SHADOW, chosen(max_side=side)),
        lambda model: model.network.max_side,
        lambda model: mapping.mapping_seconds(model, mapping.SHADOW),
    )
    command.run(model, change, cost, lambda result: [result.shadow] if save_mask else [])
