"""XMP in two packets comes through; parts of a file that are not written again leave one note and no tags."""

import hashlib
import struct
from pathlib import Path

import pytest
from command_line import Command
from extras_fixtures import (
    CASES,
    PIXELS,
    jpeg,
    packet,
    tiff,
    unchanged,
    xmp_of,
)
from PIL import Image

from relight_cli.photos.header import read_header
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

MANIFESTS = b"\0\0\0\x30jumb\0\0\0\x28jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa\0"
CAMERA = "http://ns.google.com/photos/1.0/camera/"


@pytest.mark.parametrize("target", ["jpg", "png", "tif", "webp", "jp2"])
def test_extended_xmp_comes_through(target: str, command: Command) -> None:
    source = CASES / "xmp_extended.jpg"
    assert not unchanged(command, source, f"out.{target}")
    if target == "jpg":
        first, _, second = Path("out.jpg").read_bytes().partition(b"http://ns.adobe.com/xmp/extension/\0")
        name = second[:32]
        assert name in first  # the first packet points to it
        with Image.open("out.jpg") as image:
            parts = [body[35:] for _, body in image.applist if body.startswith(b"http://ns.adobe.com/xmp/extension/")]
        assert {part[:32] for part in parts} == {name}
        assert hashlib.md5(b"".join(part[40:] for part in parts)).hexdigest().upper().encode() == name
    else:
        found = xmp_of(f"out.{target}")
        assert found["Xmp.GDepth.Format"] == "RangeInverse"
        assert len(found["Xmp.GDepth.Data"]) == 80_000
        assert not [key for key in found if "HasExtendedXMP" in key]


def extension(body: bytes, name: bytes | None = None, *, cut: bool = False) -> list[tuple[int, bytes]]:
    name = name or hashlib.md5(body).hexdigest().upper().encode()
    head = b"http://ns.adobe.com/xmp/extension/\0" + name + struct.pack(">I", len(body))
    halves = ((0, body[: len(body) // 2]), (len(body) // 2, body[len(body) // 2 :]))
    parts = [(0xE1, head + struct.pack(">I", at) + part) for at, part in halves]
    return parts[:1] if cut else parts[::-1]  # in any order


@pytest.mark.parametrize("damage", ["cut", "foreign", "absent"])
def test_a_damaged_extension_leaves_no_link(damage: str, command: Command) -> None:
    body = packet('dc:source="far"')
    name = hashlib.md5(body).hexdigest().upper()
    first = packet(f'xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="{name}" dc:format="image/jpeg"')
    segments = {"cut": extension(body, cut=True), "foreign": extension(body, b"0" * 32), "absent": []}[damage]
    Path("a.jpg").write_bytes(jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + first), *segments))
    (note,) = unchanged(command, "a.jpg", "b.jpg")
    assert "the second part of its XMP data is missing or damaged and is dropped" in note
    assert b"HasExtendedXMP" not in Path("b.jpg").read_bytes()
    assert xmp_of("b.jpg")["Xmp.dc.format"] == "image/jpeg"


@pytest.mark.parametrize("form", ["attribute", "element"])
def test_xmp_too_long_for_a_segment_is_split_in_a_jpeg(form: str, command: Command) -> None:
    long = "y" * 150_000
    properties = (
        (f'dc:source="{long}" dc:format="z"', "") if form == "attribute" else ("", f"<dc:source>{long}</dc:source>")
    )
    xmp = packet(*properties)
    write_photo(Photo(PIXELS, metadata=Metadata(xmp=xmp)), "a.png")
    assert not unchanged(command, "a.png", "b.jpg")
    assert b"HasExtendedXMP" in Path("b.jpg").read_bytes()
    assert not unchanged(command, "b.jpg", "c.png")  # joined again
    found = xmp_of("c.png")
    assert found["Xmp.dc.source"] == long
    assert "Xmp.xmpMM.History[2]/stEvt:action" in found  # one entry of each run


VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100)
MOTION = packet(f'xmlns:g="{CAMERA}" g:MotionPhoto="1" g:MicroVideoOffset="124" dc:format="image/jpeg"')
MOTION_ELEMENTS = packet(
    f'xmlns:g="{CAMERA}" xmlns:C="http://ns.google.com/photos/1.0/container/"',
    "<g:MotionPhoto>1</g:MotionPhoto><dc:format>image/jpeg</dc:format><C:Directory><rdf:Seq><rdf:li><C:Item "
    'xmlns:I="http://ns.google.com/photos/1.0/container/item/" I:Semantic="MotionPhoto"/></rdf:li></rdf:Seq>'
    "</C:Directory>",
)


