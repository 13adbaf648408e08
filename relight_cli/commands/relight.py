"""relight-cli relight: other light on photos, from a reference photo, a preset, words, a map, or a place and a time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.options import LightCommandOptions, Photos, subset, with_options
from relight_cli.jobs.relight_options import MAPPERS, RelightCommandOptions

if TYPE_CHECKING:
    from relight_cli.jobs.light_source import LightSource
    from relight_cli.jobs.photo_geometry import GeometrySource
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.lit_photo import PutOnResult
    from relight_cli.relighting.options import Progress
    from relight_cli.relighting.relight import RelightResult

SHADING = "shading.deep"  # .tif for a TIFF, else .png


@with_options(RelightCommandOptions)
def relight(
    photos: Photos,
    options: RelightCommandOptions,
    light: Annotated[
        str | None,
        typer.Option(
            "--light",
            metavar="REF|LIGHT",
            help="Reference photo, best of the same view; or a light: a preset (golden-hour), look.toml, an "
            "environment map (.hdr, .exr), or a mix (a.toml:0.3,b.toml:0.7).",
        ),
    ] = None,
) -> None:
    """Put another light on each PHOTO.

    Golden hour from the left:

    relight-cli relight photo.jpg --light golden-hour

    The light is that of a reference photo, a preset ('relight-cli lights list'), a file, words (--sun left,35), or a
    place and a time (--sun-at 19:30 --place 48.14,11.58 --facing SW). A range of times (06:00..21:00) with --frames
    makes a timelapse. The command finds out and says whether a reference shows the same view or another scene;
    --reference overrules it.
    """
    from relight_cli.errors import UsageError
    from relight_cli.jobs.inputs import STDIO, reads_stdin
    from relight_cli.jobs.light_options import LightOptions
    from relight_cli.jobs.light_source import LightSource, names_light
    from relight_cli.jobs.masks import check_mask_options

    check_mask_options(photos, options, save_layer=options.save_shading)
    source = LightSource(light, subset(options, LightOptions), options.date)
    source.check()
    if light is not None and not names_light(light):
        if Path(light) == STDIO and reads_stdin(photos):
            raise UsageError("stdin cannot be both PHOTO and --light: name a file for one of them.")
        if Path(light) == options.mask == STDIO:
            raise UsageError("stdin cannot be both --light and --mask: name a file for one of them.")
        options.check_reference()
        _relight_by_reference(photos, Path(light), options)
        return
    options.check()
    if options.is_timelapse:
        _move_sun(photos, source, options)
    else:
        _put_on(photos, source, options)


def _relight_by_reference(photos: list[str], light: Path, options: RelightCommandOptions) -> None:
    from relight_cli.checkpoints.models import expected_model, load_model
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.masks import MaskFile
    from relight_cli.jobs.photo_command import PhotoCommand
    from relight_cli.jobs.put_on import recorded_of_reference
    from relight_cli.jobs.reference import ReferencePhoto
    from relight_cli.jobs.time_budget import TileCost

    plain = subset(options, LightCommandOptions)
    expected = expected_model(options.model, options.tasks, options.weights_dir)
    files = {"light": light, **options.mask_files()}
    command = PhotoCommand("relit", expected, plain, files, recorded_of_reference(options))
    if not command.plan(photos):
        return
    mask, geometry = MaskFile.read(options), _geometry(options)
    reference = ReferencePhoto(light, options)
    model = load_model(tasks=options.tasks, **options.model_arguments())
    reference.wait()
    from relight_cli.relighting import relight as relighting

    reference_light = relighting.ReferenceLight(reference.photo)

    def chosen(**more: object) -> relighting.RelightOptions:
        return subset(command.options, relighting.RelightOptions, reference=options.reference, **more)

    notify = notifier(options.quiet)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress") -> "RelightResult":
        return relighting.relight(
            model,
            photo,
            reference_light,
            chosen(tile_batch=batch),
            progress,
            mask.for_photo(photo),
            lambda note: notify(f"{light}: {note}"),
            geometry.of,
        )

    cost = TileCost(
        lambda model, photo, side: relighting.tiles_to_relight(model, photo, chosen(max_side=side)),
        lambda model: model.network.reference_side,
        relighting.relighting_seconds,
    )
    command.run(model, change, cost)


def _put_on(photos: list[str], source: "LightSource", options: RelightCommandOptions) -> None:
    """Put a light that is no photo on each photo; everything is checked before a model is loaded."""
    from relight_cli.checkpoints.models import expected_model, load_model
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.masks import MaskFile
    from relight_cli.jobs.outputs import Outputs
    from relight_cli.jobs.photo_command import PhotoCommand
    from relight_cli.jobs.put_on import ChosenLights, check_save_light, recorded, save_chosen
    from relight_cli.jobs.time_budget import TileCost

    extras = (SHADING,) if options.save_shading else ()
    command = PhotoCommand(
        "relit",
        expected_model(options.model, MAPPERS, options.weights_dir),
        subset(options, LightCommandOptions),
        source.files | ({"depth": options.depth} if options.depth else {}) | options.mask_files(),
        recorded(source, options, _geometry_identity(options)),
    )
    check_save_light(options, command.files.values())
    lights = ChosenLights(source, notifier(options.quiet))
    if not command.plan(photos, Outputs(extras=extras, possible_extras=(SHADING,))):
        return
    lights.choose([job.source for job in command.jobs if not job.skip])
    save_chosen(lights, options)
    mask, geometry = MaskFile.read(options), _geometry(options)
    model = load_model(tasks=MAPPERS, **options.model_arguments())
    from relight_cli.relighting import lit_photo
    from relight_cli.relighting.mapping import SHADOW, mapping_seconds

    def chosen(**more: object) -> lit_photo.PutOnOptions:
        own = {"keep_exposure": options.keep_exposure, "exposure": options.exposure if options.keep_exposure else 0.0}
        return subset(command.options, lit_photo.PutOnOptions, **own, **more)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress") -> "PutOnResult":
        own_options, own_mask = chosen(tile_batch=batch), mask.for_photo(photo)
        light = lights.of(photo)
        return lit_photo.put_on(model, photo, light, geometry.of(photo), own_mask, own_options, progress)

    cost = TileCost(
        lambda model, photo, side: lit_photo.tiles_to_put_on(model, photo, chosen(max_side=side)),
        lambda model: lit_photo.SIDE,
        lambda model: mapping_seconds(model, SHADOW),
    )
    command.run(model, change, cost, lambda result: [result.shading] if options.save_shading else [])


def _move_sun(photos: list[str], source: "LightSource", options: RelightCommandOptions) -> None:
    """Make a timelapse of a moving sun from one photo."""
    from relight_cli.checkpoints.models import expected_model, load_model
    from relight_cli.jobs.masks import MaskFile
    from relight_cli.jobs.put_on import recorded
    from relight_cli.timelapse.moving_sun import MovingSun

    expected = expected_model(options.model, MAPPERS, options.weights_dir)
    run = MovingSun.plan(photos, source, options, expected, recorded(source, options, _geometry_identity(options)))
    if run.is_finished():
        return
    mask, geometry = MaskFile.read(options), _geometry(options)
    run.run(load_model(tasks=MAPPERS, **options.model_arguments()), geometry, mask)


def _geometry(options: RelightCommandOptions) -> "GeometrySource":
    from relight_cli.checkpoints.geometry import load_geometry
    from relight_cli.devices import choose
    from relight_cli.jobs.photo_geometry import GeometrySource

    device = choose(options.device, options.dtype).device
    return GeometrySource(options.depth, lambda: load_geometry(device=device), device, options.max_pixels)


def _geometry_identity(options: RelightCommandOptions) -> str | None:
    """Return the hash of the geometry network; None where a depth map is given."""
    from relight_cli.checkpoints.geometry import geometry_sha256

    return None if options.depth else geometry_sha256()
