"""The chunks of a PNG that say what its colours are (PNG, 3rd edition, section 11.3.2), read and written."""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from relight_cli.photos.cicp import are_primaries
from relight_cli.photos.colour_tags import ColourTags

_SIZES = {b"cICP": 4, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1}


def read_colours(file: BinaryIO, notes: list[str]) -> ColourTags:
    """Read the chunks before the palette and the pixels; damaged ones are ignored, with a note for a wrong cICP."""
    found = dict(_chunks(file))
    cicp, gamma, chromaticities = None, None, None
    if b"cICP" in found:
        primaries, transfer, matrix, _ = found[b"cICP"]
        if matrix:  # only RGB is allowed
            notes.append("its cICP chunk is not for RGB and is ignored")
        else:
            cicp = (primaries, transfer)
    if b"gAMA" in found and (value := int.from_bytes(found[b"gAMA"])) and 0.1 <= 100000 / value <= 10:
        gamma = 100000 / value
    if b"cHRM" in found:
        white_x, white_y, *colours = (value / 100000 for value in struct.unpack(">8I", found[b"cHRM"]))
        chromaticities = (*colours, white_x, white_y)
        chromaticities = chromaticities if are_primaries(chromaticities) else None
    narrow = cicp is not None and found[b"cICP"][3] == 0
    return ColourTags(cicp, not narrow, b"sRGB" in found, gamma, chromaticities)


def colour_chunks(colour: ColourTags | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the chunks that say the same as the profile of a picture."""
    if colour and colour.cicp:
        yield b"cICP", bytes((*colour.cicp, 0, 1))
    if colour and colour.gamma:
        yield b"gAMA", struct.pack(">I", round(100000 / colour.gamma))
    if colour and colour.chromaticities and min(colour.chromaticities) >= 0:
        values = (*colour.chromaticities[6:], *colour.chromaticities[:6])
        yield b"cHRM", struct.pack(">8I", *(round(value * 100000) for value in values))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the whole colour chunks from the last to the first, so that the first of a name counts."""
    file.seek(8)
    found = []
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name in (b"PLTE", b"IDAT", b"IEND"):
            break
        if _SIZES.get(name) != length:
            file.seek(length + 4, 1)
            continue
        body, check = file.read(length), file.read(4)
        if check == struct.pack(">I", zlib.crc32(name + body)):
            found.append((name, body))
    yield from reversed(found)
