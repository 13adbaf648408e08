"""relight-cli relight: the light of one photo on others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.commands._options import PhotoOptions, accepts

if TYPE_CHECKING:
    from relight_cli.pipelines.light_change import Picture, Progress


@accepts(PhotoOptions)
def relight(
    photos: Annotated[list[str], typer.Argument(metavar="PHOTO...", help="Files, folders, globs, or - for stdin.")],
    light: Annotated[Path, typer.Option("--light", metavar="REF", help="The photo whose light is wanted.")],
    options: PhotoOptions,
) -> None:
    """Put the light of REF on each PHOTO.

    REF is best the same view in other light; of another size, it is resized to the photo's.
    """
    from relight_cli.commands._batch import read, run_batch
    from relight_cli.commands._console import notifier
    from relight_cli.commands._files import STANDARD, plan
    from relight_cli.commands._models import load_model
    from relight_cli.devices import choose
    from relight_cli.errors import UsageError
    from relight_cli.pipelines.light_change import ChangeOptions, TileOptions, tile_grid
    from relight_cli.pipelines.relighting import ReferenceLight
    from relight_cli.pipelines.relighting import relight as relight_picture

    notify = notifier(options.quiet)
    if light == STANDARD and "-" in photos:
        raise UsageError("stdin is one picture: name a file for PHOTO or for --light.")
    jobs = plan(photos, "relit", options, notify, also_read=[light])
    compute = choose(options.device, options.dtype)
    reference = read(light, options).to_srgb()
    model = load_model({}, options, compute, notify)
    tiling = TileOptions(
        options.tile_overlap,
        options.tile_batch or compute.tile_batch,
        compute.device,
        options.longest_side(model.network.max_side),
    )
    change = ChangeOptions(options.strength, options.detail)
    reference_light = ReferenceLight(model.network, reference, tiling)

    def tiles(picture: "Picture") -> int:
        grid = tile_grid(model.network, picture, change, tiling)
        return reference_light.tiles_to_encode(grid) + len(grid)

    def work(picture: "Picture", progress: "Progress") -> "Picture":
        return relight_picture(model.network, picture, reference_light, change, tiling, progress)

    run_batch(jobs, "relit", work, tiles, model, options, {"light": str(light)})
