"""Which page of a TIFF is the photo."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tifffile import PHOTOMETRIC

SENSOR = (PHOTOMETRIC.CFA, PHOTOMETRIC.LINEAR_RAW)
_DNG_VERSION = 50706
_SEARCHED = 16  # pages at the start of a file


@dataclass(frozen=True)
class Place:
    """The place of a page: its number in the file, from 0, and that among its sub-directories."""

    page: int
    below: int | None = None

    def of(self, tiff: Any) -> Any:
        """Return the page in an open file."""
        page = tiff.pages[self.page]
        return page if self.below is None else page.pages[self.below]


def is_camera_raw(tiff: Any) -> bool:
    """Return whether the photo is behind a colour filter, or LibRaw may find one that the pages do not show."""
    pages = list(islice(tiff.pages, _SEARCHED))
    if any(page.photometric in SENSOR or _DNG_VERSION in page.tags for page in (*pages, *_pages_below(pages))):
        return True
    return _full_size(tiff) is None and any("Make" in page.tags for page in pages)


def choose_page(tiff: Any, wanted: int | None) -> Place:
    """Return the place of page `wanted` (from 1), or of the first that is neither a reduced copy nor a mask.

    Of reduced copies alone it is the largest.

    Raises ValueError if there is no such page.
    """
    count = len(tiff.pages)
    if wanted is None:
        return _full_size(tiff) or _largest(tiff)
    if not 1 <= wanted <= count:
        raise ValueError(f"there is no page {wanted}, only {count}")
    return Place(wanted - 1)


def page_note(place: Place, count: int) -> str | None:
    """Return a note if the file has other pages."""
    if count == 1:
        return None
    which = f"page {place.page + 1}" if place.page else "the first"
    return f"only {which} of {count} pictures is used; --page picks another"


def _full_size(tiff: Any) -> Place | None:
    for number, page in enumerate(tiff.pages):
        if not (page.is_reduced or page.is_mask):
            return Place(number)
    for number, page in enumerate(islice(tiff.pages, _SEARCHED)):
        for below, inner in enumerate(page.pages or ()):
            if not (inner.is_reduced or inner.is_mask):
                return Place(number, below)
    return None


def _largest(tiff: Any) -> Place:
    sizes = [page.imagewidth * page.imagelength for page in islice(tiff.pages, _SEARCHED)]
    return Place(sizes.index(max(sizes)))


def _pages_below(pages: list[Any]) -> Iterator[Any]:
    for page in pages:
        yield from page.pages or ()
