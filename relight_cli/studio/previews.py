"""Small copies of photos and masks, on which the commands make previews, and pictures for the browser."""

import base64
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from relight_cli.errors import UsageError
from relight_cli.photos.photo import Photo
from relight_cli.photos.provenance import strip_metadata
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.bit_depth import from_unit, in_depth
from relight_cli.rasters.resizing import copy_within, resized
from relight_cli.rasters.rows import Raster
from relight_cli.relighting.masks import mask_of, require_mask_size

SIDE = 1024  # pixels of the longer side of a preview
_SHOWN = SIDE * SIDE  # pixels of a picture in the browser


@dataclass(frozen=True)
class SmallPhoto:
    """A photo and its small copy."""

    path: Path  # of the small copy, a TIFF, which keeps any depth and any profile
    shown: Path  # for the browser
    size: tuple[int, int]  # height and width of the photo, upright
    small: tuple[int, int]  # and of the copy


def small_photo(source: Path, folder: Path, max_pixels: int) -> SmallPhoto:
    """Make the small copy of a photo, with its bit depth and its profile. Raises what `read_photo` raises."""
    photo = read_photo(source, max_pixels=max_pixels)
    size = photo.pixels.shape[:2]
    pixels = _small(photo.pixels)
    alpha = None if photo.alpha is None else _small(photo.alpha[..., None])[..., 0]
    copy = replace(photo, pixels=pixels, alpha=alpha, extra=None, metadata=strip_metadata(photo.metadata))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{source.stem[:60]}.tif"
    write_photo(copy, path, effort="fast", overwrite=True)
    return SmallPhoto(path, shown_picture(copy, folder / "before.webp"), (size[0], size[1]), pixels.shape[:2])


def small_mask(source: Path, name: str, photo: SmallPhoto, folder: Path, max_pixels: int) -> Path:
    """Make the copy of a mask for the small copy of a photo. Raises UsageError if it does not fit the photo."""
    mask = mask_of(read_photo(source, max_pixels=max_pixels))
    require_mask_size(mask, Photo(np.broadcast_to(np.uint8(0), (*photo.size, 1))), name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mask.png"
    write_photo(Photo(_grey(resized(mask[slice(0, photo.size[0])], *photo.small))), path, overwrite=True)
    return path


def painted_mask(data: str, photo: SmallPhoto, path: Path) -> bool:
    """Write a mask of the photo's size: white where a painting, a PNG as a data URI, is opaque.

    Returns whether anything is painted. Raises UsageError for what is no such PNG.
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2])), formats=["PNG"]) as image:
            if image.size != photo.small[::-1]:
                raise UsageError("The painting does not fit the photo: paint again.")
            opaque = np.asarray(image.convert("RGBA"))[..., 3].astype(np.float32) / 255
    except (OSError, ValueError) as error:
        raise UsageError("The painting cannot be read: paint again.") from error
    if opaque.max() == 0:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(Photo(_grey(resized(opaque, *photo.size))), path, overwrite=True)
    return True


def shown_file(path: Path, target: Path, max_pixels: int) -> Path:
    """Write a picture file for the browser."""
    return shown_picture(read_photo(path, max_pixels=max_pixels), target)


def shown_picture(photo: Photo, target: Path) -> Path:
    """Write a picture for the browser, small, in 8 bits, with its profile."""
    from relight_cli.pages.encoding import colour_image
    from relight_cli.pages.previews import preview_of

    image, icc = colour_image(preview_of(photo, _SHOWN))
    image.save(target, "WEBP", quality=90, method=2, icc_profile=icc)
    return target


def _small(pixels: Raster) -> np.ndarray:
    values = copy_within(in_depth(pixels, np.dtype(np.float32)), SIDE)
    values = values.reshape(*values.shape[:2], pixels.shape[2])
    return values if pixels.dtype == np.float32 else from_unit(values.clip(0, 1), pixels.dtype)


def _grey(values: np.ndarray) -> np.ndarray:
    return from_unit(values.clip(0, 1)[..., None].astype(np.float32), np.dtype(np.uint8))
