"""Find the files of data sets that belong together."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import PhotoUnreadableError
from relight_cli.evaluation.protocol import Case, Mask, Picture
from relight_cli.photos.formats import format_of
from relight_cli.photos.reading import MAX_PIXELS, read_photo
from relight_cli.rasters.bit_depth import to_unit
from relight_cli.rasters.rows import to_array

SHALLOW = 4  # folders below the data set in which pictures are looked for


def read_picture(path: Path) -> Picture:
    """Return a photo as sRGB. Raises PhotoUnreadableError."""
    return read_photo(path, max_pixels=MAX_PIXELS).to_srgb()


def read_samples(path: Path) -> NDArray[Any]:
    """Return the samples of a photo (H, W, C) as they are stored. Raises PhotoUnreadableError."""
    return to_array(read_photo(path, max_pixels=MAX_PIXELS).pixels)


def read_mask(path: Path) -> NDArray[np.float32]:
    """Return a mask (H, W) in [0, 1]. Raises PhotoUnreadableError."""
    return to_unit(read_samples(path)).mean(axis=2)


def require_same_size(name: Path, pictures: Sequence[Picture | Mask]) -> None:
    """Raise PhotoUnreadableError if pictures that belong together have several sizes."""
    if len({picture.shape[:2] for picture in pictures}) > 1:
        sizes = " and ".join(f"{picture.shape[1]} x {picture.shape[0]}" for picture in pictures)
        raise PhotoUnreadableError(f"{name}: picture and truth are {sizes} pixels; copy the data set again")


def require_light(path: Path, albedo: Picture) -> None:
    """Raise PhotoUnreadableError for a true albedo that is black everywhere: scaled to it, every result is perfect."""
    if not albedo.any():
        raise PhotoUnreadableError(f"{path}: is black everywhere, which is no albedo; copy the data set again")


def folders_named(dataset: Path, names: Sequence[str]) -> list[Path]:
    """Return the folders with one of these names (in any case) in a data set or a few folders below it, sorted."""
    wanted, found, level = {name.lower() for name in names}, [], [dataset]
    for _ in range(SHALLOW):
        level = sorted(child for folder in level for child in folder.iterdir() if child.is_dir())
        found += [folder for folder in level if folder.name.lower() in wanted]
    return found


def pictures_in(folder: Path) -> dict[str, Path]:
    """Return the pictures in a folder by their stems, sorted."""
    found = (path for path in folder.iterdir() if format_of(path) and not path.name.startswith("."))
    return {path.stem: path for path in sorted(found)}


def case_name(dataset: Path, path: Path) -> str:
    """Return the name of a picture: relative to the data set, with forward slashes and without suffix."""
    return path.relative_to(dataset).with_suffix("").as_posix()


def paired_cases(
    dataset: Path,
    inputs: Sequence[str],
    truths: Sequence[str],
    masks: Sequence[str],
    ending: str,
    read: Callable[[Path, Path, Path | None], Any],
) -> list[Case]:
    """Pair the pictures of an input folder with those of the same stem in the folders of truths and masks next to it.

    The stem of a truth may have an `ending` (a regular expression) more. A picture without truth is left out.
    """
    cases = []
    for folder in folders_named(dataset, inputs):
        siblings = {child.name.lower(): child for child in folder.parent.iterdir() if child.is_dir()}
        truth_folder = next((siblings[name] for name in truths if name in siblings), None)
        mask_folder = next((siblings[name] for name in masks if name in siblings), None)
        if truth_folder is None:
            continue
        known = {re.sub(f"({ending})$", "", stem): path for stem, path in pictures_in(truth_folder).items()}
        masked = pictures_in(mask_folder) if mask_folder else {}
        for stem, path in pictures_in(folder).items():
            if stem in known:
                files = (path, known[stem], masked.get(stem))
                cases.append(Case(case_name(dataset, path), path, partial(read, *files)))
    return cases
