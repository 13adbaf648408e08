"""Frames of videos and of sequences of photos: small copies for the network and for flow, and the frame in a gain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.cores import Pool
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import fit_within, resized
from relight_cli.rasters.rows import Raster, row_bands
from relight_cli.relighting.gain import apply_log_gain, multiply_light
from relight_cli.relighting.guided import GuidedMaps, fit_guided
from relight_cli.relighting.optical_flow import Maps
from relight_cli.videos.colour import VideoColour, light_curve, srgb_of, stored_values, values_of
from relight_cli.videos.decoding import Decoded
from relight_cli.videos.shape import VideoShape

SIDE = 512  # longer side of the copy on which gains are kept
Item = TypeVar("Item")


class Frame(Protocol):
    """A frame of a sequence."""

    @property
    def number(self) -> int:
        """Its place in the sequence, from 0 on."""
        ...

    @property
    def picture(self) -> Maps:
        """The copy (h, w, 3), upright, sRGB in [0, 1], on which gains are kept."""
        ...

    def view(self, side: int) -> Photo:
        """Return a copy within a longer side (0: any), upright, for the network."""
        ...


@dataclass(frozen=True)
class VideoFrame:
    """A decoded frame of a video."""

    number: int
    time: int  # in ticks of the video's clock
    decoded: Decoded
    shape: VideoShape

    @property
    def rgb(self) -> NDArray[np.uint16]:
        """The frame (H, W, 3) as it is stored, in its own colours."""
        return self.decoded.rgb

    @property
    def colour(self) -> VideoColour:
        """What its numbers mean."""
        return self.decoded.colour

    @cached_property
    def small(self) -> Maps:
        """The copy (h, w, 3) in the video's own colours, as it is stored."""
        return self._copy(SIDE)

    @cached_property
    def picture(self) -> Maps:
        """See `Frame`."""
        return self.shape.turned(srgb_of(self.small, self.colour))

    def view(self, side: int) -> Photo:
        """See `Frame`."""
        return Photo(self.shape.turned(srgb_of(self._copy(side), self.colour)))

    def lit(self, stops: Maps, mask: Raster | None = None) -> NDArray[np.uint16]:
        """Return the frame with a gain (h, w, 3) in stops of `picture`, in its own colours and as it is stored.

        Where a mask (H, W), stored as the frame, is 0 it stays as it is.
        """
        guided = fit_guided(self.shape.turned_back(stops), self.small)
        lit, height = np.empty_like(self.rgb), self.rgb.shape[0]
        curve = light_curve(self.colour)
        for rows in row_bands(*self.rgb.shape[:2]):
            own = values_of(self.rgb[rows], self.colour)
            gain = _masked(guided, own, rows, height, mask)
            new = multiply_light(own, gain) if curve is None else _multiply(own, gain, *curve)
            lit[rows] = stored_values(new, self.colour)
        return lit

    def _copy(self, side: int) -> Maps:
        """Return a copy in the video's own colours."""
        height, width = fit_within(self.rgb.shape[0], self.rgb.shape[1], side)
        small = cv2.resize(self.rgb, (width, height), interpolation=cv2.INTER_AREA)
        return values_of(np.asarray(small), self.colour)


@dataclass(frozen=True)
class PhotoFrame:
    """A photo as a frame."""

    number: int
    photo: Photo

    @cached_property
    def picture(self) -> Maps:
        """See `Frame`."""
        return self._copy(SIDE)

    def view(self, side: int) -> Photo:
        """See `Frame`."""
        return Photo(self._copy(side))

    def lit(self, stops: Maps, mask: Raster | None = None) -> Photo:
        """Return the photo with a gain (h, w, 3) in stops of `picture`; where a mask (H, W) is 0 it stays as it is."""
        guided, srgb = fit_guided(stops, self.picture), self.photo.srgb

        def gain(rows: slice, own: Maps) -> Maps:
            return _masked(guided, own, rows, srgb.shape[0], mask)

        return self.photo.with_lazy_srgb(apply_log_gain(srgb, gain))

    def _copy(self, side: int) -> Maps:
        height, width = self.photo.pixels.shape[:2]
        small = resized(self.photo.srgb, *fit_within(height, width, side))
        return np.ascontiguousarray(np.nan_to_num(small).clip(0, 1), np.float32)


def prefetched(items: Iterable[Item], ahead: int = 2) -> Iterator[Item]:
    """Yield items that another thread makes, up to `ahead` of them in advance."""
    iterator, end = iter(items), object()
    pool = Pool(1, "frames")
    waiting = [pool.submit(next, iterator, end) for _ in range(ahead)]
    try:
        while (item := waiting.pop(0).result()) is not end:
            waiting.append(pool.submit(next, iterator, end))
            yield cast("Item", item)
    finally:
        pool.shutdown(cancel_futures=True)


def _masked(guided: GuidedMaps, own: Maps, rows: slice, height: int, mask: Raster | None) -> Maps:
    gain = guided.rows(own, rows.start, height)
    return gain if mask is None else gain * mask[rows][..., None]


def _multiply(own: Maps, stops: Maps, values: NDArray, light: NDArray) -> Maps:
    """Multiply values of a curve by 2^stops in its light; where the gain is 0 they stay as they are."""
    lit = np.interp(np.interp(own, values, light) * np.exp2(stops), light, values)
    return np.where(stops == 0, own, lit).astype(np.float32)
