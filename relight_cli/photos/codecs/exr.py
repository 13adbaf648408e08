"""OpenEXR pictures: linear light in floats, of any brightness; needs the extra [exr]."""

import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from relight_cli.photos.codecs.decoded import Decoded, SizeCheck
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.colour_profiles import LINEAR, between, linear_profile
from relight_cli.photos.formats import require_format
from relight_cli.photos.metadata import Metadata

_COLOURS = ("R", "G", "B")
_REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # what the format means where it says nothing


def decode_exr(file: BinaryIO, check_size: SizeCheck) -> Decoded:
    """Decode colours or luminance and alpha of the first part to linear sRGB light in float32, alpha unassociated.

    Raises MissingExtraError, and ValueError for a picture without them.
    """
    require_format("EXR")
    import OpenEXR

    notes = []
    with tempfile.TemporaryDirectory() as folder:  # the library reads from names alone
        path = Path(folder) / "picture.exr"
        with path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        with quiet(), OpenEXR.File(str(path), header_only=True) as exr:
            header = dict(exr.header())  # which the library empties at the end
            check_size(*_size(header["dataWindow"]))
        with quiet(), OpenEXR.File(str(path), separate_channels=True) as exr:
            if not exr.parts:  # where the library has given up on the pixels
                raise ValueError("its pixels are damaged or cut off")
            planes = {name: channel.pixels for name, channel in exr.channels().items()}
            if len(exr.parts) > 1:
                notes.append(f"only the first of {len(exr.parts)} pictures is used")
    used = [name for name in _COLOURS if name in planes] or ["Y"]
    wanted = {name: planes[name] for name in (*used, "A") if name in planes}
    shapes = {plane.shape for plane in wanted.values()}
    if used not in (list(_COLOURS), ["Y"]) or not set(used) <= set(wanted) or len(shapes) != 1:
        raise ValueError(f"an EXR of the channels {', '.join(planes)}, not of R, G, B or Y")
    if len(planes) > len(wanted):
        notes.append("its further channels are dropped")
    if not np.array_equal(header["dataWindow"], header["displayWindow"]):
        notes.append("its picture is another window than its display, and only the picture is kept")
    pixels = np.stack([wanted[name] for name in used], axis=-1).astype(np.float32)
    alpha = np.ascontiguousarray(wanted["A"], np.float32) if "A" in wanted else None
    if alpha is not None:
        pixels /= _cover(alpha)
    where = tuple(float(value) for value in header.get("chromaticities", _REC709))
    if not np.allclose(where, _REC709, atol=1e-3) and len(used) == 3:
        pixels = between(pixels, linear_profile(where), LINEAR)
        notes.append("its primaries are converted to those of sRGB, without clipping")
    xmp = header.get("xmp")
    return Decoded(pixels, alpha, "EXR", None, LINEAR, xmp.encode() if isinstance(xmp, str) else None, notes=notes)


def encode_exr(samples: NDArray[np.float32], metadata: Metadata) -> bytes:
    """Encode (H, W, 1 to 4) linear sRGB light, the 2nd or 4th channel being unassociated alpha, as float32.

    Of the metadata it keeps the XMP packet and the software's name. Raises MissingExtraError.
    """
    require_format("EXR")
    import OpenEXR

    channels = samples.shape[2]
    names = {1: ("Y",), 2: ("Y", "A"), 3: _COLOURS, 4: (*_COLOURS, "A")}[channels]
    if "A" in names:
        samples = np.concatenate((samples[..., :-1] * _cover(samples[..., -1]), samples[..., -1:]), axis=-1)
    planes = {name: np.ascontiguousarray(samples[..., number]) for number, name in enumerate(names)}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if software := _software(metadata.exif):
        header["software"] = software
    if metadata.xmp:
        header["xmp"] = metadata.xmp.decode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.exr"
        OpenEXR.File(header, planes).write(str(path))
        return path.read_bytes()


def read_texts(path: Path) -> tuple[tuple[int, int], dict[str, str]]:
    """Read (width, height) and the texts in the header. Raises MissingExtraError and what the library raises."""
    require_format("EXR")
    import OpenEXR

    with quiet(), OpenEXR.File(str(path), header_only=True) as exr:
        header = exr.header()
        return _size(header["dataWindow"]), {name: text for name, text in header.items() if isinstance(text, str)}


def holds_more_than_software(exif: bytes | None) -> bool:
    """Tell whether an EXIF block holds what would be lost here."""
    found = Image.Exif()
    found.load(exif or b"")
    return bool(set(found) - {ExifTags.Base.Software, ExifTags.Base.Orientation})


def _size(window: tuple[NDArray, NDArray]) -> tuple[int, int]:
    (left, top), (right, bottom) = (tuple(int(value) for value in corner) for corner in window)
    return right - left + 1, bottom - top + 1


def _cover(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give what colours are multiplied by in the file, (H, W, 1): alpha, but 1 where it is 0 (light without cover)."""
    return np.where(alpha > 0, alpha, np.float32(1))[..., None]


def _software(exif: bytes | None) -> str | None:
    found = Image.Exif()
    found.load(exif or b"")
    name = found.get(ExifTags.Base.Software)
    return name if isinstance(name, str) else None
