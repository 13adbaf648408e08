"""Items of an AVIF: auxiliary pictures, EXIF data, and the settings of the main picture; the boxes are written here."""

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from command_line import Command
from iso_boxes import box, boxes, shifted
from photo_fixtures import noise
from PIL import Image

from relight_cli.photos.reading import read_photo

SAME = ("--model", "tiny", "--strength", "0")


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


def test_a_cut_avif_is_named(command: Command) -> None:
    file = io.BytesIO()
    Image.fromarray(noise((64, 64, 3))).save(file, "AVIF")
    Path("a.avif").write_bytes(file.getvalue()[:200])
    done = command("deshadow", *SAME, "a.avif", "-o", "b.png")
    assert (done.code, len(done.lines), "the AVIF is damaged or cut off" in done.err) == (4, 1, True)


def test_exif_data_in_the_header_of_an_avif_is_kept(tmp_path: Path) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x010F] = "Camera1"
    Image.fromarray(noise((64, 64, 3))).save(file, "AVIF", exif=exif)
    data = file.getvalue()
    first, (_, meta), *rest = boxes(data)
    inside = dict(boxes(meta[4:]))
    iloc = inside[b"iloc"]  # of version 0: numbers of 4 bytes, the colours and the EXIF data of one extent each
    (place, length), (start, size) = (struct.unpack_from(">II", iloc, at) for at in (14, 28))
    stored = data[start : start + size]
    assert b"Camera1" in stored
    added = 4 + 8 + size  # the methods of both items, and a box with the data
    items = struct.pack(">HHHHII", 1, 0, 0, 1, place + added, length) + struct.pack(">HHHHII", 2, 1, 0, 1, 0, size)
    changed = inside | {b"iloc": b"\1\0\0\0\x44\0\0\2" + items, b"idat": stored}
    moved = (b"meta", meta[:4] + b"".join(box(*one) for one in changed.items()))
    (tmp_path / "a.avif").write_bytes(b"".join(box(*one) for one in (first, moved, *rest)))
    kept = Image.Exif()
    kept.load(read_photo(tmp_path / "a.avif").metadata.exif)
    assert kept[0x010F] == "Camera1"
