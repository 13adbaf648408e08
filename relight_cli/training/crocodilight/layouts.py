"""Folders of pictures in the layouts of well-known sets, read as scenes: pictures of one view and its truth."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.formats import format_of

MASK = re.compile(r"(^|[_\W])masks?([_\W]|$)", re.IGNORECASE)
ALBEDO = re.compile(r"[_-]?(albedo|reflectance)$", re.IGNORECASE)
IMAGE = re.compile(r"[_-]?(image|images|rgb|input|photo|diffuse|mlt)$", re.IGNORECASE)
FREE = re.compile(r"[_-]?(no_shadow|free|shadow_free|gt)$", re.IGNORECASE)
# The folders of shadowed and of shadow-free pictures: ISTD and ISTD+, SRD, WSRD and WSRD+
TRIPLETS = (
    ("train_A", "train_C"),
    ("train_A", "train_C_fixed_official"),
    ("test_A", "test_C"),
    ("test_A", "test_C_fixed_official"),
    ("shadow", "shadow_free"),
    ("input", "target"),
    ("input", "gt"),
    ("train_input", "train_gt"),
)
ALBEDO_FOLDERS = tuple(
    (picture, truth)
    for picture in ("image", "images", "rgb", "input", "clean", "final")
    for truth in ("albedo", "reflectance")
)


@dataclass(frozen=True)
class Source:
    """A picture: a file, or the product of some layers of a rendered view."""

    path: Path
    view: int = -1  # of a file of rendered views
    layers: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Name the picture as a message does."""
        return f"{self.path} (view {self.view}, layers {self.layers})" if self.layers else str(self.path)


@dataclass(frozen=True)
class Scene:
    """One view. `free` has one picture for each light, or one for all."""

    name: str
    lights: tuple[Source, ...]
    free: tuple[Source, ...] = ()  # without cast shadows
    albedo: Source | None = None

    @property
    def pictures(self) -> tuple[Source, ...]:
        """All pictures, each once."""
        return tuple(dict.fromkeys((*self.lights, *self.free, *((self.albedo,) if self.albedo else ()))))


def read_scenes(folder: Path, layout: str = "auto") -> tuple[str, list[Scene]]:
    """Return the layout and the scenes of a folder, sorted by name.

    Raises PhotoUnreadableError for a folder that has no scene in the layout, or cannot be listed.
    """
    if not folder.is_dir():
        raise PhotoUnreadableError(f"{folder}: no such folder; check the path")
    wanted = LAYOUTS if layout == "auto" else {layout: LAYOUTS[layout]}
    try:
        for name, read in wanted.items():
            if scenes := sorted(read(folder), key=lambda scene: scene.name):
                return name, scenes
    except OSError as error:
        place = error.filename or folder
        raise PhotoUnreadableError(f"{place}: cannot be listed ({error.strerror}); check its permissions") from error
    kind = "any layout" if layout == "auto" else f"the layout {layout}"
    raise PhotoUnreadableError(f"{folder}: holds no scene in {kind}; see docs/training.md for the layouts")


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, sorted, without masks."""
    return [path for path in _files_in(folder) if not MASK.search(path.stem)]


def all_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder and of all folders in it, masks too."""
    return [path for place in _folders(folder) for path in _files_in(place)]


def _files_in(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.is_file() and format_of(path))
    return sorted(path for path in found if not path.name.startswith("."))


