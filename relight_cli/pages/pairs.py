"""The view of a photo before and after."""

from dataclasses import dataclass, replace

import numpy as np

from relight_cli.pages.encoding import full_picture, small_picture
from relight_cli.pages.light_maps import LightMap, light_map
from relight_cli.pages.previews import Preview
from relight_cli.pages.views import Entry, Fact, Histogram, Layer, Pair, Picture

SMALL_PIXELS = 720 * 480  # of a picture in a page of many
FULL_PIXELS = 24_000_000  # of a picture in a page of one
ALL_PIXELS = 1 << 34  # with --compare-full
THUMBNAIL_PIXELS, THUMBNAIL_BYTES = 180 * 120, 5_000
_BINS, _HISTOGRAM_PIXELS = 64, 1 << 20  # a bin holds four values of 8 bits


@dataclass(frozen=True)
class Embedding:
    """How large the pictures of a page are."""

    pixels: int
    is_small: bool

    def picture(self, preview: Preview) -> Picture:
        """Return an embedded picture of this size."""
        return small_picture(preview.within(self.pixels)) if self.is_small else full_picture(preview)

    def layers(self, before: Preview, after: Preview, change: LightMap | None) -> list[Layer]:
        """Return both pictures, and the change of light between them."""
        found = [Layer("Before", self.picture(before)), Layer("After", self.picture(after))]
        if change is not None:
            coloured = replace(before, samples=change.coloured(), icc=None)
            found.append(Layer("Change of light", small_picture(coloured), change.legend()))
        return found


def embedding(count: int, *, full: bool) -> Embedding:
    """Return how the pictures of a page of `count` photos are embedded."""
    if full:
        return Embedding(ALL_PIXELS, is_small=False)
    return Embedding(SMALL_PIXELS, is_small=True) if count > 1 else Embedding(FULL_PIXELS, is_small=False)


def photo_pair(entry: Entry, before: Preview, after: Preview, size: Embedding, facts: list[Fact]) -> Pair:
    """Return the view of a photo in two lights."""
    change = light_map(before, after)
    return Pair(
        entry.number,
        size.layers(before, after, change),
        readings=change.readings() if change else None,
        histograms=[histogram("before", before), histogram("after", after)],
        facts=facts,
    )


def with_thumbnail(entry: Entry, before: Preview, after: Preview) -> Entry:
    """Return an entry of the contact sheet with a picture: its left half is before, its right half after."""
    left, right = before.within(THUMBNAIL_PIXELS), after.within(THUMBNAIL_PIXELS)
    if left.samples.shape == right.samples.shape and left.icc == right.icc:
        both = left.samples.copy()
        middle = both.shape[1] // 2
        both[:, middle:] = right.samples[:, middle:]
        right = replace(right, samples=both)
    return replace(entry, thumbnail=small_picture(right, THUMBNAIL_BYTES))


def histogram(name: str, preview: Preview) -> Histogram:
    """Return the histogram of a preview's samples."""
    samples = preview.within(_HISTOGRAM_PIXELS).samples
    counts = [np.bincount(samples[..., c].ravel() >> 2, minlength=_BINS) for c in range(samples.shape[2])]
    red, green, blue = (counts * 3)[:3] if len(counts) == 1 else counts
    return Histogram(name, red.tolist(), green.tolist(), blue.tolist())
