"""OpenEXR pictures: linear light as floats of any brightness; needs the extra [exr]."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from relight_cli.photos.cicp import are_primaries
from relight_cli.photos.codecs.decoded import Decoded, SizeCheck
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.colour_profiles import LINEAR, REC709, linear_profile
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.formats import require_format
from relight_cli.photos.metadata import Metadata

_COLOURS = ("R", "G", "B")


def decode_exr(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode RGB or luminance, and alpha, of the first part to float32 linear light with unassociated alpha.

    Raises MissingExtraError, and ValueError for a picture with neither RGB nor luminance.
    """
    require_format("EXR")
    import OpenEXR

    notes = []
    with tempfile.TemporaryDirectory() as folder:  # the library reads only files with a name
        path = Path(folder) / "picture.exr"
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        with quiet(), OpenEXR.File(str(path), header_only=True) as exr:
            header = dict(exr.header())  # a copy, because the library empties it at the end
            check_size(*_size(header["dataWindow"]))
        with quiet(), OpenEXR.File(str(path), separate_channels=True) as exr:
            if not exr.parts:  # the library could not read the pixels
                raise ValueError("its pixels are damaged or cut off")
            planes = {name: channel.pixels for name, channel in exr.channels().items()}
            if len(exr.parts) > 1:
                notes.append(f"only the first of {len(exr.parts)} pictures is used")
    used = [name for name in _COLOURS if name in planes] or ["Y"]
    wanted = {name: planes[name] for name in (*used, "A") if name in planes}
    shapes = {plane.shape for plane in wanted.values()}
    if used not in (list(_COLOURS), ["Y"]) or not set(used) <= set(wanted) or len(shapes) != 1:
        raise ValueError(f"the EXR has the channels {', '.join(planes)}, not R, G, B or Y")
    if len(planes) > len(wanted):
        notes.append("its extra channels are dropped")
    if not np.array_equal(header["dataWindow"], header["displayWindow"]):
        notes.append("its data window differs from its display window; only the data window is kept")
    pixels = np.stack([wanted[name] for name in used], axis=-1).astype(np.float32)
    alpha = np.ascontiguousarray(wanted["A"], np.float32) if "A" in wanted else None
    if alpha is not None:
        pixels /= _alpha_factor(alpha)
    icc, colour = _colours(header.get("chromaticities", REC709), len(used), notes)
    xmp = header.get("xmp")
    packet = xmp.encode() if isinstance(xmp, str) else None
    return Decoded(pixels, alpha, "EXR", None, icc, packet, notes=notes, colour=colour)


def _colours(primaries: Iterable[float], channels: int, notes: list[str]) -> tuple[bytes, ColourTags | None]:
    """Return the profile of linear light in a picture's primaries, and the primaries if they are not those of sRGB."""
    own = tuple(float(value) for value in primaries)  # the default of the format are those of sRGB
    if channels == 1 or np.allclose(own, REC709, atol=1e-3):
        return LINEAR, None
    if not are_primaries(own):
        notes.append("its primaries are no colour space; they are read as those of sRGB")
        return LINEAR, None
    return linear_profile(own), ColourTags(chromaticities=own)


def encode_exr(samples: NDArray[np.float32], metadata: Metadata) -> bytes:
    """Encode (H, W, 1 to 4) linear light, the 2nd or 4th channel being unassociated alpha, as float32.

    Of the metadata only the XMP packet and the Software tag are kept. Raises MissingExtraError.
    """
    require_format("EXR")
    import OpenEXR

    channels = samples.shape[2]
    names = {1: ("Y",), 2: ("Y", "A"), 3: _COLOURS, 4: (*_COLOURS, "A")}[channels]
    if "A" in names:
        samples = np.concatenate((samples[..., :-1] * _alpha_factor(samples[..., -1]), samples[..., -1:]), axis=-1)
    planes = {name: np.ascontiguousarray(samples[..., number]) for number, name in enumerate(names)}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if software := _software(metadata.exif):
        header["software"] = software
    if metadata.colour and metadata.colour.chromaticities:
        header["chromaticities"] = metadata.colour.chromaticities
    if metadata.xmp:
        header["xmp"] = metadata.xmp.decode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.exr"
        OpenEXR.File(header, planes).write(str(path))
        return path.read_bytes()


def read_texts(path: Path) -> tuple[tuple[int, int], dict[str, str]]:
    """Return (width, height) and the texts in the header. Raises MissingExtraError and what the library raises."""
    require_format("EXR")
    import OpenEXR

    with quiet(), OpenEXR.File(str(path), header_only=True) as exr:
        header = exr.header()
        return _size(header["dataWindow"]), {name: text for name, text in header.items() if isinstance(text, str)}


def loses_exif(exif: bytes | None) -> bool:
    """Return whether an EXIF block has tags that an EXR cannot store."""
    found = Image.Exif()
    found.load(exif or b"")
    return bool(set(found) - {ExifTags.Base.Software, ExifTags.Base.Orientation})


def _size(window: tuple[NDArray, NDArray]) -> tuple[int, int]:
    (left, top), (right, bottom) = (tuple(int(value) for value in corner) for corner in window)
    return right - left + 1, bottom - top + 1


def _alpha_factor(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the factor (H, W, 1) of the stored colours: alpha, or 1 where alpha is 0 (light without coverage)."""
    return np.where(alpha > 0, alpha, np.float32(1))[..., None]


def _software(exif: bytes | None) -> str | None:
    found = Image.Exif()
    found.load(exif or b"")
    name = found.get(ExifTags.Base.Software)
    return name if isinstance(name, str) else None
