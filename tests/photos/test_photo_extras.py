"""GeoTIFF tags, EXR attributes and EXIF directories come through; --strip drops all of it."""

import struct
from pathlib import Path

import exiv2
import numpy as np
import OpenEXR
import OpenImageIO
import pytest
import tifffile
from command_line import Command
from extras_fixtures import CASES, IPTC, PIXELS, block, iptc_of, jpeg, packet, tiff, unchanged, xmp_of
from photo_fixtures import dng, exif_block
from PIL import Image

from relight_cli.photos.capture_time import read_header
from relight_cli.photos.codecs import tiff_encoding
from relight_cli.photos.metadata import Extras, Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

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
    spec = OpenImageIO.ImageInput.open("b.exr").spec()
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
    assert not any(vars(extras).values())
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


def test_a_camera_raw_file_keeps_iptc_and_xmp_but_no_settings_of_its_development(command: Command) -> None:
    crs = 'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:Exposure2012="+1.00" dc:format="image/x-dng"'
    xmp = packet(crs, "<crs:ToneCurve><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurve>")
    tags = [(700, "B", len(xmp), xmp, True), (33723, "B", len(IPTC), IPTC, True)]
    Path("a.dng").write_bytes(dng(np.full((40, 60, 3), 0.5), tags=tags))
    unchanged(command, "a.dng", "b.tif")
    assert iptc_of("b.tif") == ["A harbour", "harbour", "noon"]
    assert xmp_of("b.tif")["Xmp.dc.format"] == "image/x-dng"
    assert b"Exposure2012" not in Path("b.tif").read_bytes()


