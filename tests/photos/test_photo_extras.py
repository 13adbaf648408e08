"""What a file holds next to the picture comes through, or one note names it; judged by readers that are not ours."""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import exiv2
import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest
import tifffile
from command_line import Command
from photo_fixtures import exif_block, noise
from PIL import Image, PngImagePlugin

from relight_cli.photos.codecs import tiff_encoding
from relight_cli.photos.metadata import Extras, Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

CASES = Path(__file__).parents[1] / "cases"
UNCHANGED = ("--model", "tiny", "--strength", "0")
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
CAMERA = "http://ns.google.com/photos/1.0/camera/"
PIXELS = noise((16, 24, 3))


def record(number: int, text: str) -> bytes:
    """Return an IPTC data set of the application record."""
    return struct.pack(">BBBH", 0x1C, 2, number, len(text.encode())) + text.encode()


IPTC = record(120, "A harbour") + record(25, "harbour") + record(25, "noon")
WANTED_IPTC = ["A harbour", "harbour", "noon"]


def block(number: int, content: bytes, name: bytes = b"") -> bytes:
    """Return an image resource of Photoshop."""
    label = bytes([len(name)]) + name
    return (
        b"8BIM"
        + struct.pack(">H", number)
        + label
        + bytes(len(label) % 2)
        + (struct.pack(">I", len(content)) + content + bytes(len(content) % 2))
    )


def packet(properties: str = "", children: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}><rdf:Description rdf:about="" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" {properties}>{children}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def iptc_of(path: str | Path) -> list[str]:
    image = exiv2.ImageFactory.open(str(path))
    image.readMetadata()
    return [datum.toString() for datum in image.iptcData() if datum.key() != "Iptc.Envelope.CharacterSet"]


def xmp_of(path: str | Path) -> dict[str, str]:
    image = exiv2.ImageFactory.open(str(path))
    image.readMetadata()
    return {datum.key(): datum.toString() for datum in image.xmpData()}


def unchanged(command: Command, source: Path | str, target: str, *more: str) -> list[str]:
    """Run the command line without a change of light; return the notes."""
    outcome = command("deshadow", source, "-o", target, *UNCHANGED, *more)
    assert outcome.code == 0, outcome.err
    return [line for line in outcome.lines if ": " in line]


