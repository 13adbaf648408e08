"""Messages that name the real reason, decoders that are silent, and JPEGs without an end marker."""

import io
import logging
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import pyvips
import tifffile
from command_line import Command
from iso_boxes import box
from photo_fixtures import dng, noise, smooth
from PIL import Image

from relight_cli.errors import OutputUnwritableError, PhotoUnreadableError
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

CASES = Path(__file__).parent.parent / "cases"
SAME = ("--model", "tiny", "--strength", "0")
SMOOTH = np.rint(smooth(48, 64) * 255).astype(np.uint8)


def jpeg(pixels: np.ndarray = SMOOTH, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


# JPEG without an end marker

KINDS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "subsampled": {"subsampling": "4:2:0"},
    "grey": {},
    "restarts": {"restart_marker_rows": 1},
    "optimized": {"optimize": True},
}


def data_of(kind: str) -> bytes:
    pixels = SMOOTH // 2 + noise((48, 64, 3)) // 4
    return jpeg(pixels[..., 0] if kind == "grey" else pixels, **KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", [b"", b"\xff"])
def test_whole_scan_data_is_a_whole_photo(kind: str, tail: bytes) -> None:
    data = data_of(kind)
    photo = read_photo(io.BytesIO(data[:-2] + tail))
    np.testing.assert_array_equal(photo.pixels, read_photo(io.BytesIO(data)).pixels)
    assert photo.notes == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [3, 4, 8, 100, 400])
def test_cut_scan_data_is_refused(kind: str, missing: int) -> None:
    data = data_of(kind)
    if kind == "restarts" and missing < 8:
        return  # may be the padding of the last code
    with pytest.raises(PhotoUnreadableError, match="truncated"):
        read_photo(io.BytesIO(data[: -2 - missing]))


def test_a_progressive_jpeg_cut_between_scans_is_refused() -> None:
    data = data_of("progressive")
    starts = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xda"]
    tables = [data.rfind(b"\xff\xc4", 0, start) for start in starts]
    assert len(starts) > 3
    for start, table in zip(starts[1:], tables[1:], strict=True):
        for end in (start, table):
            with pytest.raises(PhotoUnreadableError):
                read_photo(io.BytesIO(data[:end]))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "progressive"])
@pytest.mark.parametrize("missing", [200, 400])
def test_scan_data_missing_before_the_end_marker_is_noted(kind: str, missing: int) -> None:
    data = data_of(kind)
    photo = read_photo(io.BytesIO(data[: -2 - missing] + b"\xff\xd9"))
    assert photo.notes == ("its scan data ends early: a part of the picture is missing",)
    assert read_photo(io.BytesIO(data + b"trailer")).notes == ()


def test_scans_missing_before_the_end_marker_are_noted() -> None:
    data = data_of("progressive")
    last = data.rfind(b"\xff\xc4")
    assert "ends early" in read_photo(io.BytesIO(data[:last] + b"\xff\xd9")).notes[0]
    assert read_photo(io.BytesIO(data)).notes == ()


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_picture_of_one_colour_is_whole(options: dict) -> None:
    for level in (0, 90, 255):
        assert read_photo(io.BytesIO(jpeg(np.full((40, 50, 3), level, np.uint8), **options))).notes == ()


@pytest.mark.parametrize("name", ["no_eoi.jpg", "no_eoi_trailer.jpg"])
def test_no_end_marker_case(command: Command, name: str) -> None:
    done = command("albedo", *SAME, "-o", "out.png", CASES / name)
    assert (done.code, done.err) == (0, "")
    expected = pyvips.Image.new_from_buffer((CASES / "no_eoi.jpg").read_bytes(), "").numpy()
    ours = pyvips.Image.new_from_buffer(Path("out.png").read_bytes(), "").numpy()
    assert ours.shape == expected.shape
    if name == "no_eoi.jpg":
        assert np.abs(ours.astype(int) - expected).max() <= 1


# JPEG of more than 8 bits