EXAMPLES = {
    "iptc.jpg": lambda path: "A harbour at noon" in iptc_of(path),
    "rawprofile_iptc.png": lambda path: iptc_of(path) == ["Caption", "tag1"],
    "rawprofile_exif.png": lambda path: Image.open(path).size == (48, 64),  # turned upright
    "text.png": lambda path: Image.open(path).text["Description"] == "Häfen",
    "geo.tif": lambda path: tifffile.TiffFile(path).geotiff_metadata["ModelTiepoint"][3:5] == [440000.0, 5200000.0],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_files_keep_what_they_hold(name: str, command: Command) -> None:
    unchanged(command, CASES / name, f"out{Path(name).suffix}")
    assert EXAMPLES[name](f"out{Path(name).suffix}")


def test_a_raw_profile_of_a_png_gives_the_capture_time() -> None:
    header = read_header(CASES / "rawprofile_exif.png")
    assert header.taken is not None
    assert header.turned


@pytest.mark.parametrize("orientation", [1, 6])
def test_boxes_of_jpeg2000_are_kept_unless_the_picture_is_turned(orientation: int, command: Command) -> None:
    place = (b"uuid", bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03") + b"II*\0")
    text = (b"xml ", b"<harbour/>")
    metadata = Metadata(exif_block(orientation), extras=Extras(boxes=(place, text)))
    write_photo(Photo(PIXELS, metadata=metadata), "a.jp2")
    notes = unchanged(command, "a.jp2", "b.jp2")
    data = Path("b.jp2").read_bytes()
    assert text[1] in data
    assert (place[1] in data) == (orientation == 1)
    assert len(notes) == (orientation != 1)


def test_exif_data_that_photoshop_wrote_into_jpeg2000_is_read(command: Command) -> None:
    photo = Photo(np.ascontiguousarray(np.rot90(PIXELS)), None, "JPEG2000", Metadata(exif_block(6)))
    write_photo(photo, "a.jp2", quality=100)
    ours, photoshop = b"JpgTiffExif->JP2", bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e")
    Path("a.jp2").write_bytes(Path("a.jp2").read_bytes().replace(ours, photoshop))
    assert not unchanged(command, "a.jp2", "b.png")
    with Image.open("b.png") as image:
        assert (image.size, image.getexif()[0x0112]) == (PIXELS.shape[1::-1], 1)


@pytest.mark.parametrize("source", ["jpg", "tif"])
def test_texts_of_exif_data_keep_their_bytes_in_a_tiff(source: str, command: Command) -> None:
    said = {"Exif.Image.Artist": "Ä. Person", "Exif.Photo.CameraOwnerName": "Jörg 中"}
    Path(f"a.{source}").write_bytes(jpeg() if source == "jpg" else tiff([]))
    image = exiv2.ImageFactory.open(f"a.{source}")
    exif = exiv2.ExifData()
    for key, text in said.items():
        exif[key] = text
    image.setExifData(exif)
    image.writeMetadata()
    unchanged(command, f"a.{source}", "b.tif")
    image = exiv2.ImageFactory.open("b.tif")
    image.readMetadata()
    assert {datum.key(): datum.toString() for datum in image.exifData()}.items() >= said.items()


@pytest.mark.parametrize("order", [exiv2.ByteOrder.littleEndian, exiv2.ByteOrder.bigEndian])
def test_comments_of_exif_data_can_be_read_in_a_tiff(order: exiv2.ByteOrder, command: Command) -> None:
    said = {
        "Exif.Photo.UserComment": "charset=Unicode Grüße 中",
        "Exif.GPSInfo.GPSAreaInformation": "charset=Unicode Straße",
        "Exif.Photo.ShutterSpeedValue": "-2/1",
    }
    Path("a.jpg").write_bytes(jpeg())
    image = exiv2.ImageFactory.open("a.jpg")
    exif = exiv2.ExifData()
    for key, text in said.items():
        exif[key] = text
    image.setByteOrder(order)
    image.setExifData(exif)
    image.writeMetadata()
    unchanged(command, "a.jpg", "b.tif")
    unchanged(command, "b.tif", "c.jpg")
    for path in ("a.jpg", "b.tif", "c.jpg"):
        image = exiv2.ImageFactory.open(path)
        image.readMetadata()
        found = {datum.key(): (datum.typeName(), datum.toString()) for datum in image.exifData()}
        kinds = ("Undefined", "Undefined", "SRational")
        assert [found[key] for key in said] == list(zip(kinds, said.values(), strict=True)), path


def test_tags_of_other_types_than_those_of_the_standard_keep_them_in_a_tiff(command: Command) -> None:
    stored = [
        (0x9201, 10, 2, struct.pack("<4i", -2, 1, 3, 1)),  # ShutterSpeedValue, twice
        (0x9203, 1, 1, b"\7"),  # BrightnessValue as a byte
        (0x9204, 2, 4, b"1/3\0"),  # ExposureBiasValue as a text
        (0x9286, 2, 6, b"Hello\0"),  # UserComment as a text
        (0xA300, 3, 1, b"\3\0"),  # FileSource as a number
        (0xA420, 7, 3, b"\1\2\3"),  # ImageUniqueID as bytes
    ]
    entries, more, start = b"", b"", 26 + 2 + 12 * len(stored) + 4
    for tag, kind, count, data in stored:
        place = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", start + len(more))
        entries += struct.pack("<HHI", tag, kind, count) + place
        more += data if len(data) > 4 else b""
    block = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0x8769, 4, 1, 26, 0)
    block += struct.pack("<H", len(stored)) + entries + bytes(4) + more
    Path("a.jpg").write_bytes(jpeg(exif=b"Exif\0\0" + block))
    assert not unchanged(command, "a.jpg", "b.tif")
    assert not unchanged(command, "b.tif", "c.jpg")
    found = []
    for path in ("a.jpg", "b.tif", "c.jpg"):
        image = exiv2.ImageFactory.open(path)
        image.readMetadata()
        exif = {datum.key(): (datum.typeName(), datum.toString()) for datum in image.exifData()}
        found.append({key: value for key, value in exif.items() if key.startswith("Exif.Photo.")})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == len(stored)


def test_a_directory_of_a_thumbnail_before_the_photo_keeps_what_the_photo_lacks(command: Command) -> None:
    with tifffile.TiffWriter("a.tif") as file:
        options = {"photometric": "rgb", "metadata": None, "software": False}
        tags = [[(33434, "2I", 1, (1, 50), True), (34855, "H", 1, 200, True)], [(34855, "H", 1, 400, True)]]
        file.write(PIXELS[::2, ::2], subfiletype=1, extratags=tags[0], **options)
        file.write(PIXELS, extratags=tags[1], **options)
    command("deshadow", "--model", "tiny", "--strength", "0", "a.tif", "-o", "b.jpg")
    with Image.open("b.jpg") as image:
        exif = image.getexif().get_ifd(0x8769)
    assert (float(exif[33434]), exif[34855]) == (1 / 50, 400)


@pytest.mark.parametrize("orientation", [1, 6])
def test_exif_data_of_an_avif_keeps_its_bytes(orientation: int, command: Command) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x8769] = orientation, {0xA430: "J?rg"}  # CameraOwnerName
    Image.fromarray(PIXELS).save("a.avif", exif=exif)
    Path("a.avif").write_bytes(Path("a.avif").read_bytes().replace(b"J?rg", b"J\xf8rg"))
    assert not unchanged(command, "a.avif", "b.webp")
    with Image.open("b.webp") as image:
        assert image.size == (PIXELS.shape[1::-1] if orientation == 1 else PIXELS.shape[:2])
        assert image.getexif().get_ifd(0x8769)[0xA430] == "Jørg"
        assert image.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("target", ["tif", "jpg"])
def test_exposures_in_the_first_directory_of_a_tiff_are_kept(target: str, command: Command) -> None:
    time = "2020:01:02 03:04:05"
    tags = [(33434, "2I", 1, (1, 50), True), (34855, "H", 1, 400, True), (36867, "s", 0, time, True)]
    Path("a.tif").write_bytes(tiff(tags))
    assert unchanged(command, "a.tif", f"b.{target}") == []
    image = exiv2.ImageFactory.open(f"b.{target}")
    image.readMetadata()
    found = {datum.key(): datum.toString() for datum in image.exifData()}
    keys = (f"Exif.Photo.{name}" for name in ("ExposureTime", "ISOSpeedRatings", "DateTimeOriginal"))
    assert [found.get(key) for key in keys] == ["1/50", "400", time]


@pytest.mark.parametrize("source", ["png", "webp", "avif"])
def test_a_resolution_that_only_exif_data_says_reaches_a_tiff(source: str, command: Command) -> None:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 300.0, 300.0, 2  # XResolution, YResolution, ResolutionUnit: inches
    Image.fromarray(PIXELS).save(f"a.{source}", exif=exif)
    unchanged(command, f"a.{source}", "b.tif")
    with Image.open("b.tif") as image:
        assert image.info["dpi"] == (300, 300)
