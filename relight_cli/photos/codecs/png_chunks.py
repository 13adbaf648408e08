"""Chunks of a PNG with metadata: EXIF, XMP, texts, and the "Raw profile" texts of ImageMagick, ExifTool and Exiv2."""

import contextlib
import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO

from relight_cli.photos.image_resources import join_iptc, split_iptc
from relight_cli.photos.metadata import Extras, strip_exif_header

_KEPT = (b"tEXt", b"zTXt", b"iTXt", b"tIME")
_XMP = b"XML:com.adobe.xmp"
_RAW = b"Raw profile type "
_APP1_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_LONGEST = 64 << 20  # bytes of a decompressed text
_RAW_KINDS = (b"exif", b"app1", b"xmp", b"iptc", b"8bim", b"icc", b"icm")
_LINE = 72  # hexadecimal digits, as ImageMagick writes them
_RAW_HEAD = re.compile(rb"\s{0,9}\S[^\r\n]{0,80}?\s{1,80}(\d+)\s")  # a name, ExifTool's with a space, and the length


@dataclass
class PngMetadata:
    """What the chunks of a PNG hold next to the picture."""

    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None  # from a "Raw profile" only
    extras: Extras = field(default_factory=Extras)
    damaged: tuple[str, ...] = ()  # kinds of "Raw profile" texts that cannot be decoded


def read_png_metadata(file: BinaryIO) -> PngMetadata:
    """Read the metadata of a PNG, also the chunks after the pixels; damaged chunks are left out."""
    found, texts = PngMetadata(), []
    profiles: dict[bytes, bytes] = {}
    for name, body in _chunks(file):
        if name == b"eXIf":
            found.exif = found.exif or strip_exif_header(body) or None
        elif name == b"tIME":
            texts.append((name, body))
        else:
            keyword = body.split(b"\0", 1)[0]
            kind = keyword.removeprefix(_RAW).lower() if keyword.startswith(_RAW) else None
            if keyword == _XMP:
                found.xmp = found.xmp or text_of(name, body) or None
            elif kind in _RAW_KINDS:
                profiles.setdefault(kind, _raw_profile(text_of(name, body)))
            else:
                texts.append((name, body))
    app1 = profiles.get(b"app1", b"")
    found.exif = found.exif or strip_exif_header(profiles.get(b"exif") or _if_exif(app1)) or None
    if app1.startswith(_APP1_XMP):
        profiles.setdefault(b"xmp", app1[len(_APP1_XMP) :])
    found.xmp = found.xmp or profiles.get(b"xmp") or None
    found.icc = profiles.get(b"icc") or profiles.get(b"icm") or None
    iptc = profiles.get(b"iptc", b"")
    blocks = (b"" if iptc[:1] == b"\x1c" else iptc) or profiles.get(b"8bim", b"")
    inside, resources = split_iptc(blocks)
    found.damaged = tuple(kind.decode() for kind, content in profiles.items() if not content)
    found.extras = Extras(iptc if iptc[:1] == b"\x1c" else inside, resources, texts=tuple(texts))
    return found


def has_chunk(file: BinaryIO, wanted: bytes) -> bool:
    """Return whether a PNG has a chunk of this name before its pixels."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name in (wanted, b"IDAT"):
            return name == wanted
        file.seek(length + 4, 1)
    return False


def text_of(name: bytes, body: bytes) -> bytes:
    """Return the text of a tEXt, zTXt (both Latin-1) or iTXt (UTF-8) chunk (PNG, section 11.3.3); b"" if damaged."""
    _, _, rest = body.partition(b"\0")
    if name == b"tEXt":
        return rest
    compressed = rest[:1] == b"\1" if name == b"iTXt" else True
    rest = rest[2:].split(b"\0", 2)[-1] if name == b"iTXt" else rest[1:]
    if not compressed:
        return rest
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj().decompress(rest, _LONGEST)
    return b""


def raw_profile(kind: str, content: bytes) -> bytes:
    """Return the content of a zTXt chunk with a "Raw profile"."""
    digits = content.hex()
    lines = "\n".join(digits[at : at + _LINE] for at in range(0, len(digits), _LINE))
    text = f"\n{kind}\n{len(content):8}\n{lines}\n".encode()
    return _RAW + kind.encode() + b"\0\0" + zlib.compress(text)


def chunks_of(extras: Extras) -> list[tuple[bytes, bytes]]:
    """Return name and content of the chunks for IPTC, comments and texts."""
    chunks = list(extras.texts)
    for comment in extras.comments:
        chunks.append(comment_chunk(comment))
    if extras.iptc or extras.resources:
        chunks.append((b"zTXt", raw_profile("iptc", join_iptc(extras.iptc, extras.resources))))
    return chunks


def comment_chunk(comment: bytes) -> tuple[bytes, bytes]:
    """Return a text chunk for a comment, whose encoding no file states: UTF-8 if it is that, else Latin-1."""
    comment = comment.strip(b"\0")
    if comment.isascii():
        return b"tEXt", b"Comment\0" + comment.replace(b"\0", b" ")
    try:
        text = comment.decode()
    except UnicodeDecodeError:
        text = comment.decode("latin-1")
    return b"iTXt", b"Comment\0\0\0\0\0" + text.replace("\0", " ").encode()


def _raw_profile(text: bytes) -> bytes:
    """Decode a "Raw profile": name, length and hexadecimal digits, each on lines of its own."""
    head = _RAW_HEAD.match(text)
    with contextlib.suppress(ValueError):
        if head:
            return bytes.fromhex(b"".join(text[head.end() :].split()).decode("ascii"))[: int(head[1])]
    return b""


def _if_exif(app1: bytes) -> bytes:
    return app1 if app1.startswith((b"Exif\0\0", b"II*\0", b"MM\0*")) else b""


def _chunks(file: BinaryIO) -> "list[tuple[bytes, bytes]]":
    """Return the undamaged chunks with metadata."""
    file.seek(8)
    chunks = []
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name in (*_KEPT, b"eXIf"):
            body, check = file.read(length), file.read(4)
            if check == struct.pack(">I", zlib.crc32(name + body)):
                chunks.append((name, body))
        elif name == b"IEND":
            break
        else:
            file.seek(length + 4, 1)
    return chunks
