"""Measured Albedo in the Wild (Wu et al., ICCP 2023).

Layout: images_png/SCENE/NAME.png and labels/meta.csv, a table without header, separated by tabs, with the measured
colours (.npy, linear Adobe RGB, one row a region), the mask (a number for each region, 0: none), scene and name in
its first four columns.
Size: the result, as 8-bit sRGB, at 320 x 240 (bilinear without aliasing), the mask at 320 x 240 (nearest).
Colours: linear sRGB; a region's colour is the median of each colour over its pixels. (The data set's own script
removes outliers before the median.)
Score: intensity, the squared error of means of red, green and blue after one scale for the picture, times 100;
chromaticity, CIEDE2000 after a scale for each region that makes those means equal; regions weigh by their pixels.
Mean: over pictures.
"""

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relight_cli.errors import PhotoUnreadableError, one_line
from relight_cli.evaluation.intrinsic_metrics import measured_errors, region_medians
from relight_cli.evaluation.layouts import read_picture, read_samples
from relight_cli.evaluation.protocol import WHOLE, Case, Parts, Picture, Protocol, in_8_bits
from relight_cli.relighting.layers import to_linear

SIZE = (320, 240)  # width, height
# Linear Adobe RGB (1998) to linear sRGB, both of D65: from their primaries.
ADOBE_TO_SRGB = np.array([[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]])


@dataclass(frozen=True)
class MeasuredPicture:
    """A picture with the measured albedo of some regions."""

    name: str
    picture: Picture
    labels: NDArray[Any]  # (240, 320), the region's number; 0: none
    colours: dict[int, NDArray[np.float64]]  # by number: linear sRGB


def find(dataset: Path) -> list[Case]:
    """Return the pictures of the table."""
    table = dataset / "labels" / "meta.csv"
    if not table.is_file():
        return []
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter="\t") if len(row) >= 4]
    except (UnicodeDecodeError, csv.Error) as error:
        raise PhotoUnreadableError(f"{table}: is no table ({one_line(error)}); copy the data set again") from error
    cases = []
    for colours, mask, scene, name, *_ in rows:
        path = dataset / "images_png" / scene / f"{name}.png"
        files = (path, table.parent / mask, table.parent / colours)
        cases.append(Case(f"{scene}/{name}", path, partial(read, *files)))
    return cases


def read(path: Path, mask: Path, colours: Path) -> MeasuredPicture:
    """Read a picture, its regions and their colours."""
    try:
        measured = np.asarray(np.load(colours, allow_pickle=False), np.float64).reshape(-1, 3) @ ADOBE_TO_SRGB.T
    except (OSError, ValueError, EOFError) as error:
        raise PhotoUnreadableError(f"{colours}: cannot be read ({one_line(error)}); copy the data set again") from error
    labels = read_samples(mask)[..., 0]
    numbers = [number for number in np.unique(labels) if number]
    if len(numbers) != len(measured):
        reason = f"has {len(numbers)} regions, and {colours.name} {len(measured)} colours"
        raise PhotoUnreadableError(f"{mask}: {reason}; copy the data set again")
    small = np.asarray(Image.fromarray(labels).resize(SIZE, Image.Resampling.NEAREST))
    kept = {int(n): colour for n, colour in zip(numbers, measured, strict=True) if (small == n).any()}
    if not kept:
        raise PhotoUnreadableError(f"{mask}: has no region; copy the data set again")
    return MeasuredPicture(path.stem, read_picture(path), small, kept)


def score(sample: MeasuredPicture, result: Picture) -> Parts:
    """Return the scores of a result, of any size."""
    whole = Image.fromarray(np.rint(in_8_bits(result) * 255).astype(np.uint8)).resize(SIZE, Image.Resampling.BILINEAR)
    reflectance = to_linear(np.asarray(whole, np.float32) / np.float32(255))
    intensity, chromaticity = measured_errors(
        region_medians(reflectance, sample.labels, list(sample.colours)),
        np.array(list(sample.colours.values())),
        [int((sample.labels == number).sum()) for number in sample.colours],
    )
    return {WHOLE: {"intensity": intensity, "chromaticity": chromaticity}}


PROTOCOL = Protocol("maw", "albedo", "images_png/SCENE/NAME.png, labels/meta.csv", find, score, __doc__)
