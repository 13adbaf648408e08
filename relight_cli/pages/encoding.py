"""Pictures of a page as data URIs, with their profile."""

import base64
import io
from dataclasses import replace

import numpy as np
from PIL import Image

from relight_cli.pages.previews import Preview
from relight_cli.pages.views import Picture
from relight_cli.photos.colour_profiles import profile_space, profile_to_srgb
from relight_cli.rasters.bit_depth import from_unit

SMALL_BYTES = 25_000  # of a picture in a page of many
FULL_BYTES = 23_000_000  # of a picture at full size: Firefox shows data URIs up to 32 MB, and base64 adds a third
_QUALITIES = (80, 62, 45, 28, 12, 2)  # of WebP; the last ones only where grain needs them
_METHOD = 2  # of WebP: a fifth larger than 4, in under half the time
_FULL_QUALITIES = (88, 75, 50, 25)  # of JPEG
_SHRINK = 0.6  # of the pixels, where no quality is low enough


def small_picture(preview: Preview, most: int = SMALL_BYTES) -> Picture:
    """Return a preview as WebP of at most `most` bytes with its profile; smaller where grain needs more."""
    image, icc = colour_image(preview)
    for quality in _QUALITIES:
        data = _encoded(image, "WEBP", quality=quality, method=_METHOD, icc_profile=icc)
        if len(data) <= most:
            return _picture("webp", data, preview)
    smaller = preview.within(max(1, int(_SHRINK * image.width * image.height)))
    if smaller.samples.shape == preview.samples.shape:  # a single pixel, and a large profile
        return small_picture(replace(preview, icc=None), most)
    return small_picture(smaller, most)


def full_picture(preview: Preview) -> Picture:
    """Return a preview as JPEG of at most FULL_BYTES with all its pixels and its profile."""
    samples = preview.samples
    image = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    for quality in _FULL_QUALITIES:
        data = _encoded(image, "JPEG", quality=quality, subsampling="4:4:4", icc_profile=preview.icc)
        if len(data) <= FULL_BYTES:
            break
    return _picture("jpeg", data, preview)


def colour_image(preview: Preview) -> tuple[Image.Image, bytes | None]:
    """Return an RGB image, since WebP has no grey, and its profile: a grey one does not describe it."""
    samples, icc = preview.samples, preview.icc
    if icc and profile_space(icc) == "gray":
        return Image.fromarray(from_unit(profile_to_srgb(samples, icc), np.dtype(np.uint8))), None
    return Image.fromarray(np.repeat(samples, 3, axis=2) if samples.shape[2] == 1 else samples), icc


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **{name: value for name, value in options.items() if value is not None})
    return file.getvalue()


def _picture(kind: str, data: bytes, preview: Preview) -> Picture:
    height, width = preview.samples.shape[:2]
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return Picture(uri, round(width * preview.aspect, 2), height, round(preview.scale, 3))
