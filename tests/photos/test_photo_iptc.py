"""IPTC, image resources of Photoshop and comments come through, or one note names them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile
from command_line import Command
from extras_fixtures import IPTC, PIXELS, block, hexadecimal, iptc_of, jpeg, png, tiff, unchanged
from photo_fixtures import exif_block
from PIL import Image

from relight_cli.photos.metadata import Extras, Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

APP13 = b"Photoshop 3.0\0" + block(0x0404, IPTC) + block(0x040A, b"\1") + block(0x07D0, bytes(52), b"Path 1")
WANTED_IPTC = ["A harbour", "harbour", "noon"]


def write_with_iptc(kind: str) -> Path:
    path = Path(f"in.{kind.rstrip('0123456789')}")
    blocks = block(0x0404, IPTC)
    padded = IPTC + bytes(-len(IPTC) % 4)
    words = [(33723, "I", len(padded) // 4, padded, True)]
    makers: dict[str, Callable[[], bytes]] = {
        "jpg": lambda: jpeg((0xED, APP13)),
        "jpg2": lambda: jpeg((0xED, APP13[:40]), (0xED, b"Photoshop 3.0\0" + APP13[40:])),  # one block in two segments
        "png": lambda: png((b"zTXt", hexadecimal("iptc", IPTC))),
        "png2": lambda: png((b"zTXt", hexadecimal("iptc", blocks))),
        "png3": lambda: png((b"zTXt", hexadecimal("8bim", blocks)), depth=16),
        "png4": lambda: png(late=((b"zTXt", hexadecimal("iptc", IPTC)),), depth=16),
        "tif": lambda: tiff([(33723, "B", len(IPTC), IPTC, True)]),
        "tif2": lambda: tiff([(34377, "B", len(blocks), blocks, True)], byteorder=">"),
        "tif3": lambda: tiff(words),
    }
    path.write_bytes(makers[kind]())
    return path


@pytest.mark.parametrize("target", ["jpg", "png", "tif", "jp2"])
@pytest.mark.parametrize("source", ["jpg", "jpg2", "png", "png2", "png3", "png4", "tif", "tif2", "tif3"])
def test_iptc_comes_through(source: str, target: str, command: Command) -> None:
    notes = unchanged(command, write_with_iptc(source), f"out.{target}")
    assert iptc_of(f"out.{target}") == WANTED_IPTC
    assert not [note for note in notes if "IPTC" in note]


@pytest.mark.parametrize("target", ["webp", "avif", "heic", "exr"])
def test_one_note_names_what_a_container_cannot_store(target: str, command: Command) -> None:
    notes = unchanged(command, write_with_iptc("jpg"), f"out.{target}")
    assert [note for note in notes if "IPTC data, Photoshop resources are dropped" in note] == notes[:1]


def test_photoshop_resources_keep_their_bytes_and_names(command: Command) -> None:
    Path("a.jpg").write_bytes(jpeg((0xED, APP13 + block(0x040C, b"thumbnail"))))
    unchanged(command, "a.jpg", "b.jpg")
    unchanged(command, "b.jpg", "c.tif")
    with tifffile.TiffFile("c.tif") as file:
        kept = file.pages.first.tags.valueof(34377)
    for data in (Path("b.jpg").read_bytes(), kept):
        assert APP13[14:] in data
        assert b"thumbnail" not in data  # of the old picture


def test_a_clipping_path_on_a_turned_picture_gets_a_note(command: Command) -> None:
    Path("a.jpg").write_bytes(jpeg((0xED, APP13), exif=b"Exif\0\0" + exif_block(6)))
    (note,) = unchanged(command, "a.jpg", "b.jpg")
    assert "clipping paths are dropped, because the picture is turned upright" in note
    assert b"Path 1" not in Path("b.jpg").read_bytes()
    assert iptc_of("b.jpg") == WANTED_IPTC


def comment_file(kind: str) -> Path:
    path = Path(f"in.{kind}")
    if kind == "jpg":
        path.write_bytes(jpeg((0xFE, b"first"), (0xFE, "zwöi".encode())))
    elif kind == "jp2":
        write_photo(Photo(PIXELS, metadata=Metadata(extras=Extras(comments=(b"first", "zwöi".encode())))), path)
        with Image.open(path) as image:
            assert image.info["comment"]
    return path


@pytest.mark.parametrize("source", ["jpg", "jp2"])
@pytest.mark.parametrize("target", ["jpg", "png", "jp2"])
def test_comments_come_through(source: str, target: str, command: Command) -> None:
    assert not unchanged(command, comment_file(source), f"out.{target}")
    assert not unchanged(command, f"out.{target}", "back.jpg")
    with Image.open("back.jpg") as image:
        comments = [body for name, body in image.applist if name == "COM"]
    assert comments == [b"first", "zwöi".encode()]


@pytest.mark.parametrize("target", ["tif", "webp", "avif"])
def test_comments_get_a_note(target: str, command: Command) -> None:
    (note,) = unchanged(command, comment_file("jpg"), f"out.{target}")
    assert "its comments are dropped, because" in note
