"""A photo in its own colour profile and bit depth, with the metadata that came with it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.photos.cicp import with_srgb_curve
from relight_cli.photos.colour_profiles import (
    LINEAR,
    SRGB,
    is_linear,
    is_srgb,
    light_profile,
    profile_to_srgb,
    srgb_to_profile,
)
from relight_cli.photos.colour_tags import says_adobe_rgb
from relight_cli.photos.lit_samples import multiply_samples
from relight_cli.photos.metadata import Metadata
from relight_cli.rasters.bit_depth import from_unit, in_depth
from relight_cli.rasters.rows import LazyRows, LitRows, Raster, converted_rows, is_rereadable, rows_from, to_array

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, kw_only=True)
class ColouredRows(LazyRows):
    """Rows of samples made from an sRGB picture (H, W, 3), which may have more depth than they."""

    colours: Raster


@dataclass(frozen=True)
class Photo:
    """A photo in its own profile and bit depth; its pixels are in memory or made when they are read."""

    pixels: Raster  # (H, W, C), C = 1 or 3; uint8, uint16 or float32 (1.0 = white); upright
    alpha: NDArray | None = None  # (H, W), same dtype as pixels
    format: str = "PNG"  # one of `formats.SUFFIXES`
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()  # for the user: what was lost when the file was read
    # (H, W, N): samples that are neither colours nor alpha; only TIFF keeps them
    extra: NDArray | None = None
    recoloured: bool = False  # the file alone does not say these colours: converted PQ or HLG, or given by the user

    @classmethod
    def from_array(cls, picture: "NDArray | Image", *, icc: bytes | None = None) -> "Photo":
        """Make a photo from an array or a PIL image: (H, W), (H, W, 1) or (H, W, 3), with alpha (H, W, 2) or (H, W, 4).

        Samples are uint8, uint16, or float32 with 1.0 as white. The colours are in the profile `icc`, else in that of
        the PIL image, else sRGB. The array is not copied. Raises UsageError for other shapes, dtypes and modes.
        """
        info, mode = getattr(picture, "info", {}), getattr(picture, "mode", None)
        if mode in ("1", "P", "PA"):
            transparent = mode == "PA" or "transparency" in info
            picture = picture.convert("L" if mode == "1" else "RGBA" if transparent else "RGB")  # type: ignore[union-attr]
        elif mode not in (None, "L", "LA", "RGB", "RGBA", "I;16", "F"):
            raise UsageError(f"a PIL image of mode {mode} is not supported: convert it to RGB.")
        samples = np.asarray(picture)
        samples = samples[..., None] if samples.ndim == 2 else samples
        if samples.ndim != 3 or samples.shape[2] not in (1, 2, 3, 4) or 0 in samples.shape:
            raise UsageError(f"an array of shape {samples.shape} is not a photo: pass (H, W) or (H, W, 1 to 4).")
        if samples.dtype not in (np.uint8, np.uint16, np.float32):
            raise UsageError(f"an array of {samples.dtype} is not a photo: pass uint8, uint16 or float32.")
        colours = samples.shape[2] - 1 + samples.shape[2] % 2  # 1 or 3
        alpha = samples[..., -1] if colours < samples.shape[2] else None
        return cls(samples[..., :colours], alpha, metadata=Metadata(icc=icc or info.get("icc_profile")))

    @cached_property
    def srgb(self) -> LazyRows:
        """The sRGB-encoded colours (H, W, 3), converted when they are read.

        Nominally in [0, 1]; outside it for colours outside sRGB. Rows of a float photo may share its memory.
        """
        # Not closures: they would refer to the photo, whose memory would be freed late.
        icc, convert = self.metadata.icc, partial(_to_srgb, icc=self.metadata.icc)
        # Means of linear light are not those of encoded colours; without a conversion there is nothing to save.
        mean_first = icc is not None and not is_srgb(icc) and not is_linear(icc)
        return converted_rows(self.pixels, convert, 3, mean_first=mean_first)

    def to_srgb(self) -> NDArray[np.float32]:
        """Return all rows of `srgb` as an array."""
        return to_array(self.srgb)

    def to_array(self) -> NDArray:
        """Return the samples (H, W, C) in the photo's own profile and depth, with alpha as the last channel."""
        pixels = to_array(self.pixels)
        return pixels if self.alpha is None else np.concatenate((pixels, self.alpha[..., None]), axis=-1)

    def in_memory(self) -> "Photo":
        """Return the photo with all its pixels in memory."""
        return replace(self, pixels=to_array(self.pixels))

    def with_srgb(self, srgb: Raster) -> "Photo":
        """Return the photo with the colours of an (H, W, 3) sRGB picture, in its own profile and depth.

        Integer samples are clipped and rounded, float samples are not; grey stays grey. A pixel whose colour equals
        that of `to_srgb` keeps its samples exactly, so an unchanged picture stays unchanged in any profile.
        """
        return self.with_lazy_srgb(srgb).in_memory()

    def with_lazy_srgb(self, srgb: Raster) -> "Photo":
        """Return the same photo as `with_srgb`, with pixels that are made when they are read."""
        if srgb.shape != (*self.pixels.shape[:2], 3):
            raise ValueError(f"colours of shape {srgb.shape} do not fit a photo of shape {self.pixels.shape}")
        icc, (_, _, channels) = self.metadata.icc, self.pixels.shape
        exact = channels == 3 and (icc is None or is_srgb(icc))  # rounding alone restores unchanged samples

        def make(rows: slice) -> NDArray:
            """Return rows of the photo's samples; those whose colour is unchanged are its own."""
            if exact:
                return from_unit(np.asarray(srgb[rows], np.float32), self.pixels.dtype)
            own = self.pixels[rows]
            if isinstance(srgb, LitRows) and srgb.source is self.srgb and (profile := light_profile(icc, own)):
                return multiply_samples(own, profile, srgb.stops, rows.start)
            old = self.srgb[rows]
            new = np.asarray(rows_from(srgb, self.srgb, rows, old), np.float32)
            return keep_unchanged(own, old, new, lambda: srgb_to_profile(new, icc, channels, own.dtype))

        shape, dtype, again = self.pixels.shape, self.pixels.dtype, is_rereadable(srgb)
        rows = ColouredRows(shape=shape, dtype=dtype, make=make, rereadable=again, colours=srgb)
        return replace(self, pixels=rows)

    def in_srgb(self) -> "Photo":
        """Return the photo converted to sRGB, without a profile unless its EXIF data states other colours."""
        icc = SRGB if says_adobe_rgb(self.metadata.exif) else None
        plain = replace(self, metadata=replace(self.metadata, icc=icc, colour=None))
        return plain.with_srgb(self.srgb)

    def in_display_curve(self) -> "Photo":
        """Return a photo in linear light with the curve of sRGB instead, in its own primaries; sRGB has no profile."""
        icc = None if self.metadata.icc is None else with_srgb_curve(self.metadata.icc)
        if icc is None:
            return self.in_srgb()
        return replace(self, metadata=replace(self.metadata, icc=icc, colour=None)).with_srgb(self.srgb)

    def in_linear_light(self) -> "Photo":
        """Return the photo in linear light, as unclipped float32: in its own primaries if it is linear, else sRGB's."""
        own, colour = self.metadata.icc, self.metadata.colour
        has_primaries = bool(own and is_linear(own) and colour and colour.chromaticities)
        if self.pixels.dtype == np.float32 and (own == LINEAR or has_primaries):
            return self
        base = Photo(in_depth(self.pixels, np.dtype(np.float32)), metadata=Metadata(icc=LINEAR))
        light = base.with_lazy_srgb(self.srgb)
        alpha = None if self.alpha is None else to_array(in_depth(self.alpha, light.pixels.dtype))
        return replace(self, pixels=light.pixels, alpha=alpha, metadata=replace(self.metadata, icc=LINEAR, colour=None))


def _to_srgb(samples: NDArray, icc: bytes | None) -> NDArray[np.float32]:
    return np.ascontiguousarray(profile_to_srgb(samples, icc))


def keep_unchanged(
    own: NDArray, old: NDArray[np.float32], new: NDArray[np.float32], convert: Callable[[], NDArray]
) -> NDArray:
    """Return the samples (H, W, C) of `own` where the colours `old` and `new` (H, W, 3) are equal, else converted."""
    equal = old == new
    same = equal[..., 0] & equal[..., 1] & equal[..., 2]
    if same.all():
        return own
    converted = np.broadcast_to(convert(), own.shape)
    return np.where(same[..., None], own, converted) if same.any() else converted
