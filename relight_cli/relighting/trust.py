"""How far each pixel of a reference of the same view is to be trusted."""

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.rasters.resizing import fit_within
from relight_cli.relighting.agreement import DARK, FINE, agreement_logits, blurred, opponent
from relight_cli.relighting.quotient import cells_of, enlarged, log_light

Maps = NDArray[np.float32]

JUDGED_CELLS = 48  # along the longer side, at most, whose agreement is judged
FEWEST_JUDGED = 6  # a shorter side of fewer cells says nothing about agreement
USUAL = 0.2  # share of the cells, at most, that show another thing in a reference of the same view
CERTAIN, POSSIBLE = 2.5, 1.0  # logits below the usual agreement from which a cell is, and may be, another thing
PLAIN = 9.0  # logits above which agreement says nothing more
TINTED, MOST_TINT = 1.0, 2.0  # logits for each stop of another tint of the light, and stops that count
# The same for green or magenta alone, from so many stops on: lights differ from blue to yellow, but hardly in these.
GREENISH, MOST_GREEN, LEAST_GREEN = 12.0, 1.0, 0.05
LIT = -6.5  # stops from white above which a pixel has a tint
COMPARED = 48  # along the longer side: pixels of the copies in which colours are looked for elsewhere
QUOTIENT, SURFACE = (0.3, 0.1, 0.1), (0.7, 0.25, 0.25)  # stops of luminance and two chromaticities that are alike
EVIDENCE = 2.0  # pixels elsewhere that look as a pixel does in both pictures, from which it is believed
SOURCES = 5.0  # pixels of a surface, at least, from which another can take its light
COLOURED = 5.0  # logits of doubt about the colour of the light from which texture overrules nothing
UNDOUBTED = 5.0  # logits below the usual agreement from which a cell is another thing, whatever its surface
BANDS, WINDOW = ((0.0, 1.5), (1.0, 3.0)), 4.0  # in pixels: octaves of fine texture, and the area it is compared in
GRAIN = 0.02  # stops of texture that say nothing, as a camera's noise or what is left in a soft reference
SAME_TEXTURE = 0.4  # correlation of fine texture from which two pixels show the same surface
JOINED, BORDER, FADE = 0.4, 0.8, 0.3  # in cells: what is joined, the border around another thing, and its softness


