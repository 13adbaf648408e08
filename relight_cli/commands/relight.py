"""relight-cli relight: the light of one photo, applied to others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.options import Photos, RelightCommandOptions, subset, with_options

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.options import Progress
    from relight_cli.relighting.relight import RelightResult


@with_options(RelightCommandOptions)
def relight(
    photos: Photos,
    light: Annotated[Path, typer.Option("--light", metavar="REF", help="Reference photo whose light to apply.")],
    options: RelightCommandOptions,
) -> None:
    """Apply the light of REF to each PHOTO.

    REF shows the same view in other light, perhaps from a little elsewhere. The command finds out and says which it is;
    --reference overrules it.
    """
    from relight_cli.checkpoints.models import expected_model, load_model
    from relight_cli.errors import UsageError
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.inputs import STDIO, reads_stdin
    from relight_cli.jobs.masks import MaskFile, check_mask_options
    from relight_cli.jobs.photo_command import PhotoCommand
    from relight_cli.jobs.reference import ReferencePhoto
    from relight_cli.jobs.time_budget import TileCost

    if light == STDIO and reads_stdin(photos):
        raise UsageError("stdin cannot be both PHOTO and --light: name a file for one of them.")
    if light == options.mask == STDIO:
        raise UsageError("stdin cannot be both --light and --mask: name a file for one of them.")
    check_mask_options(photos, options)
    expected = expected_model(options.model, ["relight"], options.weights_dir)
    command = PhotoCommand("relit", expected, options, {"light": light, **options.mask_files()})
    if not command.plan(photos):
        return
    mask = MaskFile.read(options)
    reference = ReferencePhoto(light, options)
    model = load_model(tasks=["relight"], **options.model_arguments())
    reference.wait()
    from relight_cli.relighting import relight as relighting

    reference_light = relighting.ReferenceLight(reference.photo)

    def chosen(**more: object) -> relighting.RelightOptions:
        return subset(command.options, relighting.RelightOptions, **more)

    notify = notifier(options.quiet)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress") -> "RelightResult":
        return relighting.relight(
            model,
            photo,
            reference_light,
            chosen(tile_batch=batch),
            progress,
            mask=mask.for_photo(photo),
            notify=lambda note: notify(f"{light}: {note}"),
        )

    cost = TileCost(
        lambda model, photo, side: relighting.tiles_to_relight(model, photo, chosen(max_side=side)),
        lambda model: model.network.reference_side,
        relighting.relighting_seconds,
    )
    command.run(model, change, cost)