@pytest.mark.parametrize("options", [{"bits": 12}, {"bits": 12, "grey": True}, {"bits": 16, "lossless": True}], ids=str)
def test_deep_jpeg_is_read_or_named(options: dict) -> None:
    bits = options["bits"]
    pixels = np.rint(smooth(48, 64) * (2**bits - 1)).astype(np.uint16)
    pixels = np.ascontiguousarray(pixels[..., 0]) if options.get("grey") else pixels
    data = imagecodecs.jpeg8_encode(pixels, bitspersample=bits, lossless=options.get("lossless"))
    photo = read_photo(io.BytesIO(data))
    expected = pixels.reshape(48, 64, -1) * (65535 / (2**bits - 1))
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels - expected).max() < 1000
    if not options.get("lossless"):
        with pytest.raises(PhotoUnreadableError, match="cut off"):
            read_photo(io.BytesIO(data[: len(data) // 2]))


def test_12_bit_case(command: Command) -> None:
    done = command("albedo", *SAME, "-o", "out.png", CASES / "b12.jpg")
    assert (done.code, done.err) == (0, "")
    deep = imagecodecs.jpeg8_decode((CASES / "b12.jpg").read_bytes())
    ours = pyvips.Image.new_from_buffer(Path("out.png").read_bytes(), "")
    assert ours.format == "ushort"
    np.testing.assert_array_equal(ours.numpy() >> 4, deep)


def with_process(process: int, bits: int = 8, components: int = 3) -> bytes:
    """Return a JPEG with another frame header."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4], data[at + 9] = process, bits, components
    return bytes(data)


def jxl_dng() -> bytes:
    file = io.BytesIO(dng(smooth(64, 96)))
    with tifffile.TiffFile(file, mode="r+") as tiff:
        tiff.pages.first.tags["Compression"].overwrite(52546)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (with_process(0xC5), "hierarchical JPEG"),
        (with_process(0xCF), "hierarchical JPEG"),
        (with_process(0xCB), "lossless JPEG with arithmetic coding"),
        (with_process(0xC1, bits=12, components=4), "JPEG with 12 bits"),
        (with_process(0xC3, bits=14), "lossless JPEG with 14 bits"),
        (bytes(imagecodecs.jpegls_encode(SMOOTH)), "JPEG-LS"),
        (bytes(imagecodecs.jpegxr_encode(SMOOTH)), "JPEG XR"),
        (bytes(imagecodecs.jpegxl_encode(SMOOTH)), "JPEG XL"),
        (bytes(imagecodecs.jpegxl_encode(SMOOTH, usecontainer=True)), "JPEG XL"),
        (jxl_dng(), "JPEG XL, which LibRaw"),
        (b"8BPS\0\1" + bytes(50), "Photoshop"),
        (b"%PDF-1.7" + bytes(50), "PDF"),
        (b"\0\0\0\x18ftypisom" + bytes(50), "it is a video; give a frame: 'relight-cli interpolate-timelapse VIDEO"),
        (b"RIFF\x80\0\0\0AVI LIST" + bytes(50), "it is a video"),
    ],
)
def test_the_reason_is_named_in_one_line(data: bytes, reason: str, command: Command) -> None:
    Path("a.jpg").write_bytes(data)
    done = command("albedo", *SAME, "a.jpg")
    assert done.code == 4
    (line,) = done.lines
    assert reason in line
    assert line.startswith("relight-cli: a.jpg: ")
    assert "copy it again" not in line


STREAM = b"G" + bytes(187)
BRANDS = (b"M4V ", b"iso2", b"iso5", b"avc1", b"XAVC", b"MSNV")
VIDEOS = {
    **{
        brand: box(b"ftyp", brand + bytes(4) + brand)
        for brand in (b"M4V ", b"iso2", b"iso5", b"avc1", b"XAVC", b"MSNV")
    },
    b"3gp4": box(b"ftyp", b"3gp4" + bytes(4) + b"isom3gp4"),
    b"moov": box(b"moov", box(b"mvhd", bytes(100))),
    b"wide": box(b"wide", b"") + box(b"mdat", bytes(20)),
    b"asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(50),
    b"ts": 4 * STREAM,
    b"m2ts": 4 * (bytes(4) + STREAM),
    b"mpeg": b"\0\0\1\xb3" + bytes(50),
}


@pytest.mark.parametrize("data", VIDEOS.values(), ids=[kind.decode().strip() for kind in VIDEOS])
def test_videos_are_named(data: bytes) -> None:
    with pytest.raises(PhotoUnreadableError, match="it is a video; give a frame: 'relight-cli interpolate-timelapse"):
        read_photo(io.BytesIO(data))


@pytest.mark.parametrize("data", [box(b"ftyp", b"jpeg" + bytes(4) + b"jpeg"), b"Going" + bytes(600)])
def test_other_files_are_no_videos(data: bytes) -> None:
    with pytest.raises(PhotoUnreadableError) as caught:
        read_photo(io.BytesIO(data))
    assert "video" not in str(caught.value)


def test_jxl_dng_case(command: Command) -> None:
    done = command("albedo", *SAME, CASES / "linear_jxl.dng")
    assert done.code == 4
    assert "compressed with JPEG XL" in done.err
    assert len(done.lines) == 1


# silence


def interlaced(dtype: str, channels: int) -> bytes:
    """Return a PNG of 1 x 1 pixels, which is the same interlaced (Adam7) as not."""
    data = bytearray(imagecodecs.png_encode(noise((1, 1, channels), dtype)))
    data[28] = 1
    struct.pack_into(">I", data, 29, zlib.crc32(bytes(data[12:29])))
    return bytes(data)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [3, 4])
def test_interlaced_png_is_silent(dtype: str, channels: int, command: Command) -> None:
    logging.lastResort.setLevel(logging.WARNING)
    Path("a.png").write_bytes(interlaced(dtype, channels))
    assert command("albedo", *SAME, "-o", "out.png", "a.png").err == ""


def test_interlaced_case(command: Command) -> None:
    done = command("albedo", *SAME, "-o", "out.png", CASES / "interlace16.png")
    assert (done.code, done.err) == (0, "")
    ours, theirs = (
        pyvips.Image.new_from_buffer(path.read_bytes(), "").numpy()
        for path in (Path("out.png"), CASES / "interlace16.png")
    )
    np.testing.assert_array_equal(ours, theirs)


def test_a_subsampled_jpeg2000_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(imagecodecs.jpeg2k_encode(np.zeros((8, 8, 3), np.uint8), level=0, codecformat="jp2", mct=False))
    first = data.index(b"\xff\x4f\xff\x51") + 42  # of three: depth, steps across and down (ISO 15444-1, A.5.1)
    data[first : first + 9] = b"\7\2\2" * 3
    with pytest.raises(PhotoUnreadableError, match="subsampling"):
        read_photo(io.BytesIO(data))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0", b"II*\0\x08\0"])
def test_a_header_that_is_cut_off_is_named_so(data: bytes) -> None:
    with pytest.raises(PhotoUnreadableError, match="cut off"):
        read_photo(io.BytesIO(data))


@pytest.mark.parametrize("tag", [256, 257])
def test_a_picture_without_pixels_is_refused(tag: int) -> None:
    tifffile.imwrite(file := io.BytesIO(), noise((4, 5, 3)), photometric="rgb", metadata=None)
    length = 5 if tag == 256 else 4
    data = file.getvalue().replace(struct.pack("<HHII", tag, 4, 1, length), struct.pack("<HHII", tag, 4, 1, 0))
    with pytest.raises(PhotoUnreadableError, match="width or height is 0"):
        read_photo(io.BytesIO(data))


@pytest.mark.parametrize(("kind", "longest"), [("JPEG", 65500), ("WEBP", 16383), ("AVIF", 65536)])
def test_a_picture_too_long_for_its_format_is_said_to_be_so(
    kind: str, longest: int, capfd: pytest.CaptureFixture[str]
) -> None:
    photo = Photo(np.zeros((1, longest + 1, 1), np.uint8))
    with pytest.raises(OutputUnwritableError, match=f"{kind} .it holds at most {longest} pixels a side.; choose PNG"):
        write_photo(photo, io.BytesIO(), format=kind)
    assert capfd.readouterr().err == ""
