"""Read depth maps: those of refine-depth, and anybody's PNG, TIFF, EXR, npz or npy."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relight_cli.errors import MissingExtraError, PhotoUnreadableError, UsageError, names_no_file
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.depth_tiffs import read_depth_tiff
from relight_cli.photos.formats import require_format
from relight_cli.photos.reading import MAX_PIXELS, read_photo
from relight_cli.photos.shape import Shape
from relight_cli.photos.special_files import require_no_special_file
from relight_cli.rasters.rows import to_array

DISPARITY, DEPTH = "disparity", "depth"
QUANTITIES = (DISPARITY, DEPTH)
_DEPTH_WORDS = ("depth", "z", "distance", "v")  # names of arrays and channels; Blender calls its channel Depth.V
_DISPARITY_WORDS = ("disparity", "disp", "inverse_depth")


@dataclass(frozen=True)
class DepthMap:
    """A depth map as its file has it."""

    values: NDArray[np.float32]  # (h, w)
    quantity: str  # "disparity": larger is nearer; "depth": larger is further away, along the camera's axis
    stated: bool  # by the file or the caller; else by convention
    shape: Shape | None = None  # of an EXR whose values are those of a part of the picture

    @property
    def disparity(self) -> NDArray[np.float32]:
        """The disparity (h, w): 0 is infinitely far away, NaN unknown; its scale is any, for "disparity" its zero too.

        Of depth, 0 and less are unknown, as in the files of depth cameras.
        """
        if self.quantity == DISPARITY:
            return np.where(np.isfinite(self.values), self.values, np.float32(np.nan))
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1 / self.values
        known = (self.values > 0) & np.isfinite(inverse)
        return np.where(known, inverse, np.float32(np.nan)).astype(np.float32)


def read_depth_map(path: str | Path, *, quantity: str | None = None, max_pixels: int = MAX_PIXELS) -> DepthMap:
    """Read a depth map.

    What its numbers mean is `quantity` ("disparity" or "depth"), else what the file says: the metadata of refine-depth,
    the name of the array of an npz or of the channel of an EXR. Other files follow the convention: integers are
    disparity, brighter is nearer; floats are depth. Raises PhotoUnreadableError, MissingExtraError, and UsageError for
    a picture in colours, a map of something else, or another quantity.
    """
    path = Path(path) if isinstance(path, str) else path
    if quantity not in (None, *QUANTITIES):
        raise UsageError(f"the quantity {quantity!r} is none of depth maps: give {DISPARITY!r} or {DEPTH!r}.")
    try:
        values, stated, integers, shape = _read(path, max_pixels)
    except (PhotoUnreadableError, MissingExtraError, UsageError):
        raise
    except IsADirectoryError as error:
        raise PhotoUnreadableError(f"{path}: is a folder; name a file in it") from error
    except Exception as error:  # decoders raise anything
        if names_no_file(error):
            raise PhotoUnreadableError(f"{path}: no such file; check the path") from error
        raise PhotoUnreadableError(f"{path}: the depth map cannot be decoded; give a PNG, TIFF, EXR or npz") from error
    if stated and stated not in QUANTITIES:
        raise UsageError(f"{path} is a map of {stated}, not of depth: give the map of disparity.")
    if values.ndim != 2 or 0 in values.shape:
        raise UsageError(f"{path} is not a depth map: its array has the shape {values.shape}, not (height, width).")
    meaning = quantity or stated or (DISPARITY if integers else DEPTH)
    depth_map = DepthMap(values.astype(np.float32), meaning, bool(quantity or stated), shape)
    if not np.isfinite(depth_map.disparity).any() or not (depth_map.disparity > 0).any():
        raise PhotoUnreadableError(f"{path}: no pixel has a depth; give another depth map")
    return depth_map


def _read(path: Path, max_pixels: int) -> tuple[NDArray[Any], str | None, bool, Shape | None]:
    """Return values (h, w), the quantity that the file states, whether they are integers, and the shape of an EXR."""
    require_no_special_file(path)
    with path.open("rb") as file:
        start = file.read(8)
    if start[:4] == b"PK\x03\x04" or start[:6] == b"\x93NUMPY":
        return *_read_numpy(path, max_pixels), None
    if start[:4] == b"\x76\x2f\x31\x01":
        return _read_exr(path, max_pixels)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return *_read_tiff(path, max_pixels), None
    texts = _png_texts(path) if start == b"\x89PNG\r\n\x1a\n" else {}
    samples = _grey(np.asarray(to_array(read_photo(path, max_pixels=max_pixels).pixels)), path)
    stated = texts.get("Quantity")
    if stated in QUANTITIES and samples.dtype == np.uint16:
        low, high = float(texts["Low"]), float(texts["High"])
        return low + samples / 65535 * (high - low), stated, True, None
    return samples, stated, samples.dtype.kind in "iu", None


def _check_size(path: Path, shape: tuple[int, ...], max_pixels: int) -> None:
    if len(shape) >= 2 and shape[0] * shape[1] > max_pixels:
        raise PhotoUnreadableError(f"{path}: more pixels than the {max_pixels} allowed; raise --max-pixels")


def _grey(samples: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return samples (h, w) of a grey picture, also if it is stored in equal colours. Raises UsageError."""
    if samples.ndim == 2:
        return samples
    colours = samples[..., :1] if samples.shape[2] in (1, 2) else samples[..., :3]
    if not (colours == colours[..., :1]).all():
        raise UsageError(f"{path} is a picture in colours, not a depth map: give the grey map of depth or disparity.")
    return colours[..., 0]


