"""Clean aperture and pixel aspect of the primary picture in an AVIF or HEIF file (ISO 23008-12, section 6.5)."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from relight_cli.photos.codecs.decoded import Decoded
from relight_cli.photos.codecs.jpeg2000 import iso_boxes
from relight_cli.photos.shape import Shape, aspect_of


@dataclass(frozen=True)
class HeifShape:
    """What the properties of a picture say about its shape as stored, before it is turned."""

    aperture: tuple[Fraction, Fraction, Fraction, Fraction] | None = None  # width, height, offset of the centre
    aspect: Fraction = Fraction(1)
    on_its_side: bool = False  # turned by 90 or 270 degrees

    def crop(self, width: int, height: int) -> tuple[slice, slice]:
        """Return the rows and columns of a picture of this size inside the clean aperture (ISO 14496-12, 12.1.4).

        Raises ValueError if they do not lie inside the picture.
        """
        if self.aperture is None:
            return slice(0, height), slice(0, width)
        wide, high, right, down = self.aperture
        columns = _span(width, wide, right)
        rows = _span(height, high, down)
        return rows, columns


def read_shape(head: bytes) -> HeifShape:
    """Read the properties of the primary picture; properties that are broken or missing say nothing."""
    shape = HeifShape()
    with contextlib.suppress(struct.error, ZeroDivisionError, IndexError):
        found = dict(_properties(head))
        if len(clap := found.get(b"clap", b"")) >= 32:
            pairs = struct.unpack_from(">IIIIiIiI", clap)
            wide, high, right, down = (Fraction(pairs[at], pairs[at + 1]) for at in range(0, 8, 2))
            shape = HeifShape((wide, high, right, down))
        aspect = aspect_of(*struct.unpack_from(">II", found[b"pasp"])) if b"pasp" in found else Fraction(1)
        turned = bool(found[b"irot"][0] & 1) if b"irot" in found else False
        shape = HeifShape(shape.aperture, aspect, turned)
    return shape


def apply_heif_shape(decoded: Decoded, shape: HeifShape) -> Decoded:
    """Crop a picture as stored to its clean aperture, and add its pixel aspect."""
    height, width = decoded.pixels.shape[:2]
    try:
        rows, columns = shape.crop(width, height)
    except ValueError as error:
        decoded.notes.append(f"{error} and is ignored")
        rows, columns = slice(0, height), slice(0, width)
    alpha = None if decoded.alpha is None else decoded.alpha[rows, columns]
    stated = None if shape.aspect == 1 else Shape(shape.aspect)
    return replace(decoded, pixels=decoded.pixels[rows, columns], alpha=alpha, shape=stated)


def main_property(data: bytes, name: bytes) -> bytes | None:
    """Return the content of a property of the primary picture; None if it has none or the file is broken."""
    with contextlib.suppress(struct.error, IndexError):
        return next((body for found, body in _properties(data) if found == name), None)
    return None


def _properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the properties of the primary picture."""
    meta = next((body[4:] for name, body in iso_boxes(data) if name == b"meta"), b"")
    parts = dict(iso_boxes(meta))
    pitm = parts.get(b"pitm", b"")
    primary = int.from_bytes(pitm[4 : 8 if pitm[:1] == b"\1" else 6])
    inside = list(iso_boxes(parts.get(b"iprp", b"")))
    properties = [list(iso_boxes(body)) for name, body in inside if name == b"ipco"]
    for name, body in inside:
        if name == b"ipma" and properties:
            for index in _associations(body).get(primary, ()):
                if 0 < index <= len(properties[0]):
                    yield properties[0][index - 1]


def _associations(body: bytes) -> dict[int, list[int]]:
    """Return the numbers of the properties of each picture (ISO 23008-12, section 9.3)."""
    version, flags = body[0], body[3]
    (count,) = struct.unpack_from(">I", body, 4)
    at, found = 8, {}
    item, number = (">I" if version else ">H"), (">H" if flags & 1 else ">B")
    for _ in range(count):
        (picture,) = struct.unpack_from(item, body, at)
        at += struct.calcsize(item)
        listed = body[at]
        numbers = struct.unpack_from(f">{listed}{number[1]}", body, at + 1)
        at += 1 + listed * struct.calcsize(number)
        found[picture] = [value & (0x7FFF if flags & 1 else 0x7F) for value in numbers]
    return found


def _span(size: int, clean: Fraction, offset: Fraction) -> slice:
    start = round((size - clean) / 2 + offset)
    stop = start + round(clean)
    if not 0 <= start < stop <= size:
        raise ValueError("the clean aperture does not lie inside the picture")
    return slice(start, stop)
