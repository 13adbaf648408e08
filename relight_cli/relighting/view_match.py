"""Which reference is it: the same view, the same view but moved, or another scene."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.rasters.resizing import copy_within
from relight_cli.relighting.agreement import blurred, gradient
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.options import ReferenceKind
from relight_cli.relighting.picture_frame import WHOLE, Content, content_of
from relight_cli.relighting.quotient import cells_of, log_light
from relight_cli.relighting.registration import Matrix, Registration, plausible, refine, register, warped

Maps = NDArray[np.float32]

VIEW_SIDE = 640  # longer side of the copies that are compared
CELLS = (24, 48, 96, 192)  # along the longer side, whose structure is compared
REACH = 1 / 6  # of the longer side by which the pictures are displaced to see what chance gives
NEXT = 2.5  # cells of displacement that still count as the same place
ALIKE = 7.5  # deviations from chance from which two pictures show the same view, all sizes of cells together
SAME = 1 / 255  # largest difference of two copies of a picture
LIKELY = 3.0  # deviations that are enough where the user says that it is the same view
INLIERS = 14  # features from which a homography is no chance; pictures of other scenes have 6 at most
MIRRORED = 2  # times the features that agree without a mirror: what is symmetric agrees with itself both ways
STILL = 0.003  # share of a side by which the corners of an aligned reference move at most
TOLD = "as told"


@dataclass(frozen=True)
class ViewMatch:
    """What a reference shows, and how it was found out."""

    kind: ReferenceKind  # ALIGNED, MOVED or SCENE
    homography: Matrix | None = None  # (3, 3): from points of the photo to the reference's, in [0, 1]; None: in place
    because: str = ""
    content: Content = WHOLE  # the part of the reference that counts
    bars: bool = False  # whether what is around that part hides some of the view

    @property
    def is_partial(self) -> bool:
        """Whether the reference was found to show a part of the photo: it is moved, or bars hide some of the view."""
        return self.kind == ReferenceKind.MOVED or self.bars

    def __str__(self) -> str:
        """Return the decision in one line."""
        return f"{_SENTENCES[self.kind]} ({self.because})."


_SENTENCES = {
    ReferenceKind.ALIGNED: "the reference shows the same view",
    ReferenceKind.MOVED: "the reference shows the same view, moved",
    ReferenceKind.SCENE: "the reference shows another scene",
}


def match_view(
    photo: Maps, reference: Maps, kind: ReferenceKind = ReferenceKind.AUTO, name: str = "the reference"
) -> ViewMatch:
    """Find out what a reference shows, called `name` in errors; both are sRGB-encoded copies (h, w, 3) of any size.

    A frame around the reference does not count, unless the photo has the same one. It is around the whole view, or its
    bars are over the view: what agrees more with the photo. `kind` overrules: ALIGNED and SCENE are taken at their
    word, and MOVED raises UsageError if it cannot be registered.
    """
    content = content_of(reference)
    if content.is_whole or content.agrees(content_of(photo)):
        return _match(photo, reference, kind, name)
    if kind in (ReferenceKind.ALIGNED, ReferenceKind.SCENE):
        return ViewMatch(kind, because=TOLD, content=content)
    inside, behind = (np.ascontiguousarray(content.of(picture)) for picture in (reference, photo))
    bars = _in_place(behind, inside) > max(LIKELY, _in_place(photo, inside))
    view = replace(_match(behind if bars else photo, inside, kind, name), content=content)
    if view.kind == ReferenceKind.SCENE:
        return view
    view = replace(view, bars=bars)
    if bars and view.homography is None:
        return view
    to_part = content.matrix() if bars else np.eye(3)
    matrix = np.eye(3) if view.homography is None else view.homography
    return replace(view, homography=np.linalg.inv(content.matrix()) @ matrix @ to_part)


def _match(photo: Maps, reference: Maps, kind: ReferenceKind, name: str) -> ViewMatch:
    """Return the match of a reference all of which counts."""
    if kind in (ReferenceKind.ALIGNED, ReferenceKind.SCENE):
        return ViewMatch(kind, because=TOLD)
    own, other, stretched = _copies(photo, reference)
    if photo.shape == reference.shape and np.abs(photo - reference).max() <= SAME and kind == ReferenceKind.AUTO:
        return ViewMatch(ReferenceKind.ALIGNED, because="it is the same picture")
    likeness = structure_likeness(own, stretched)
    planes = [log_light(x).mean(axis=2) for x in (own, other)]
    found = register(*planes)
    if found is None or found.inliers < INLIERS or found.displacement() > STILL:
        mirrored = register(planes[0], np.ascontiguousarray(planes[1][:, ::-1]))
        if mirrored and mirrored.inliers >= max(INLIERS, MIRRORED * (found.inliers if found else 0)):
            return _of_mirrored(own, stretched, mirrored)
    if found and found.inliers >= INLIERS:
        return _of_features(own, stretched, found, kind)
    matrix = _refined(own, stretched, np.eye(3)) if likeness < ALIKE or kind == ReferenceKind.MOVED else None
    if matrix is not None:
        moved = structure_likeness(own, warped(stretched, matrix, *own.shape[:2])[0])
        if moved >= (LIKELY if kind == ReferenceKind.MOVED else ALIKE):
            return ViewMatch(ReferenceKind.MOVED, matrix, "its edges agree")
    if kind == ReferenceKind.MOVED:
        raise UsageError(
            f"{name} cannot be registered to the photo: give a reference of the same view, or a sharper one, or do not "
            "say that it is moved."
        )
    if likeness >= ALIKE:
        return ViewMatch(ReferenceKind.ALIGNED, because="its edges agree")
    return ViewMatch(ReferenceKind.SCENE, because="nothing in common")


def _copies(photo: Maps, reference: Maps) -> tuple[Maps, Maps, Maps]:
    """Return copies of both to compare, in linear light, and that of the reference in the size of the photo's."""
    own, other = (to_linear(copy_within(x, VIEW_SIDE)) for x in (photo, reference))
    return own, other, np.asarray(cv2.resize(other, own.shape[1::-1], interpolation=cv2.INTER_AREA), np.float32)


