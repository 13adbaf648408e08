"""What `relight` needs besides photos and a model to put a light on photos: the light of each, and its record."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import OutputUnwritableError, UsageError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.dry_run import print_line
from relight_cli.jobs.file_names import require_short_name
from relight_cli.jobs.inputs import STDIO, spelling
from relight_cli.jobs.light_source import LightSource
from relight_cli.jobs.planning import require_folders
from relight_cli.jobs.relight_options import RelightCommandOptions
from relight_cli.places.objects import exists
from relight_cli.relighting.options import ReferenceKind

if TYPE_CHECKING:
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.lights.light import Light


class ChosenLights:
    """The light of each photo: the same for all, unless it is that of a place and a time that the photos state."""

    def __init__(self, source: LightSource, notify: Callable[[str], None]) -> None:
        self._source, self._tell, self._told = source, notify, set[str]()
        self.by_path: dict[Path, Light] = {}

    def choose(self, photos: Iterable[Path]) -> None:
        """Find the light of every photo, so that what is missing is known before any work. Raises UsageError."""
        from relight_cli.photos.capture_place import read_facts

        for photo in photos:
            if not self._source.of_photo:
                self.by_path[photo] = self._shared
            elif photo != STDIO:
                self.by_path[photo] = self._source.light(str(photo), read_facts(photo), self._notify)

    def of(self, photo: "Photo", name: str) -> "Light":
        """Return the light of a photo, called `name`, that has been read; notes on files are those of `choose`."""
        from relight_cli.photos.capture_place import facts_of

        if not self._source.of_photo:
            return self._shared
        facts = facts_of(photo.metadata.exif, photo.metadata.xmp)
        if name == str(STDIO):
            return self._source.light("the photo", facts, self._notify)
        return self._source.light("the photo", facts)

    def to_put_on(self, photo: "Photo", name: str, options: RelightCommandOptions) -> tuple["Light", float]:
        """Return the light of a photo, called `name`, and the stops of --exposure that are not in it.

        They are in the exposure of a light, which counts with --no-keep-exposure. That of a light fitted to a photo is
        the brightness of that photo, to which they are added.
        """
        light = self.of(photo, name)
        if light.fitted:
            return _without(options.exposure, light), options.exposure
        return light, 0.0 if options.keep_exposure is False else options.exposure

    def _notify(self, note: str) -> None:
        """Print a note, but only once if it is that of all photos."""
        if note not in self._told:
            self._told.add(note)
            self._tell(note)

    @cached_property
    def _shared(self) -> "Light":
        from relight_cli.photos.capture_place import CaptureFacts

        return self._source.light("", CaptureFacts(), self._notify)


def _without(stops: float, light: "Light") -> "Light":
    return replace(light, exposure=light.exposure - stops)


def recorded_of_reference(options: RelightCommandOptions, networks: Mapping[str, str | None]) -> dict[str, object]:
    """Return what an output records of how the light of its reference photo was taken; `networks` are hashes."""
    more = _recorded(options) | dict(networks)
    given = {name: value for name in ("rotate", "exposure") if (value := getattr(options, name))}
    if given:
        more["light_options"] = given
    if options.reference != ReferenceKind.AUTO:
        more["reference"] = str(options.reference)
    return more


def recorded(
    source: LightSource, options: RelightCommandOptions, networks: Mapping[str, str | None]
) -> dict[str, object]:
    """Return what an output records of its light: what is given, and the hashes of networks besides the model."""
    return source.recorded() | _recorded(options) | dict(networks)


def _recorded(options: RelightCommandOptions) -> dict[str, object]:
    """Return what both kinds of light record."""
    kept = options.keep_exposure
    more: dict[str, object] = {} if kept is None else {"keep_exposure": kept}
    if options.invert_mask:
        more["invert_mask"] = True
    if options.save_shading:
        more["shading"] = True
    return more


def check_save_light(options: RelightCommandOptions, inputs: Iterable[Path]) -> None:
    """Raise UsageError or OutputUnwritableError if the file of --save-light cannot be written."""
    path = options.save_light
    if path is None:
        return
    if any(spelling(path) == spelling(one) for one in inputs):
        raise UsageError(f"{path} is an input and would be overwritten: choose another --save-light.")
    if options.report and spelling(path) == spelling(options.report):
        raise UsageError(f"{path} is the file of --report, too: choose another --save-light.")
    require_short_name(path)
    if exists(path) and not (options.overwrite or options.skip_existing):
        raise OutputUnwritableError(f"{path} exists: give --overwrite, or another --save-light.")
    require_folders([path.parent])


def save_chosen(lights: ChosenLights, options: RelightCommandOptions) -> None:
    """Write the light of --save-light. Raises UsageError if the photos have several.

    With --skip-existing a file that exists stays: it has no record, and is made to be edited.
    """

    path = options.save_light
    if path is None:
        return
    found = list(lights.by_path.values())
    if not found:
        raise UsageError(
            "--save-light cannot know the light of a photo on stdin: give --place, --facing, and --sun-at with a date."
        )
    if any(light != found[0] for light in found):
        raise UsageError("--save-light writes one light, but the photos have several: run them one at a time.")
    light = _without(options.exposure, found[0]) if found[0].fitted else found[0]
    _save_light(light, path, options)


def save_light_of_reference(light: "Light", options: RelightCommandOptions, reference: Path) -> None:
    """Write the light of a reference of another scene to --save-light, turned as it is put on.

    --exposure is added to the brightness of the reference, which is the exposure of the light: it is given again.
    """
    assert options.save_light is not None
    light = light.turned(options.rotate) if options.rotate else light
    name = "a photo on stdin" if reference == STDIO else reference.name
    light = replace(light, origin=f"the light of {name}")
    _save_light(light, options.save_light, options)


def _save_light(light: "Light", path: Path, options: RelightCommandOptions) -> None:
    """Write a light, or say so with --dry-run.

    With --skip-existing a file that exists stays: it has no record, and is made to be edited.
    """
    from relight_cli.jobs.light_files import save_light
    from relight_cli.relighting.lights.look import to_toml

    if options.skip_existing and exists(path):
        if not path.is_file() or path.read_bytes() != to_toml(light).encode():
            notifier(options.quiet)(f"{path}: left as it is, because it holds another light; --overwrite replaces it.")
        return
    if options.dry_run:
        print_line("write", str(path))
        return
    save_light(light, path, overwrite=options.overwrite)
