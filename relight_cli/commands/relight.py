"""relight-cli relight: other light on photos, from a reference photo, a preset, words, a map, or a place and a time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.option_types import Photos
from relight_cli.jobs.options import LightCommandOptions, subset, with_options
from relight_cli.jobs.relight_options import MAPPERS, RelightCommandOptions
from relight_cli.models.interface import SHADOW

if TYPE_CHECKING:
    from relight_cli.checkpoints.networks import Networks
    from relight_cli.jobs.light_source import LightSource
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
    from relight_cli.jobs.engines.engine_options import refuse_ray
    from relight_cli.jobs.inputs import STDIO, reads_stdin
    from relight_cli.jobs.light_options import LightOptions
    from relight_cli.jobs.light_source import LightSource, file_named, names_light, place_named
    from relight_cli.jobs.masks import check_mask_options

    check_mask_options(photos, options, save_layer=options.save_shading)
    if options.save_light:
        refuse_ray(options, "--save-light is one file: make it by a run without")
    reference = place_named(light)
    light = None if light is None else file_named(reference, light)
    source = LightSource(light, subset(options, LightOptions), options.date)
    source.check()
    if reference is not None and not names_light(light):
        if reference == STDIO and reads_stdin(photos):
            raise UsageError("stdin cannot be both PHOTO and --light: name a file for one of them.")
        if reference == options.mask == STDIO:
            raise UsageError("stdin cannot be both --light and --mask: name a file for one of them.")
        options.check_reference()
        _relight_by_reference(photos, reference, options)
        return
    options.check()
    if options.is_timelapse:
        _move_sun(photos, source, options)
    else:
        _put_on(photos, source, options)


def _relight_by_reference(photos: list[str], light: Path, options: RelightCommandOptions) -> None:
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.photo_geometry import GeometrySource
    from relight_cli.jobs.photo_layers import PhotoLayers, tasks_with_layers
    from relight_cli.jobs.put_on import check_save_light, recorded_of_reference, save_light_of_reference
    from relight_cli.jobs.reference import ReferencePhoto
    from relight_cli.jobs.reference_notes import ReferenceNotes
    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.sequences.command import command_for

    plain = subset(options, LightCommandOptions)
    tasks = tasks_with_layers("relight", options)
    networks = _networks(options)
    files = {"light": light, **options.depth_file(), **options.mask_files(), **options.config_files()}
    recorded = recorded_of_reference(options, _recorded_networks(options, networks))
    command = command_for(
        photos, "relit", networks.expected_model(tasks), plain, files, recorded, options.unfit_for_videos()
    )
    check_save_light(options, files.values())
    extras = (SHADING,) if options.save_shading else ()
    if not command.plan(photos, options.outputs(extras, (SHADING,))):
        return
    mask, geometry = command.read_mask(options), GeometrySource.of_command(options.depth, options, networks)
    reference = ReferencePhoto(light, options)
    if command.is_made_elsewhere(reference.wait):
        return
    model = networks.load_model(tasks)
    if _estimates_surfaces(options):
        command.record(geometry.find(model, networks))
    layers = PhotoLayers(geometry if options.layers is not None else None)
    reference.wait()
    for note in reference.notes():
        notifier(options.quiet)(note)
    from relight_cli.relighting import relight as relighting
    from relight_cli.relighting.relight_cost import RelightCost

    reference_light = relighting.ReferenceLight(reference.photo, geometry.estimated, networks.with_mappers, str(light))
    if options.save_light:
        mapping_model = reference_light.mapping_model(model)
        save_light_of_reference(reference_light.scene_light(mapping_model, geometry.of), options, light)

    def chosen(**more: object) -> relighting.RelightOptions:
        own = {"keep_exposure": bool(options.keep_exposure), "exposure": options.exposure, "rotate": options.rotate}
        return subset(command.options, relighting.RelightOptions, reference=options.reference, **own, **more)

    notes = ReferenceNotes(str(light), notifier(options.quiet), options)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress", name: str) -> "RelightResult":
        own_options, own_mask = chosen(tile_batch=batch), mask.for_photo(photo)
        result = relighting.relight(
            model, photo, reference_light, own_options, progress, own_mask, notes.of(name), geometry.of
        )
        return layers.added(result, model, photo, command.options, batch)

    spent = RelightCost(reference_light, chosen)
    cost = TileCost(spent.tiles, lambda model: model.network.reference_side, spent.seconds)
    try:
        command.run(model, change, cost, lambda result: [result.shading] if result.shading and extras else [])
    finally:
        notes.finish()


def _put_on(photos: list[str], source: "LightSource", options: RelightCommandOptions) -> None:
    """Put a light that is no photo on each photo; everything is checked before a model is loaded."""
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.photo_geometry import GeometrySource
    from relight_cli.jobs.photo_layers import PhotoLayers
    from relight_cli.jobs.put_on import ChosenLights, check_save_light, recorded, save_chosen
    from relight_cli.jobs.time_budget import TileCost
    from relight_cli.sequences.command import command_for

    networks = _networks(options)
    extras = (SHADING,) if options.save_shading else ()
    command = command_for(
        photos,
        "relit",
        networks.expected_model(MAPPERS),
        subset(options, LightCommandOptions),
        source.files | options.depth_file() | options.mask_files() | options.config_files(),
        recorded(source, options, networks.expected_surfaces(estimated=not options.depth)),
        options.unfit_for_videos(),
    )
    check_save_light(options, command.files.values())
    lights = ChosenLights(source, notifier(options.quiet))
    if not command.plan(photos, options.outputs(extras, (SHADING,))):
        return
    lights.choose([job.source for job in command.jobs if not job.skip])
    save_chosen(lights, options)
    mask, geometry = command.read_mask(options), GeometrySource.of_command(options.depth, options, networks)
    if command.is_made_elsewhere():
        return
    model = networks.load_model(MAPPERS)
    if not options.depth:
        command.record(geometry.find(model, networks))
    layers = PhotoLayers(geometry if options.layers is not None else None)
    from relight_cli.relighting import lit_photo
    from relight_cli.relighting.mapping import mapping_seconds

    def chosen(**more: object) -> lit_photo.PutOnOptions:
        return subset(command.options, lit_photo.PutOnOptions, keep_exposure=options.keep_exposure, **more)

    def change(model: "Model", batch: int, photo: "Photo", progress: "Progress", name: str) -> "PutOnResult":
        light, exposure = lights.to_put_on(photo, name, options)
        own_options, own_mask = chosen(tile_batch=batch, exposure=exposure), mask.for_photo(photo)
        result = lit_photo.put_on(model, photo, light, geometry.of(photo), own_mask, own_options, progress)
        return layers.added(result, model, photo, command.options, batch)

    cost = TileCost(
        lambda model, photo, side: lit_photo.tiles_to_put_on(model, photo, chosen(max_side=side)),
        lambda model: lit_photo.SIDE,
        lambda model, photo: mapping_seconds(model, SHADOW),
    )
    command.run(
        model,
        change,
        cost,
        lambda result: [result.shading] if options.save_shading else [],
        lambda result: result.light,
    )


def _move_sun(photos: list[str], source: "LightSource", options: RelightCommandOptions) -> None:
    """Make a timelapse of a moving sun from one photo."""
    from relight_cli.jobs.masks import MaskFile
    from relight_cli.jobs.photo_geometry import GeometrySource
    from relight_cli.jobs.put_on import recorded
    from relight_cli.timelapse.moving_sun import MovingSun

    networks = _networks(options)
    more = recorded(source, options, networks.expected_surfaces(estimated=not options.depth))
    run = MovingSun.plan(photos, source, options, networks.expected_model(MAPPERS), more)
    if run.is_finished():
        return
    mask, geometry = MaskFile.read(options), GeometrySource.of_command(options.depth, options, networks)
    model = networks.load_model(MAPPERS)
    if not options.depth:
        run.record(geometry.find(model, networks))
    run.run(model, geometry, mask)


def _networks(options: RelightCommandOptions) -> "Networks":
    from relight_cli.checkpoints.networks import Networks

    return Networks.of(**options.model_arguments())


def _recorded_networks(options: RelightCommandOptions, networks: "Networks") -> dict[str, str | None]:
    """Return the hashes of the networks besides the model that the light of a reference may need."""
    from relight_cli.checkpoints.same_view import same_view_sha256

    shows = options.may_show_surfaces or options.layers is not None
    found = networks.expected_surfaces(estimated=_estimates_surfaces(options)) if shows else {}
    return found | ({"same_view": same_view_sha256()} if options.may_be_same_view else {})


def _estimates_surfaces(options: RelightCommandOptions) -> bool:
    """Return whether the light of a reference, or --layers, may need a network that estimates surfaces."""
    return options.may_show_surfaces or (options.layers is not None and not options.depth)
