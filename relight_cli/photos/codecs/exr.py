"""OpenEXR pictures: linear light as floats of any brightness; needs the extra [exr]."""

import errno
import os
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from relight_cli.cores import available_cores
from relight_cli.photos.cicp import are_primaries, weights_of
from relight_cli.photos.codecs.decoded import Decoded, SizeCheck, UnsupportedError, coverage, unassociate
from relight_cli.photos.codecs.exr_attributes import descriptive_attributes, writable_attributes
from relight_cli.photos.codecs.exr_colours import exr_colours, undecided_space
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.colour_profiles import REC709
from relight_cli.photos.effort import Effort
from relight_cli.photos.formats import require_format
from relight_cli.photos.metadata import Extras, Metadata
from relight_cli.photos.shape import Corners, Shape, aspect_of, pixel_aspect

# Lossless compressions that every program reads, by benchmarks/encoders.py.
_COMPRESSIONS = {Effort.FAST: "NO_COMPRESSION", Effort.DEFAULT: "PIZ_COMPRESSION", Effort.SMALL: "PIZ_COMPRESSION"}
_COLOURS = ("R", "G", "B")
_CHROMA = ("RY", "BY")
_WHOLE_LIGHT = ("combined.", "beauty.")  # layers of Blender and of other renderers


def decode_exr(file: BinaryIO, check_size: SizeCheck, page: int | None = None) -> Decoded:
    """Decode RGB or luminance, and alpha, to float32 linear light with unassociated alpha.

    That is of the first part with colours, or of part `page` (from 1). Raises MissingExtraError, and ValueError for a
    picture with neither RGB nor luminance.
    """
    require_format("EXR")
    header, planes, notes = _read_part(file, check_size, page)
    primaries = tuple(float(value) for value in header.get("chromaticities", REC709))  # the default of the format
    layer = _layer_with_colours(planes)
    if layer:
        notes.append(f"only its layer {layer.removesuffix('.')} is used")
        planes = {name.removeprefix(layer): plane for name, plane in planes.items() if name.startswith(layer)}
    if {"Y", *_CHROMA} <= set(planes):
        weights = weights_of(primaries if are_primaries(primaries) else REC709)
        planes |= _rgb_of_chroma(*(planes.pop(name) for name in ("Y", *_CHROMA)), weights=weights)
    used = [name for name in _COLOURS if name in planes] or ["Y"]
    wanted = {name: planes[name] for name in used if name in planes}
    if "A" in planes and planes["A"].dtype.kind == "f":  # whole numbers are no coverage
        wanted["A"] = planes["A"]
    shapes = {plane.shape for plane in wanted.values()}
    if (
        used not in (list(_COLOURS), ["Y"])
        or (used == ["Y"] and (set(_CHROMA) & set(planes) or {"X", "Z"} <= set(planes)))  # CIE XYZ
        or not set(used) <= set(wanted)
        or len(shapes) != 1
    ):
        raise ValueError(f"the EXR has the channels {', '.join(planes)}, not R, G, B or Y")
    if any(wanted[name].dtype.kind == "u" for name in used):
        raise UnsupportedError("its colours are whole numbers, which are no light")
    if len(planes) > len(wanted):
        notes.append("its extra channels are dropped")
    pixels = np.stack([wanted[name] for name in used], axis=-1).astype(np.float32)
    alpha = np.ascontiguousarray(wanted["A"], np.float32) if "A" in wanted else None
    if alpha is not None:
        unassociate(pixels, alpha)
    icc, colour = exr_colours(header, len(used), notes)
    xmp = header.get("xmp")
    extras, shape = Extras(attributes=descriptive_attributes(header)), shape_of(header)
    packet = xmp.encode() if isinstance(xmp, str) else None
    decoded = Decoded(pixels, alpha, "EXR", None, icc, packet, notes=notes, extras=extras, shape=shape, colour=colour)
    decoded.undecided = undecided_space(header)
    return decoded