def with_xmp(xmp: bytes, trailer: bytes = b"") -> bytes:
    return jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp), trailer=trailer)


PARTS = {
    "attributes": (with_xmp(MOTION, VIDEO), "motion video"),
    "elements": (with_xmp(MOTION_ELEMENTS, VIDEO), "motion video"),
    "no XMP": (jpeg(trailer=VIDEO), "motion video"),
    "Google": ((CASES / "motion_google.jpg").read_bytes(), "motion video"),
    "gain map": ((CASES / "ultrahdr.jpg").read_bytes(), "HDR gain map"),
    "ISO gain map": (jpeg((0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))), "HDR gain map"),
    "credentials": (jpeg((0xEB, b"JP\0\1\0\0\0\1" + MANIFESTS)), "Content Credentials"),
    "credentials of a TIFF": (tiff([(0xCD41, "B", len(MANIFESTS), MANIFESTS, True)]), "Content Credentials"),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("target", ["jpg", "png", "tif"])
def test_dropped_parts_get_one_note_and_leave_no_tags(name: str, target: str, command: Command) -> None:
    data, part = PARTS[name]
    Path("a.jpg").write_bytes(data)
    (note,) = unchanged(command, "a.jpg", f"b.{target}")
    assert f"its {part} is dropped" in note
    written = Path(f"b.{target}").read_bytes()
    for word in (b"MotionPhoto", b"MicroVideo", b"Container:", b"GainMap", b"hdr-gain-map/", b"21496", b"c2pa"):
        assert word not in written.replace(b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"', b"").replace(
            b"xmlns:Container=", b""
        )
    if name in ("attributes", "elements"):
        assert xmp_of(f"b.{target}")["Xmp.dc.format"] == "image/jpeg"


@pytest.mark.parametrize("target", ["jpg", "webp"])
def test_pictures_in_xmp_data_are_not_those_of_the_old_light(target: str, command: Command) -> None:
    spaces = (
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:g="http://ns.adobe.com/xap/1.0/g/img/" '
        'xmlns:GImage="http://ns.google.com/photos/1.0/image/"'
    )
    thumbnail = "<rdf:Alt><rdf:li rdf:parseType='Resource'><g:image>/9j/</g:image></rdf:li></rdf:Alt>"
    children = f"<xmp:Thumbnails>{thumbnail}</xmp:Thumbnails><xmp:Rating>4</xmp:Rating>"
    head = b"http://ns.adobe.com/xap/1.0/\0"
    Path("a.jpg").write_bytes(jpeg((0xE1, head + packet(spaces, children))))
    assert unchanged(command, "a.jpg", f"b.{target}") == []
    found = xmp_of(f"b.{target}")
    assert found["Xmp.xmp.Rating"] == "4"
    assert not [key for key in found if "Thumbnails" in key]
    Path("c.jpg").write_bytes(jpeg((0xE1, head + packet(f'{spaces} GImage:Data="/9j/"', children))))
    (note,) = unchanged(command, "c.jpg", f"d.{target}")
    assert "its picture before the camera's effect is dropped" in note
    assert b"/9j/" not in Path(f"d.{target}").read_bytes()


def test_data_of_cameras_that_is_dropped_gets_one_note(command: Command) -> None:
    segments = ((0xE1, b"FLIR\0\1\0\0" + bytes(20)), (0xE6, b"GoPro\0DVID"), (0xEB, b"HDR_RI ver=11\n"))
    Path("a.jpg").write_bytes(jpeg(*segments))
    (note,) = unchanged(command, "a.jpg", "b.jpg")
    assert "its GoPro data and HDR gain map and thermal data are dropped" in note


def test_a_packet_that_promises_parts_but_is_broken_is_dropped(command: Command) -> None:
    Path("a.jpg").write_bytes(with_xmp(MOTION[:-20], VIDEO))
    (note,) = unchanged(command, "a.jpg", "b.jpg")
    assert "its XMP and motion video are dropped" in note
    assert b"MotionPhoto" not in Path("b.jpg").read_bytes()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32-le"])
def test_a_packet_in_another_encoding_is_read(encoding: str, command: Command) -> None:
    text = packet('xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" dc:source="\u00e9"').decode()
    Path("a.jpg").write_bytes(jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + text.encode(encoding))))
    assert unchanged(command, "a.jpg", "b.png") == []
    found = xmp_of("b.png")
    assert (found["Xmp.tiff.Orientation"], found["Xmp.dc.source"]) == ("1", "\u00e9")
    with Image.open("b.png") as image:
        assert image.size == PIXELS.shape[:2]
    assert read_header(Path("a.jpg")).orientation == 6
