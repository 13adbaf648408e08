"""Lights by name: presets, TOML files, environment maps, and mixes of them."""

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from relight_cli.errors import LightUnreadableError, PhotoUnreadableError, UsageError
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.repeated_command import quoted
from relight_cli.paths import is_file, is_folder
from relight_cli.photos.atomic_files import write_atomically
from relight_cli.photos.formats import format_of, frames_remedy
from relight_cli.places.objects import place_of
from relight_cli.relighting.lights.light import Light, mix_lights
from relight_cli.relighting.lights.look import from_toml, to_toml
from relight_cli.videos.names import is_video

SUFFIX = ".toml"
_PRESETS = Path(__file__).parent.parent / "relighting" / "lights" / "presets"
_LARGEST = 1 << 20  # bytes of a TOML file; a light takes less than 2 kB
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-6, 1e6  # of a light in a mix; the colour of a smaller one is lost

Notify = Callable[[str], None]


def preset_names() -> list[str]:
    """Return the names of the presets, sorted."""
    return sorted(path.stem for path in _PRESETS.glob(f"*{SUFFIX}"))


def is_light(name: str) -> bool:
    """Return whether a name is a preset's, or that of a file that holds nothing but light: .toml or .hdr."""
    return name in preset_names() or Path(name).suffix.lower() in (SUFFIX, ".hdr")


def load_light(name: str, notify: Notify = lambda note: None) -> Light:
    """Return the light of a preset, a TOML file or an environment map (any picture that is twice as wide as high).

    `notify` is called with a line for each note. Raises LightUnreadableError, PhotoUnreadableError for a broken
    picture, MissingExtraError, UsageError for a name that is neither a preset nor a file, or a map that is not 2:1.
    """
    path = Path(name)
    refuse_video(name)
    if not is_file(name):
        if name in preset_names():
            path = _PRESETS / f"{name}{SUFFIX}"
        elif is_folder(name) or path.suffix.lower() == SUFFIX or format_of(path):
            reason = "is a folder; name a file in it" if is_folder(name) else "no such file; check the path"
            raise LightUnreadableError(f"{name}: {reason}")
        else:
            near = difflib.get_close_matches(name, preset_names(), 1)
            more = f"did you mean {near[0]}?" if near else "'relight-cli lights list' shows the presets."
            raise UsageError(f"there is no light called {name!r}: it is neither a preset nor a file; {more}")
    if path.suffix.lower() == SUFFIX:
        return from_toml(_read_text(path), name)
    return _light_of_map(path, notify)


def refuse_video(name: str) -> None:
    """Raise UsageError if the name of a light is that of a video."""
    if is_video(Path(name)):
        raise UsageError(
            f"{name} is a video, which is no light: give a preset, a file (.toml, .hdr, .exr), or a frame as the "
            f"reference photo; {frames_remedy(quoted(name))}."
        )


def save_light(light: Light, target: str | Path, *, overwrite: bool = False) -> None:
    """Write a light as TOML, whole or not at all, to a folder that is created. Raises OutputUnwritableError."""
    place = place_of(target)
    make_folder(place.parent)
    write_atomically(place, to_toml(light).encode(), overwrite=overwrite)


def light_paths(spec: str) -> list[Path]:
    """Return the files that the lights of a mix are read from; a preset of the package has none to name."""
    return [Path(name) for name, _ in parse_mix(spec) if is_file(name)]


def load_mix(spec: str, notify: Notify = lambda note: None) -> Light:
    """Return the light of "a.toml", "golden-hour" or "a.toml:0.3,b.toml:0.7": see `parse_mix` and `load_light`."""
    parts = parse_mix(spec)
    lights = [load_light(name, notify) for name, _ in parts]
    weights = [weight for _, weight in parts]
    return lights[0] if weights == [1.0] else mix_lights(lights, weights)