def _png_texts(path: Path) -> dict[str, str]:
    with Image.open(path, formats=("PNG",)) as image:
        return {key: text for key, text in image.info.items() if isinstance(key, str) and isinstance(text, str)}


def _quantity_of(name: str) -> str | None:
    """Return the quantity that the name of an array or a channel says."""
    words = [word for word in re.split(r"[^a-z_]+", name.lower()) if word]
    if any(word in _DISPARITY_WORDS for word in words):
        return DISPARITY
    return DEPTH if any(word in _DEPTH_WORDS for word in words) else None


def _is_of_vector(name: str, channels: Iterable[str]) -> bool:
    """Return whether a channel is Y or Z of normals or positions, which have an X, or V of texture coordinates."""
    *layer, last = name.split(".")
    first = {"y": "x", "z": "x", "v": "u"}.get(last.lower())
    return first is not None and ".".join((*layer, first)).lower() in (other.lower() for other in channels)


def _read_numpy(path: Path, max_pixels: int) -> tuple[NDArray[Any], str | None, bool]:
    loaded = np.load(path, allow_pickle=False, mmap_mode="r")
    if isinstance(loaded, np.ndarray):
        name, values = "", loaded
    else:
        with loaded:
            arrays = {key: loaded[key] for key in loaded.files}
        maps = {key: array for key, array in arrays.items() if array.dtype.kind in "iuf" and array.ndim >= 2}
        named = [key for key in maps if _quantity_of(key)]
        if len(named or maps) != 1:
            raise UsageError(f"{path} has {len(named or maps)} maps: give a file with one, named depth or disparity.")
        name = (named or list(maps))[0]
        values = maps[name]
    values = np.asarray(values)
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):  # (1, h, w) and (h, w, 1), as networks have it
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.dtype.kind not in "iuf":
        raise UsageError(f"{path} holds {values.dtype} and not numbers: give integers or floats.")
    _check_size(path, values.shape, max_pixels)
    stated = _quantity_of(name) or (name if name in ("normals", "uncertainty") else None)
    return values, stated, values.dtype.kind in "iu"


def _read_tiff(path: Path, max_pixels: int) -> tuple[NDArray[Any], str | None, bool]:
    values, stated = read_depth_tiff(path, max_pixels)
    if stated in (None, *QUANTITIES):
        values = _grey(values, path)
    return values, stated, values.dtype.kind in "iu"


def _read_exr(path: Path, max_pixels: int) -> tuple[NDArray[Any], str | None, bool, Shape | None]:
    """Read the channel that is named for depth or disparity in any part, else Y, else R of a grey picture."""
    require_format("EXR")
    import OpenEXR

    from relight_cli.photos.codecs.exr import shape_of

    with quiet(), OpenEXR.File(os.fspath(path), separate_channels=True) as exr:
        planes: dict[str, NDArray[Any]] = {}
        shapes: dict[str, Shape | None] = {}
        named: list[tuple[NDArray[Any], str, Shape | None]] = []
        for number in range(len(exr.parts)):
            channels = {name: channel.pixels for name, channel in exr.channels(number).items()}
            found = {name: _quantity_of(name) for name in channels if not _is_of_vector(name, channels)}
            shape = shape_of(exr.header(number))
            if shape and shape.display_window:
                left, top, right, bottom = shape.display_window
                _check_size(path, (bottom - top + 1, right - left + 1), max_pixels)
            named += [(channels[name], quantity, shape) for name, quantity in found.items() if quantity]
            planes, shapes = channels | planes, {**dict.fromkeys(channels, shape), **shapes}
        comments = str(exr.header(0).get("comments", "")) if exr.parts else ""
    if not planes:  # the library could not read the pixels
        raise ValueError("its pixels are damaged or cut off")
    for plane in planes.values():
        _check_size(path, plane.shape, max_pixels)
    if named:
        values, quantity, shape = named[0]
        return values, quantity, False, shape
    if "Y" in planes and not _is_of_vector("Y", planes):
        stated = comments if comments in (*QUANTITIES, "normals", "uncertainty") else None
        return planes["Y"], stated, False, shapes["Y"]
    if {"R", "G", "B"} <= set(planes):
        if comments in ("normals", "uncertainty"):
            return planes["R"], comments, False, shapes["R"]
        return _grey(np.stack([planes[name] for name in "RGB"], axis=-1), path), None, False, shapes["R"]
    raise UsageError(f"{path} has the channels {', '.join(planes)} and none of depth: name it Z, depth or disparity.")
