"""A look at folders of pairs before a training: scenes, sizes, and pictures of one view that are not aligned."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import PhotoUnreadableError
from relight_cli.rasters.bit_depth import to_unit
from relight_cli.relighting.registration import Registration, register
from relight_cli.training.crocodilight.data import Found
from relight_cli.training.crocodilight.layouts import Scene, Source, all_pictures
from relight_cli.training.crocodilight.samples import Pictures

SIDE = 512  # longer side of the copies that are registered
ALLOWED = 2.0  # pixels of such a copy; features agree within 3, and their homography within less than 1
PLACES = np.stack(np.meshgrid(np.linspace(0.1, 0.9, 5), np.linspace(0.1, 0.9, 5)), -1).reshape(1, -1, 2)
SURE, FRAME = 0.3, 0.25  # the response of a phase correlation that is believed; share of a side it may find


@dataclass
class Report:
    """What was found in a folder."""

    folder: str
    layout: str
    scenes: int
    pictures: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # width, height
    unreadable: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)  # pairs of different sizes
    misaligned: list[tuple[str, float]] = field(default_factory=list)  # pairs, and the error in their own pixels
    errors: list[float] = field(default_factory=list)  # of all pairs that could be registered, in pixels
    unknown: int = 0  # pairs that could not be registered
    left_out: list[str] = field(default_factory=list)  # pictures in no scene, such as masks and those without partner

    @property
    def faults(self) -> int:
        """The number of things that should be corrected."""
        return len(self.unreadable) + len(self.unequal) + len(self.misaligned)

    def lines(self) -> Iterator[str]:
        """Yield the report for people."""
        yield f"{self.folder}: layout {self.layout}, {self.scenes} scenes, {self.pictures} pictures"
        for (width, height), count in self.sizes.most_common(5):
            yield f"  {width} x {height}: {count}"
        if len(self.sizes) > 5:
            yield f"  {len(self.sizes) - 5} other sizes"
        if self.errors:
            middle, most = np.median(self.errors), max(self.errors)
            yield f"  registration error: median {middle:.1f}, largest {most:.1f} pixels, of {len(self.errors)} pairs"
        if self.unknown:
            yield f"  {self.unknown} pairs could not be registered: too little in them agrees"
        if self.left_out:
            yield f"  {len(self.left_out)} pictures are in no scene, for instance {self.left_out[0]}"
        yield from (f"  unreadable: {line}" for line in self.unreadable)
        yield from (f"  different sizes: {line}" for line in self.unequal)
        yield from (f"  misaligned by {error:.1f} pixels: {line}" for line, error in self.misaligned)

    def facts(self) -> dict[str, object]:
        """Return the report for programs."""
        return {
            "folder": self.folder,
            "layout": self.layout,
            "scenes": self.scenes,
            "pictures": self.pictures,
            "sizes": [{"width": w, "height": h, "pictures": n} for (w, h), n in self.sizes.most_common()],
            "left_out": self.left_out,
            "unreadable": self.unreadable,
            "different_sizes": self.unequal,
            "registered": len(self.errors),
            "not_registered": self.unknown,
            "median_error": float(np.median(self.errors)) if self.errors else None,
            "misaligned": [{"pair": pair, "pixels": round(error, 2)} for pair, error in self.misaligned],
        }


def check(found: Found) -> Report:
    """Read every picture of a folder once and register those of each scene to its first."""
    report = Report(str(found.pairs.folder), found.layout, len(found.scenes))
    used = {source.path for scene in found.scenes for source in scene.pictures}
    report.left_out = [str(path) for path in all_pictures(found.pairs.folder) if path not in used]
    pictures = Pictures(0)
    for scene in found.scenes:
        _check_scene(scene, report, pictures, together=found.layout != "photos")
    return report


def _check_scene(scene: Scene, report: Report, pictures: Pictures, *, together: bool) -> None:
    first: tuple[Source, NDArray] | None = None
    for source in scene.pictures:
        report.pictures += 1
        try:
            picture = pictures.read(source)
        except PhotoUnreadableError as error:
            report.unreadable.append(str(error))
            continue
        report.sizes[picture.shape[1], picture.shape[0]] += 1
        if first is None or not together:
            first = source, picture
        elif picture.shape != first[1].shape:
            report.unequal.append(f"{first[0]} and {source}")
        elif not source.layers:  # a view is rendered once for all its lights
            _register(f"{first[0]} and {source}", first[1], picture, report)


def _register(pair: str, first: NDArray, second: NDArray, report: Report) -> None:
    error = registration_error(first, second)
    if error is None:
        report.unknown += 1
        return
    report.errors.append(error)
    if error > ALLOWED * max(1.0, max(first.shape) / SIDE):
        report.misaligned.append((pair, error))


def registration_error(first: NDArray, second: NDArray) -> float | None:
    """Return how far two pictures (H, W, 3) of one view are apart on average, in their pixels; None if not known."""
    a, b = (_plane(picture) for picture in (first, second))
    height, width = first.shape[:2]
    if found := register(a, b):
        return _mean_shift(found, width, height)
    one, other = (np.hypot(cv2.Sobel(p, cv2.CV_32F, 1, 0), cv2.Sobel(p, cv2.CV_32F, 0, 1)) for p in (a, b))
    window = cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(one, other, window)
    if response < SURE or max(abs(x) / a.shape[1], abs(y) / a.shape[0]) > FRAME:
        return None
    return float(np.hypot(x * width / a.shape[1], y * height / a.shape[0]))


def _mean_shift(found: Registration, width: int, height: int) -> float:
    moved = cv2.perspectiveTransform(PLACES, found.matrix)
    return float(np.linalg.norm((moved - PLACES) * (width, height), axis=-1).mean())


def _plane(picture: NDArray) -> NDArray[np.float32]:
    """Return log luminance of a copy whose longer side is at most SIDE."""
    scale = min(1.0, SIDE / max(picture.shape[:2]))
    size = [max(8, round(n * scale)) for n in picture.shape[1::-1]]
    small = cv2.resize(to_unit(picture), size, interpolation=cv2.INTER_AREA)
    return np.log(small.mean(axis=2) ** 2.2 + 1e-2).astype(np.float32)