def trust_in(photo: Maps, reference: Maps, known: Maps, cells: int) -> Maps:
    """Return how far each pixel of a reference (h, w, 3), of so many cells, is to be trusted, (h, w) in [0, 1].

    Photo and reference are in linear light, and `known` (h, w) is 0 where there is no reference. How well the two agree
    depends on the light of both, so that what shows another thing is an outlier among the cells: a region counts if
    some of it is certain. Fine texture, where a sharp reference has some, overrules the cells: a new shadow's border
    looks like another thing, the grain of the surface in it is the same. It does not where the light has quite another
    colour. The pixels next to another thing show it in part.
    """
    height, width = photo.shape[:2]
    cells = min(JUDGED_CELLS, cells, max(height, width) // FINE)
    shape = tuple(max(1, round(side * cells / max(height, width))) for side in (height, width))
    if min(shape) < FEWEST_JUDGED:
        return known
    size = (shape[1] * FINE, shape[0] * FINE)
    own, other = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (photo, reference))
    step = max(height, width) / cells  # pixels of a cell
    logits = blurred(enlarged(np.minimum(agreement_logits(own, other), PLAIN), height, width), JOINED * step)
    alike_in_texture = texture_correlation(photo, reference) >= SAME_TEXTURE
    own, other = (log_light(enlarged(cells_of(x, cells), height, width)) for x in (photo, reference))
    doubt = blurred(_colour_doubt(own, other), JOINED * step)
    logits = logits - doubt
    there = logits[known > 0]
    if not there.size:
        return known
    agreement = logits - float(np.quantile(there, USUAL))
    another = _regions(agreement, known > 0) * ~(alike_in_texture & (doubt < COLOURED))
    same, alike = _elsewhere(own, other, another, known)
    another = another * (same < EVIDENCE) * ((alike >= SOURCES) | (agreement < -UNDOUBTED))
    reach = 2 * round(BORDER * step) + 1
    wide = cv2.dilate(another, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return np.asarray((1 - blurred(np.asarray(wide, np.float32), FADE * step)) * known, np.float32)


def texture_correlation(photo: Maps, reference: Maps) -> Maps:
    """Return how far the fine textures of two pictures in linear light correlate around each pixel (h, w), in [-1, 1].

    That of the octave in which they correlate more; 0 where either is flat.
    """
    found = np.full(photo.shape[:2], -1, np.float32)
    planes = [np.log2(np.maximum(x, 0) + np.float32(DARK)).mean(axis=2) for x in (photo, reference)]
    for fine, broad in BANDS:
        own, other = ((blurred(x, fine) if fine else x) - blurred(x, broad) for x in planes)
        both, first, second = (blurred(x, WINDOW) for x in (own * other, own**2, other**2))
        found = np.maximum(found, both / np.sqrt((first + GRAIN**2) * (second + GRAIN**2)))
    return found


def _colour_doubt(photo: Maps, reference: Maps) -> Maps:
    """Return the logits (h, w) that the colour of the light between two pictures, in stops, takes from their agreement.

    They grow with the distance of its tint from the usual one, and faster with that towards green or magenta.
    """
    tint = reference - photo
    tint = tint - tint.mean(axis=2, keepdims=True)
    lit = photo.mean(axis=2) > LIT
    tint = tint - np.median(tint[lit] if lit.any() else tint.reshape(-1, 3), axis=0)
    green = 1.5 * np.abs(tint[..., 1])  # green against the mean of red and blue
    doubt = TINTED * np.minimum(np.linalg.norm(tint, axis=2), MOST_TINT)
    return np.asarray(doubt + GREENISH * np.clip(green - LEAST_GREEN, 0, MOST_GREEN), np.float32)


def _regions(agreement: Maps, known: NDArray[np.bool_]) -> Maps:
    """Return 1 in the regions (h, w) of little agreement that are certainly another thing somewhere, else 0."""
    count, found = cv2.connectedComponents(((agreement < -POSSIBLE) & known).astype(np.uint8))
    labels, least = np.asarray(found, np.intp), np.zeros(count)
    np.minimum.at(least, labels.ravel(), agreement.ravel())
    least[0] = 0.0  # what agrees
    return (least < -CERTAIN)[labels].astype(np.float32)


def _elsewhere(photo: Maps, reference: Maps, another: Maps, known: Maps) -> tuple[Maps, Maps]:
    """Return how many pixels elsewhere look as each (h, w) does in both pictures, and in the photo.

    Photo and reference (h, w, 3) are in stops, the pixels those of copies of COMPARED. A new cloud in the sky is
    believed if other clouds are; the colours of another picture are seldom found elsewhere. A surface that the photo
    shows nowhere else is believed as well, since the light around it is that of other surfaces, unless it is
    undoubtedly another thing.
    """
    height, width = another.shape
    size = fit_within(height, width, COMPARED)[::-1]
    own, quotient = (
        np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA), np.float32) for x in (photo, reference - photo)
    )
    unsound = cv2.resize(np.maximum(another, 1 - known), size, interpolation=cv2.INTER_AREA) > 0
    sound = cv2.dilate(unsound.astype(np.uint8), np.ones((3, 3), np.uint8)).ravel() == 0
    surface, light = _squares(own, SURFACE, sound), _squares(quotient, QUOTIENT, sound)
    counts = (np.exp(-0.5 * x).sum(axis=1).reshape(size[::-1]) for x in (surface + light, surface))
    same, alike = (enlarged(x, height, width) for x in counts)
    return same, alike


def _squares(light: Maps, stops: tuple[float, float, float], chosen: NDArray[np.bool_]) -> Maps:
    """Return the squared distances in colour (N, M) of all pixels of light (h, w, 3) to the chosen, in `stops`."""
    colours = opponent(light).reshape(-1, 3) / np.array(stops, np.float32)
    squares = np.zeros((len(colours), int(chosen.sum())), np.float32)
    for one in colours.T:  # a product of matrices would depend on the processor
        squares += (one[:, None] - one[chosen]) ** 2
    return squares
