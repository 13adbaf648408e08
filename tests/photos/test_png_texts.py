"""Texts of a PNG keep their bytes, and "Raw profile" texts are read as what they hold."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from extras_fixtures import IPTC, PIXELS, block, hexadecimal, iptc_of, packet, png, unchanged, xmp_of
from photo_fixtures import exif_block
from PIL import Image

TEXTS = [
    (b"tEXt", b"Title\0Harbour"),
    (b"zTXt", b"Author\0\0" + zlib.compress("Ä. Person".encode("latin-1"))),
    (b"iTXt", b"Description\0\0\0de\0Beschreibung\0" + "Häfen 中".encode()),
    (b"iTXt", b"Description\0\1\0en\0\0" + zlib.compress(b"Harbours")),  # the same keyword in another language
    (b"tIME", struct.pack(">H5B", 2024, 5, 5, 10, 0, 0)),
    (b"tEXt", b"parameters\0a harbour, seed 5"),
]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("late", [False, True])
def test_png_texts_keep_their_bytes(late: bool, depth: int, command: Command) -> None:
    Path("a.png").write_bytes(png(depth=depth, late=tuple(TEXTS)) if late else png(*TEXTS, depth=depth))
    assert not unchanged(command, "a.png", "b.png")
    data = Path("b.png").read_bytes()
    assert [data.count(name + body) for name, body in TEXTS] == [1] * len(TEXTS)
    with Image.open("b.png") as image:
        image.load()
        assert image.text["Author"] == "Ä. Person"


def test_other_containers_note_the_texts(command: Command) -> None:
    Path("a.png").write_bytes(png(*TEXTS, (b"tEXt", b"Comment\0h\xe4")))
    (note,) = unchanged(command, "a.png", "b.jpg")
    assert "texts (Title, Author, Description, parameters) are dropped, because JPEG" in note
    with Image.open("b.jpg") as image:
        assert image.info["comment"] == "hä".encode()


def test_a_text_that_names_the_old_software_is_dropped(command: Command) -> None:
    Path("a.png").write_bytes(png((b"tEXt", b"Software\0Other")))
    unchanged(command, "a.png", "b.png")
    with Image.open("b.png") as image:
        assert "Software" not in image.info


PROFILES = {
    "exif": (b"zTXt", hexadecimal("exif", b"Exif\0\0" + exif_block(6))),
    "bare": (b"zTXt", hexadecimal("exif", exif_block(6, ">"))),
    "APP1": (b"zTXt", hexadecimal("APP1", b"Exif\0\0" + exif_block(6))),
    "plain": (
        b"tEXt",
        b"Raw profile type exif\0" + b"\nexif\n %d\n" % len(exif_block(6)) + exif_block(6).hex().encode(),
    ),
}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_raw_exif_profiles_of_a_png_are_read(name: str, late: bool, depth: int, command: Command) -> None:
    chunk = PROFILES[name]
    Path("a.png").write_bytes(png(depth=depth, late=(chunk,)) if late else png(chunk, depth=depth))
    assert not unchanged(command, "a.png", "b.png")
    with Image.open("b.png") as image:
        assert image.size == (16, 24)  # upright
        assert (image.getexif()[0x010F], image.getexif()[0x0112]) == ("Camera1", 1)
        assert not any(str(key).startswith("Raw") for key in image.info)


@pytest.mark.parametrize("kind", ["xmp", "APP1"])
def test_raw_xmp_profiles_of_a_png_are_read(kind: str, command: Command) -> None:
    head = b"http://ns.adobe.com/xap/1.0/\0" if kind == "APP1" else b""
    Path("a.png").write_bytes(png((b"zTXt", hexadecimal(kind, head + packet('dc:format="image/png"')))))
    unchanged(command, "a.png", "b.webp")
    assert xmp_of("b.webp")["Xmp.dc.format"] == "image/png"


def test_a_raw_iptc_profile_as_exiftool_writes_it_is_read(command: Command) -> None:
    blocks = block(0x0404, IPTC)
    text = b"\nIPTC profile\n%8d\n%s\n" % (len(blocks), blocks.hex().encode())
    Path("a.png").write_bytes(png((b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(text))))
    assert not unchanged(command, "a.png", "b.png")
    assert iptc_of("b.png") == iptc_of("a.png") == ["A harbour", "harbour", "noon"]


@pytest.mark.parametrize("text", [b"\nexif\n 9\nzz", b"", b"\nexif\n", b"\nexif\nx\n00", b"\nexif\n  4\n4949"])
def test_damaged_raw_profiles_do_no_harm(text: bytes, command: Command) -> None:
    Path("a.png").write_bytes(
        png((b"tEXt", b"Raw profile type exif\0" + text), (b"zTXt", b"Raw profile type iptc\0\0x"))
    )
    unchanged(command, "a.png", "b.png")
    np.testing.assert_array_equal(np.asarray(Image.open("b.png")), PIXELS)