def jpeg(*segments: tuple[int, bytes], trailer: bytes = b"", **options: object) -> bytes:
    """Return a JPEG with segments after its first marker."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", **options)
    data = file.getvalue()
    packed = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    return data[:2] + packed + data[2:] + trailer


def png(*chunks: tuple[bytes, bytes], late: tuple[tuple[bytes, bytes], ...] = (), depth: int = 8) -> bytes:
    """Return a PNG with chunks before its pixels, and chunks after them."""

    def pack(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    file = io.BytesIO()
    write_photo(Photo(PIXELS if depth == 8 else PIXELS.astype(np.uint16) * 257), file, format="PNG")
    data = file.getvalue()
    return b"".join(
        (data[:33], *(pack(*chunk) for chunk in chunks), data[33:-12], *(pack(*chunk) for chunk in late), data[-12:])
    )


def hexadecimal(kind: str, content: bytes) -> bytes:
    """Return a "Raw profile" as ImageMagick writes it."""
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"Raw profile type {kind}\0\0".encode() + zlib.compress(f"\n{kind}\n{len(content):8}\n{lines}\n".encode())


APP13 = b"Photoshop 3.0\0" + block(0x0404, IPTC) + block(0x040A, b"\1") + block(0x07D0, bytes(52), b"Path 1")


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


def tiff(tags: list, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, PIXELS, photometric="rgb", extratags=tags, metadata=None, **options)
    return file.getvalue()


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
    assert "texts (Title, Author, Description, time, parameters) are dropped, because JPEG" in note
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


@pytest.mark.parametrize("text", [b"\nexif\n 9\nzz", b"", b"\nexif\n", b"\nexif\nx\n00", b"\nexif\n  4\n4949"])
def test_damaged_raw_profiles_do_no_harm(text: bytes, command: Command) -> None:
    Path("a.png").write_bytes(
        png((b"tEXt", b"Raw profile type exif\0" + text), (b"zTXt", b"Raw profile type iptc\0\0x"))
    )
    unchanged(command, "a.png", "b.png")
    np.testing.assert_array_equal(np.asarray(Image.open("b.png")), PIXELS)


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


GEO = [
    (33550, "d", 3, (0.1, 0.1, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 440000.0, 5200000.0, 0.0), True),
    (34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1026, 34737, 6, 0, 2059, 34736, 1, 0), True),
    (34736, "d", 1, (298.257,), True),
    (34737, "s", 0, "Place|", True),
    (42112, "s", 0, "<GDALMetadata/>", True),
    (42113, "s", 0, "-9999", True),
]


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}, {"bigtiff": True, "byteorder": ">"}])
def test_geotiff_tags_come_through(options: dict, command: Command) -> None:
    Path("a.tif").write_bytes(tiff(GEO, **options))
    unchanged(command, "a.tif", "b.tif")
    with tifffile.TiffFile("a.tif") as before, tifffile.TiffFile("b.tif") as after:
        assert after.geotiff_metadata == before.geotiff_metadata
        for code, *_ in GEO:
            one, two = before.pages.first.tags[code], after.pages.first.tags[code]
            assert (one.dtype, one.count, one.value) == (two.dtype, two.count, two.value)


def test_geotiff_tags_get_a_note_elsewhere_and_when_the_picture_is_turned(command: Command) -> None:
    (note,) = [note for note in unchanged(command, CASES / "geo.tif", "b.png") if "GeoTIFF" in note]
    assert "its GeoTIFF tags are dropped, because PNG cannot store them" in note
    Path("c.tif").write_bytes(tiff([*GEO, (274, "H", 1, 6, True)]))
    (note,) = unchanged(command, "c.tif", "d.tif")
    assert "its GeoTIFF tags are dropped, because the picture is turned upright" in note


def test_exr_attributes_come_through(command: Command) -> None:
    more = {
        "owner": "Ä. Person",
        "isoSpeed": 100.0,
        "timeCode": OpenEXR.TimeCode(),
        "worldToCamera": np.arange(16, dtype=np.float32).reshape(4, 4),
        "tags": ["a", "b"],
        "software": "Other",
        "number": 5,
    }
    planes = {name: np.full((8, 9), 0.5, np.float32) for name in "RGB"}
    OpenEXR.File({"type": OpenEXR.scanlineimage, **more}, planes).write("a.exr")
    assert not unchanged(command, "a.exr", "b.exr")
    spec = oiio.ImageInput.open("b.exr").spec()
    assert spec["Copyright"] == "Ä. Person"  # owner
    assert spec["worldToCamera"] == tuple(range(16))
    header = OpenEXR.File("b.exr", header_only=True).header()
    assert header["tags"] == ["a", "b"]
    assert header["number"] == 5
    assert header["software"].startswith("relight-cli")
    (note,) = [note for note in unchanged(command, "a.exr", "c.png") if "attributes" in note]
    assert "EXR attributes are dropped, because PNG" in note


def test_the_example_exr_keeps_its_attributes(command: Command) -> None:
    assert not unchanged(command, CASES / "attrs.exr", "b.exr")
    before, after = (OpenEXR.File(str(path), header_only=True).header() for path in (CASES / "attrs.exr", "b.exr"))
    for name in ("owner", "capDate", "expTime", "isoSpeed", "comments", "reel"):
        assert after[name] == before[name]


VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100)
MOTION = packet(f'xmlns:g="{CAMERA}" g:MotionPhoto="1" g:MicroVideoOffset="124" dc:format="image/jpeg"')
MOTION_ELEMENTS = packet(
    f'xmlns:g="{CAMERA}" xmlns:C="http://ns.google.com/photos/1.0/container/"',
    "<g:MotionPhoto>1</g:MotionPhoto><dc:format>image/jpeg</dc:format><C:Directory><rdf:Seq><rdf:li><C:Item "
    'xmlns:I="http://ns.google.com/photos/1.0/container/item/" I:Semantic="MotionPhoto"/></rdf:li></rdf:Seq></C:Directory>',
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
    "credentials": (
        jpeg((0xEB, b"JP\0\1\0\0\0\1\0\0\0\x30jumb\0\0\0\x28jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\3c2pa\0")),
        "Content Credentials",
    ),
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


def test_a_packet_that_promises_parts_but_is_broken_is_dropped(command: Command) -> None:
    Path("a.jpg").write_bytes(with_xmp(MOTION[:-20], VIDEO))
    (note,) = unchanged(command, "a.jpg", "b.jpg")
    assert "its XMP and motion video are dropped" in note
    assert b"MotionPhoto" not in Path("b.jpg").read_bytes()


@pytest.mark.parametrize("big", [False, True])
def test_tiff_keeps_exif_gps_and_the_interop_directory(
    big: bool, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    if big:
        monkeypatch.setattr(tiff_encoding, "_BIG", 0)
    unchanged(command, CASES / "adobe_r03.jpg", "b.tif")
    unchanged(command, "b.tif", "c.tif")
    with tifffile.TiffFile("c.tif") as file:
        assert file.is_bigtiff == big
        assert file.pages.first.tags["ExifTag"].value["DateTimeOriginal"] == "2024:05:05 10:00:00"
    image = exiv2.ImageFactory.open("c.tif") if not big else None  # Exiv2 does not read the EXIF data of BigTIFF
    if image:
        image.readMetadata()
        assert {datum.key(): datum.toString() for datum in image.exifData()}["Exif.Iop.InteroperabilityIndex"] == "R03"
    unchanged(command, "c.tif", "d.jpg")
    with Image.open("d.jpg") as back:
        assert back.getexif().get_ifd(0xA005)[1] == "R03"


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "exr", "jp2"])
def test_strip_drops_all_of_it(suffix: str, command: Command) -> None:
    sources = {"tif": "geo.tif", "exr": "attrs.exr"}
    if suffix in sources:
        source = CASES / sources[suffix]
    else:
        extras = Extras(IPTC, block(0x040A, b"\1"), comments=(b"A harbour",), texts=((b"tEXt", b"Title\0A harbour"),))
        write_photo(Photo(PIXELS, metadata=Metadata(extras=extras)), f"in.{suffix}")
        source = Path(f"in.{suffix}")
        assert b"A harbour" in source.read_bytes()
    assert not [note for note in unchanged(command, source, f"b.{suffix}", "--strip") if "dropped" in note]
    extras = read_photo(f"b.{suffix}").metadata.extras
    assert not any(value for name, value in vars(extras).items() if name != "attributes")
    assert set(extras.attributes) <= {"screenWindowCenter", "screenWindowWidth"}
    assert b"A harbour" not in Path(f"b.{suffix}").read_bytes()


def test_windows_titles_and_ratings_reach_a_tiff(command: Command) -> None:
    exif = Image.Exif()
    exif[0x9C9B], exif[0x4746], exif[0x010D] = "Häfen".encode("utf-16-le"), 4, "A document"
    Path("a.jpg").write_bytes(jpeg(exif=exif))
    unchanged(command, "a.jpg", "b.tif")
    unchanged(command, "b.tif", "c.tif")
    with tifffile.TiffFile("c.tif") as file:
        tags = file.pages.first.tags
        assert bytes(tags.valueof(0x9C9B)) == "Häfen".encode("utf-16-le")
        assert (tags.valueof(0x4746), tags.valueof(0x010D)) == (4, "A document")