def _read_part(
    file: BinaryIO, check_size: SizeCheck, page: int | None
) -> tuple[dict[str, Any], dict[str, NDArray[Any]], list[str]]:
    """Return the header of the first part with colours, or of part `page`, its planes (H, W) by channel, and notes."""
    import OpenEXR

    notes = []
    with tempfile.TemporaryDirectory() as folder:  # the library reads only files with a name
        path = Path(folder) / "picture.exr"
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        with quiet(), OpenEXR.File(str(path), header_only=True) as exr:
            part, count = _part_with_colours(exr, page)
            header = dict(exr.header(part))  # a copy, because the library empties it at the end
            check_size(*_size(header["dataWindow"]))
            if reason := _refusal(header):
                raise UnsupportedError(reason)
        with quiet(), OpenEXR.File(str(path), separate_channels=True) as exr:
            if not exr.parts:  # the library could not read the pixels
                raise ValueError("its pixels are damaged or cut off")
            planes = {name: channel.pixels for name, channel in exr.channels(part).items()}
    if count > 1 and page is None:
        which = f"number {part + 1}" if part else "the first"
        notes.append(f"only {which} of {count} pictures is used; --page picks another")
    return header, planes, notes


def encode_exr(
    file: BinaryIO, samples: NDArray[np.float32], metadata: Metadata, effort: Effort = Effort.DEFAULT
) -> None:
    """Write (H, W, 1 to 4) linear light, the 2nd or 4th channel being unassociated alpha, as float32.

    Of the metadata only XMP, the Software tag and the attributes of an EXR are kept. Raises MissingExtraError.
    """
    require_format("EXR")
    channels = samples.shape[2]
    names = {1: ("Y",), 2: ("Y", "A"), 3: _COLOURS, 4: (*_COLOURS, "A")}[channels]
    if "A" in names:
        colours = samples[..., :-1] * coverage(samples[..., -1])[..., None]
        samples = np.concatenate((colours, samples[..., -1:]), axis=-1)
    planes = {name: np.ascontiguousarray(samples[..., number]) for number, name in enumerate(names)}
    header = header_of(metadata, samples.shape, effort)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.exr"
        write_file(header, planes, path)
        with path.open("rb") as made:
            shutil.copyfileobj(made, file)


def header_of(metadata: Metadata, size: tuple[int, ...], effort: Effort) -> dict[str, Any]:
    """Return the header of a picture of `size` (H, W, ...) with what an EXR can store of the metadata."""
    import OpenEXR

    header = writable_attributes(metadata.extras.attributes) if metadata.extras.attributes else {}
    header |= {"compression": getattr(OpenEXR, _COMPRESSIONS[effort]), "type": OpenEXR.scanlineimage}
    header |= shape_attributes(metadata, size)
    if software := _software(metadata.exif):
        header["software"] = software
    if metadata.colour and metadata.colour.chromaticities:
        header["chromaticities"] = metadata.colour.chromaticities
    if metadata.xmp:
        header["xmp"] = metadata.xmp.decode()
    return header


def write_file(header: dict[str, Any], planes: dict[str, NDArray], path: Path) -> None:
    """Write a file in a temporary folder. Raises OSError if that folder is full, and what the library raises."""
    import OpenEXR

    _use_cores()
    try:
        OpenEXR.File(header, planes).write(str(path))
    except Exception as error:
        full = next((code for code in (errno.ENOSPC, errno.EDQUOT) if os.strerror(code) in str(error)), None)
        if full is None:
            raise
        raise OSError(full, f"{os.strerror(full)} in {tempfile.gettempdir()}") from error


def _use_cores() -> None:
    """Let the library compress on all cores, which it does not by itself; the bytes are the same."""
    import OpenEXR

    if not OpenEXR.global_thread_count() and (cores := available_cores()) > 1:
        OpenEXR.set_global_thread_count(cores)


def read_texts(path: Path) -> tuple[tuple[int, int], dict[str, str]]:
    """Return (width, height) and the texts in the header. Raises MissingExtraError and what the library raises."""
    require_format("EXR")
    import OpenEXR

    with quiet(), OpenEXR.File(str(path), header_only=True) as exr:
        header = exr.header(_part_with_colours(exr)[0])
        return _size(header["dataWindow"]), {name: text for name, text in header.items() if isinstance(text, str)}


def read_display_size(path: Path) -> tuple[int, int]:
    """Return (width, height) of the display window: the whole picture, of which pixels may fill a part.

    Raises as `read_texts`.
    """
    require_format("EXR")
    import OpenEXR

    with quiet(), OpenEXR.File(str(path), header_only=True) as exr:
        return _size(exr.header(_part_with_colours(exr)[0])["displayWindow"])