def _in_place(photo: Maps, reference: Maps) -> float:
    """Return how far two pictures show the same in the same places; see `structure_likeness`."""
    own, _, stretched = _copies(photo, reference)
    return structure_likeness(own, stretched)


def _of_features(own: Maps, stretched: Maps, found: Registration, kind: ReferenceKind) -> ViewMatch:
    because = "its features agree"
    if found.displacement() <= STILL and kind != ReferenceKind.MOVED:
        return ViewMatch(ReferenceKind.ALIGNED, because=because)
    refined = _refined(own, stretched, found.matrix)
    candidates = [found.matrix] if refined is None else [found.matrix, refined]
    height, width = own.shape[:2]
    likeness = [structure_likeness(own, warped(stretched, matrix, height, width)[0]) for matrix in candidates]
    if max(likeness) <= structure_likeness(own, stretched) and kind != ReferenceKind.MOVED:
        return ViewMatch(ReferenceKind.ALIGNED, because=because)
    return ViewMatch(ReferenceKind.MOVED, candidates[int(np.argmax(likeness))], because)


def _of_mirrored(own: Maps, stretched: Maps, found: Registration) -> ViewMatch:
    """Return the match of a reference whose mirror image was registered."""
    view = _of_features(own, np.ascontiguousarray(stretched[:, ::-1]), found, ReferenceKind.MOVED)
    assert view.homography is not None
    back = np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1.0]])
    return ViewMatch(ReferenceKind.MOVED, back @ view.homography, f"mirrored; {view.because}")


def _refined(own: Maps, other: Maps, matrix: Matrix) -> Matrix | None:
    """Refine a homography on the strength of edges, which light changes less than brightness; None if it fails."""
    edges = [np.sqrt(np.abs(gradient(blurred(log_light(x).mean(axis=2), 1.0)))) for x in (own, other)]
    found = refine(edges[0], edges[1], matrix)
    return found[0] if found and plausible(found[0], (1, 1)) else None


def structure_likeness(own: Maps, other: Maps) -> float:
    """Return how far the structure of two pictures (h, w, 3) in linear light agrees beyond chance, in deviations.

    Directions of edges, whatever their sign, are correlated in place and at displacements, which show chance.
    """
    scores = [_above_chance(own, other, cells) for cells in CELLS if cells <= max(own.shape[:2])]
    return float(sum(scores)) / 2 if scores else 0.0


def _above_chance(own: Maps, other: Maps, cells: int) -> float:
    first, second = (_directions(cells_of(x, cells)) for x in (own, other))
    height, width = first.shape
    if min(height, width) < 4:
        return 0.0
    size = (2 * height, 2 * width)
    all_shifts = np.fft.ifft2(np.fft.fft2(first, size).conj() * np.fft.fft2(second, size)).real
    reach_y, reach_x = (max(3, min(side - 1, round(REACH * max(height, width)))) for side in (height, width))
    near = np.roll(all_shifts, (reach_y, reach_x), (0, 1))[: 2 * reach_y + 1, : 2 * reach_x + 1]
    y, x = np.mgrid[-reach_y : reach_y + 1, -reach_x : reach_x + 1]
    chance = near[np.hypot(y, x) > NEXT]
    return float((near[reach_y, reach_x] - chance.mean()) / max(1e-6, chance.std()))


def _directions(picture: Maps) -> NDArray[np.complex128]:
    """Return the doubled directions of edges (h, w), weighted by strength, freed from those of the area around."""
    edges = gradient(log_light(picture).mean(axis=2))
    strength = np.abs(edges)
    weight = strength / (strength + np.median(strength) + 0.02)
    doubled = (edges / (strength + 1e-9)) ** 2 * weight
    sigma = max(picture.shape[:2]) / 16
    return doubled - (blurred(doubled.real, sigma) + 1j * blurred(doubled.imag, sigma))
