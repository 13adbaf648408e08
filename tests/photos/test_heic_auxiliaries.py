"""Gain maps, depth maps and mattes that belong to the main picture of a HEIC; the boxes are written here."""

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from command_line import Command
from photo_fixtures import noise
from PIL import Image

from relight_cli.photos.reading import read_photo

pillow_heif = pytest.importorskip("pillow_heif")
SAME = ("--model", "tiny", "--strength", "0")
KINDS = {
    "urn:com:apple:photo:2020:aux:hdrgainmap": "HDR gain map",
    "urn:mpeg:mpegB:cicp:systems:auxiliary:depth": "depth map",
    "urn:mpeg:hevc:2015:auxid:2": "depth map",
    "urn:com:apple:photo:2018:aux:portraiteffectsmatte": "auxiliary picture",
}


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, name) + body


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        found.append((name, data[at + 8 : at + size]))
        at += size
    return found


def shifted(iloc: bytes, by: int) -> bytes:
    """Return an item location box with offsets that are larger by `by` (ISO 14496-12, section 8.11.3)."""
    out, version = bytearray(iloc), iloc[0]
    offset, length, base = iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4
    (count,) = struct.unpack_from(">H", iloc, 6)
    at = 8
    for _ in range(count):
        at += 2 + (2 if version else 0) + 2 + base
        (extents,) = struct.unpack_from(">H", iloc, at)
        at += 2
        for _ in range(extents):
            value = int.from_bytes(iloc[at : at + offset]) + by
            out[at : at + offset] = value.to_bytes(offset)
            at += offset + length
    return bytes(out)


def heic_with_auxiliary(kind: str) -> bytes:
    """Return a HEIC whose second picture is auxiliary to the first (ISO 23008-12, section 6.5.8)."""
    file = io.BytesIO()
    heif = pillow_heif.from_pillow(Image.fromarray(noise((64, 64, 3))))
    heif.add_from_pillow(Image.fromarray(noise((64, 64), seed=1)))
    heif.save(file, quality=-1, chroma=444, matrix_coefficients=0)
    top = boxes(file.getvalue())
    meta = boxes(dict(top)[b"meta"][4:])
    properties = boxes(dict(meta)[b"iprp"])
    listed = boxes(dict(properties)[b"ipco"])
    ipma = bytearray(dict(properties)[b"ipma"])
    main = struct.unpack_from(">H", dict(meta)[b"pitm"], 4)[0]
    at, other = 8, 0
    for _ in range(struct.unpack_from(">I", ipma, 4)[0]):
        (item,), count = struct.unpack_from(">H", ipma, at), ipma[at + 2]
        if item != main:
            other = item
            ipma.insert(at + 3 + count, 0x80 | (len(listed) + 1))
            ipma[at + 2] += 1
            break
        at += 3 + count
    listed.append((b"auxC", bytes(4) + kind.encode() + b"\0"))
    new = {b"ipco": b"".join(box(*one) for one in listed), b"ipma": bytes(ipma)}
    iprp = b"".join(box(name, new[name]) for name, _ in properties)
    iref = box(b"iref", bytes(4) + box(b"auxl", struct.pack(">HHH", other, 1, main)))
    added = len(iprp) - len(dict(meta)[b"iprp"]) + len(iref)
    changed = {b"iprp": iprp, b"iloc": shifted(dict(meta)[b"iloc"], added)}
    whole = b"".join(box(name, changed.get(name, body)) for name, body in meta) + iref
    return b"".join(box(name, dict(top)[b"meta"][:4] + whole if name == b"meta" else body) for name, body in top)


@pytest.mark.parametrize("suffix", ["heic", "png"])
@pytest.mark.parametrize("kind", KINDS)
def test_auxiliary_pictures_are_noted(kind: str, suffix: str, command: Command) -> None:
    Path("a.heic").write_bytes(heic_with_auxiliary(kind))
    done = command("deshadow", *SAME, "a.heic", "-o", f"b.{suffix}", "--quality", "100")
    assert done.code == 0, done.err
    assert len(done.lines) == 1
    assert f"its {KINDS[kind]} is dropped" in done.err
    if suffix == "png":
        np.testing.assert_array_equal(np.asarray(Image.open("b.png")), noise((64, 64, 3)))


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (b"Exif", b"tmap", "HDR gain map"),  # an item that another one was
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth", "depth map"),
        (
            b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
            b"urn:com:apple:photo:2020:aux:hdrgainmap\0\0\0\0",
            "HDR gain map",
        ),
    ],
)
def test_auxiliary_pictures_of_an_avif_are_noted(old: bytes, new: bytes, name: str, command: Command) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x010F] = "Camera1"
    Image.fromarray(noise((64, 64, 4))).save(file, "AVIF", exif=exif)
    Path("a.avif").write_bytes(file.getvalue().replace(old, new, 1))
    done = command("deshadow", *SAME, "a.avif", "-o", "b.png")
    assert (done.code, len(done.lines), f"its {name} is dropped" in done.err) == (0, 1, True), done.err


def test_the_bits_of_an_avif_are_those_of_its_main_picture() -> None:
    samples = noise((64, 64, 3), "uint16") >> 6
    data = bytes(imagecodecs.avif_encode(samples, level=100, bitspersample=10, pixelformat="444"))
    first, (_, meta), *rest = boxes(data)
    other = box(b"free", box(b"av1C", b"\x81\0\x0c\0"))  # of 8 bits
    inside = [(name, shifted(body, len(other)) if name == b"iloc" else body) for name, body in boxes(meta[4:])]
    changed = (b"meta", meta[:4] + b"".join(box(*one) for one in inside))
    photo = read_photo(io.BytesIO(box(*first) + other + b"".join(box(*one) for one in (changed, *rest))))
    assert photo.pixels.dtype == np.uint16


def test_alpha_is_no_auxiliary_that_is_lost(command: Command) -> None:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(noise((64, 64, 4)))).save(file, quality=-1, chroma=444)
    Path("a.heic").write_bytes(file.getvalue())
    done = command("deshadow", *SAME, "a.heic", "-o", "b.png")
    assert (done.code, done.err) == (0, "")
    with Image.open("b.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[..., 3], noise((64, 64, 4))[..., 3])


def test_a_cut_avif_is_named(command: Command) -> None:
    file = io.BytesIO()
    Image.fromarray(noise((64, 64, 3))).save(file, "AVIF")
    Path("a.avif").write_bytes(file.getvalue()[:200])
    done = command("deshadow", *SAME, "a.avif", "-o", "b.png")
    assert (done.code, len(done.lines), "the AVIF is damaged or cut off" in done.err) == (4, 1, True)