def _part_with_colours(exr: Any, wanted: int | None = None) -> tuple[int, int]:
    """Return the number of the first flat part with RGB or luminance (0 if there is none), and that of all parts.

    Part `wanted` (from 1) is taken as it is. Raises ValueError if there is no such part.
    """
    parts = [part.header for part in exr.parts]
    if wanted is not None:
        if not 1 <= wanted <= len(parts):
            raise ValueError(f"there is no page {wanted}, only {len(parts)}")
        return wanted - 1, len(parts)
    for number, header in enumerate(parts):
        names = {channel.name for channel in header.get("channels", ())}
        if (names.issuperset(_COLOURS) or "Y" in names or _layer_with_colours(names)) and "deep" not in str(
            header.get("type")
        ):
            return number, len(parts)
    return 0, len(parts)


def _layer_with_colours(names: Collection[str]) -> str:
    """Return the prefix ("beauty.") of the layer with RGB that has the whole light by its name, else of the first.

    It is empty if colours need none or there are none.
    """
    if "Y" in names or any(name in names for name in _COLOURS):
        return ""
    prefixes = sorted({name[:-1] for name in names if name[-1:] == "R"})
    prefixes.sort(key=lambda prefix: not prefix.lower().endswith(_WHOLE_LIGHT))
    return next((prefix for prefix in prefixes if all(prefix + name in names for name in _COLOURS)), "")


def _refusal(header: dict[str, Any]) -> str | None:
    """Return why a part cannot be read, None if it can."""
    if "deep" in str(header.get("type")):
        return "it is a deep EXR, with any number of samples a pixel"
    if "ONE_LEVEL" not in str(getattr(header.get("tiles"), "mode", "ONE_LEVEL")):
        return "it is an EXR with copies in several sizes (a mipmap)"
    return None


def _rgb_of_chroma(
    luminance: NDArray, red: NDArray, blue: NDArray, *, weights: NDArray[np.float64]
) -> dict[str, NDArray]:
    """Return R, G and B from luminance Y and chroma RY = (R - Y) / Y, BY = (B - Y) / Y, which may be subsampled.

    `weights` are the shares of R, G and B in Y.
    """
    height, width = luminance.shape
    y, ry, by = (np.asarray(plane, np.float32) for plane in (luminance, red, blue))
    if ry.shape != y.shape:
        steps = -(-height // ry.shape[0]), -(-width // ry.shape[1])
        ry, by = (np.kron(plane, np.ones(steps, np.float32))[:height, :width] for plane in (ry, by))
    r, b = (ry + 1) * y, (by + 1) * y
    return {"R": r, "G": ((y - weights[0] * r - weights[2] * b) / weights[1]).astype(np.float32), "B": b}


def shape_of(header: dict[str, Any]) -> Shape | None:
    """Return the shape that a header states; None if it says nothing but the size."""
    data, display = _corners(header["dataWindow"]), _corners(header["displayWindow"])
    aspect = aspect_of(float(header.get("pixelAspectRatio", 1.0)), 1)
    windows = (None, None) if data == display and data[:2] == (0, 0) else (data, display)
    return None if aspect == 1 and windows == (None, None) else Shape(aspect, *windows)


def shape_attributes(metadata: Metadata, size: tuple[int, ...]) -> dict[str, Any]:
    """Return the attributes of a header for the shape of a picture of `size` (H, W, ...)."""
    attributes: dict[str, Any] = {}
    if (aspect := pixel_aspect(metadata)) != 1:
        attributes["pixelAspectRatio"] = float(aspect)
    data, display = (metadata.shape.data_window, metadata.shape.display_window) if metadata.shape else (None, None)
    if data and display and (data[3] - data[1] + 1, data[2] - data[0] + 1) == size[:2]:
        for name, (left, top, right, bottom) in (("dataWindow", data), ("displayWindow", display)):
            attributes[name] = (np.array([left, top], np.int32), np.array([right, bottom], np.int32))
    return attributes


def loses_exif(exif: bytes | None) -> bool:
    """Return whether an EXIF block has tags that an EXR cannot store."""
    found = Image.Exif()
    found.load(exif or b"")
    return bool(set(found) - {ExifTags.Base.Software, ExifTags.Base.Orientation})


def _size(window: tuple[NDArray, NDArray]) -> tuple[int, int]:
    left, top, right, bottom = _corners(window)
    return right - left + 1, bottom - top + 1


def _corners(window: tuple[NDArray, NDArray]) -> Corners:
    (left, top), (right, bottom) = (tuple(int(value) for value in corner) for corner in window)
    return left, top, right, bottom


def _software(exif: bytes | None) -> str | None:
    found = Image.Exif()
    found.load(exif or b"")
    name = found.get(ExifTags.Base.Software)
    return name if isinstance(name, str) else None
