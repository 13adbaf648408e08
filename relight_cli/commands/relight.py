"""relight-cli relight: the light of one photo on others."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.options import PhotoOptions, Photos, accepts

if TYPE_CHECKING:
    from relight_cli.relighting.light_change import Picture, Progress


@accepts(PhotoOptions)
def relight(
    photos: Photos,
    light: Annotated[Path, typer.Option("--light", metavar="REF", help="The photo whose light is wanted.")],
    options: PhotoOptions,
) -> None:
    """Put the light of REF on each PHOTO.

    REF is best the same view in other light; of another size, it is resized to the photo's.
    """
    from relight_cli.devices import choose
    from relight_cli.errors import UsageError
    from relight_cli.jobs.batch import nothing_to_do, run_batch
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.inputs import STANDARD, reads_stdin
    from relight_cli.jobs.memory import Fallback
    from relight_cli.jobs.models import expected_model, load_model, tile_options
    from relight_cli.jobs.planning import plan
    from relight_cli.jobs.provenance import Making
    from relight_cli.jobs.reference import Reference

    notify = notifier(options.quiet)
    if light == STANDARD and reads_stdin(photos):
        raise UsageError("stdin is one thing: name a file for PHOTO or for --light.")
    making = Making("relit", expected_model({}, options), options, {"light": light})
    jobs = plan(photos, "relit", options, notify, [light], settle=lambda job: making.settle(job, notify))
    if nothing_to_do(jobs, making):
        return
    reference = Reference(light, options)
    from relight_cli.relighting.light_change import ChangeOptions, TileOptions, tile_grid
    from relight_cli.relighting.reference import ReferenceLight
    from relight_cli.relighting.reference import relight as relight_picture

    compute = choose(options.device, options.dtype)
    model = load_model({}, options, compute, notify)
    tiling = tile_options(options, compute, model.network.reference_side)
    change = ChangeOptions(options.strength, options.detail)
    reference.wait()
    reference_light = ReferenceLight(model.network, reference.srgb, tiling)

    def tiles(picture: "Picture") -> int:
        grid = tile_grid(model.network, picture, change, tiling)
        return reference_light.tiles_to_encode(grid) + len(grid)

    def work(picture: "Picture", tiling: TileOptions, progress: "Progress") -> "Picture":
        reference_light.tiling = tiling
        return relight_picture(model.network, picture, reference_light, change, tiling, progress)

    run_batch(jobs, replace(making, model=model), work, tiles, Fallback(model, tiling, options))