def parse_mix(spec: str) -> list[tuple[str, float]]:
    """Return names and weights (1 where none is given) of "NAME[:WEIGHT],NAME[:WEIGHT]...".

    A name may itself contain commas and colons (C:\\looks\\a.toml) if it is that of a file: the fewest pieces between
    commas that name a preset or an existing file are one name. Raises UsageError for weights out of range.
    """
    pieces = spec.split(",")
    found = []
    while pieces:
        candidates = [_name_and_weight(",".join(pieces[:count])) for count in range(1, len(pieces) + 1)]
        count = next((n for n, (name, _) in enumerate(candidates, 1) if _exists(name)), 1)
        name, weight = candidates[count - 1]
        if not name.strip():
            raise UsageError(f"{spec}: a light has no name; write NAME:WEIGHT,NAME:WEIGHT.")
        if weight != 0 and not _LEAST_WEIGHT <= weight <= _MOST_WEIGHT:
            raise UsageError(
                f"{spec}: the weight {weight:g} is out of range; give 0, or {_LEAST_WEIGHT:f} to {_MOST_WEIGHT:.0f}."
            )
        found.append((name, weight))
        pieces = pieces[count:]
    if not any(weight for _, weight in found):
        raise UsageError(f"{spec}: all weights are 0, which is no light; give one of them more.")
    return found


def _name_and_weight(piece: str) -> tuple[str, float]:
    name, colon, weight = piece.rpartition(":")
    if not colon or _exists(piece):
        return piece, 1.0
    try:
        return name, float(weight)
    except ValueError:
        return piece, 1.0


def _exists(name: str) -> bool:
    return name in preset_names() or is_file(name)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise LightUnreadableError(f"{path}: too large for a light; name a file that 'lights save' wrote")
        return path.read_text(encoding="utf-8-sig")  # editors of Windows write a mark at the start
    except UnicodeDecodeError:
        raise LightUnreadableError(f"{path}: not text in UTF-8; name a file that 'lights save' wrote") from None
    except OSError as error:
        raise LightUnreadableError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _light_of_map(path: Path, notify: Notify) -> Light:
    import numpy as np

    from relight_cli.photos.colour_profiles import LINEAR, srgb_to_profile
    from relight_cli.photos.reading import MAX_PIXELS, read_photo
    from relight_cli.photos.shape import cut_window, is_inside
    from relight_cli.photos.working_space import working_space
    from relight_cli.rasters.bit_depth import to_unit
    from relight_cli.rasters.rows import to_array
    from relight_cli.relighting.lights.environment import light_of_environment

    photo = read_photo(path, working_space=working_space("linear-srgb"))  # that of floats that say nothing
    if photo.metadata.icc == LINEAR and photo.pixels.dtype == np.float32 and photo.pixels.shape[2] == 3:
        radiance = to_array(photo.pixels)
    else:
        radiance = srgb_to_profile(photo.to_srgb(), LINEAR, 3, np.dtype(np.float32))
    if photo.alpha is not None:
        radiance = radiance * to_unit(photo.alpha)[..., None]
    shape = photo.metadata.shape
    if shape and shape.data_window and shape.display_window and shape.data_window != shape.display_window:
        left, top, right, bottom = shape.display_window
        if (right - left + 1) * (bottom - top + 1) > MAX_PIXELS:
            raise PhotoUnreadableError(f"{path}: its display window is too large; crop it to the map")
        radiance = cut_window(radiance, shape.data_window, shape.display_window, 0)
        if not is_inside(shape.display_window, shape.data_window):
            notify(f"{path}: what is outside its data window is taken as black")
    try:
        found = light_of_environment(radiance, clipped=photo.pixels.dtype != np.float32)
    except UsageError as error:
        more = " The light of a photo is saved by 'relight-cli relight PHOTO --light REFERENCE --save-light look.toml'."
        raise PhotoUnreadableError(f"{path}: {error}{more}") from None
    for note in (*photo.notes, *found.notes):
        notify(f"{path}: {note}")
    return replace(found.light, origin=f"environment map {path.name}")