def _folders(top: Path) -> Iterable[Path]:
    """Yield the folder and all folders in it, without hidden ones."""
    yield top
    for path in sorted(top.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield from _folders(path)


def _sources(paths: Iterable[Path]) -> tuple[Source, ...]:
    return tuple(Source(path) for path in paths)


def _name(path: Path, top: Path) -> str:
    return path.relative_to(top).as_posix() if path != top else path.name


def read_views(folder: Path) -> list[Scene]:
    """Read views that `relight_cli.training.views` rendered: albedo, L shadings, L shadings without cast shadows."""
    scenes = []
    for path in sorted(folder.glob("*.npy")):
        try:
            shape = np.load(path, mmap_mode="r").shape
        except (OSError, ValueError) as error:
            raise PhotoUnreadableError(f"{path}: is no file of rendered views ({error}); render it again") from error
        if len(shape) != 5 or shape[1] < 3 or shape[1] % 2 == 0 or shape[2] != 3:
            raise PhotoUnreadableError(f"{path}: is no file of rendered views, its shape is {shape}; remove it")
        lights = shape[1] // 2
        for view in range(shape[0]):
            lit, free = (
                tuple(Source(path, view, (0, 1 + first + light)) for light in range(lights)) for first in (0, lights)
            )
            scenes.append(Scene(f"{path.stem}/{view:03d}", lit, free, Source(path, view, (0,))))
    return scenes


def read_mit(folder: Path) -> list[Scene]:
    """Read MIT multi-illumination (Murmann et al., ICCV 2019): SCENE/dir_K_*.jpg or .exr; probes are left out."""
    scenes = []
    for place in _folders(folder):
        found = [path for path in pictures_in(place) if re.match(r"dir_\d+(_|\.)", path.name)]
        if place.name != "probes" and len(found) > 1:
            one_kind = [path for path in found if path.suffix == found[0].suffix]
            scenes.append(Scene(_name(place, folder), _sources(one_kind)))
    return scenes


def read_bigtime(folder: Path) -> list[Scene]:
    """Read BigTime (Li and Snavely, CVPR 2018): SCENE/data/*.jpg, with SCENE a number."""
    return [
        Scene(place.parent.name, _sources(found))
        for place in _folders(folder)
        if place.name == "data" and place.parent.name.isdigit() and len(found := pictures_in(place)) > 1
    ]


def read_triplets(folder: Path) -> list[Scene]:
    """Read folders of shadowed and of shadow-free pictures, as ISTD, ISTD+, SRD, WSRD and WSRD+ have them."""

    def pair(name: str, shadowed: Path, free: Path) -> Scene:
        return Scene(name, _sources((shadowed, free)), _sources((free,)))

    return _paired(folder, TRIPLETS, FREE, pair)


def read_albedo(folder: Path) -> list[Scene]:
    """Read pictures with albedo: in folders `image` and `albedo`, or as NAME_image.png and NAME_albedo.png."""

    def pair(name: str, picture: Path, albedo: Path) -> Scene:
        return Scene(name, _sources((picture,)), albedo=Source(albedo))

    if scenes := _paired(folder, ALBEDO_FOLDERS, ALBEDO, pair):
        return scenes
    for place in _folders(folder):
        groups: dict[str, dict[bool, list[Path]]] = defaultdict(lambda: {True: [], False: []})
        for path in pictures_in(place):
            is_albedo = bool(ALBEDO.search(path.stem))
            groups[IMAGE.sub("", ALBEDO.sub("", path.stem))][is_albedo].append(path)
        for key, found in groups.items():
            if found[True] and found[False]:
                scenes.append(
                    Scene(f"{_name(place, folder)}/{key}", _sources(found[False]), albedo=Source(found[True][0]))
                )
    return scenes


def _paired(
    folder: Path, names: Sequence[tuple[str, str]], ending: re.Pattern[str], pair: Callable[[str, Path, Path], Scene]
) -> list[Scene]:
    """Pair the pictures of two folders next to each other by their names, of which the second's may have an ending."""
    scenes = []
    for place in _folders(folder):
        inside = {path.name.lower(): path for path in place.iterdir() if path.is_dir()}
        for first, second in names:
            one, other = inside.get(first.lower()), inside.get(second.lower())
            if one and other:
                truth = {ending.sub("", path.stem): path for path in pictures_in(other)}
                for path in pictures_in(one):
                    if path.stem in truth:
                        scenes.append(pair(_name(path.with_suffix(""), folder), path, truth[path.stem]))
                break
    return scenes


def read_lights(folder: Path) -> list[Scene]:
    """Read folders of pictures of one view: SCENE/*.jpg, at least two."""
    return [
        Scene(_name(place, folder), _sources(found))
        for place in _folders(folder)
        if len(found := pictures_in(place)) > 1
    ]


def read_photos(folder: Path) -> list[Scene]:
    """Read pictures that have nothing to do with each other, in any folders."""
    return [Scene(_name(path, folder), _sources((path,))) for place in _folders(folder) for path in pictures_in(place)]


# In the order in which "auto" tries them; "photos", which fits any folder, only by name.
LAYOUTS = {
    "views": read_views,
    "mit": read_mit,
    "bigtime": read_bigtime,
    "triplets": read_triplets,
    "albedo": read_albedo,
    "lights": read_lights,
    "photos": read_photos,
}
