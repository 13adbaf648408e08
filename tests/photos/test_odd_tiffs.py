"""TIFFs of reduced copies alone, BigTIFF of both byte orders, and directories behind 4 GiB; judged with tifffile."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from command_line import Command
from photo_fixtures import noise
from PIL import Image

from relight_cli.photos.codecs.tiff_encoding import _append_directories
from relight_cli.photos.reading import read_photo

SAME = ("--model", "tiny", "--strength", "0")


@pytest.mark.parametrize("sizes", [(4,), (4, 12), (12, 4), (4, 12, 8)])
def test_of_reduced_copies_the_largest_is_read(sizes: tuple[int, ...], command: Command) -> None:
    with tifffile.TiffWriter("a.tif") as file:
        for size in sizes:
            file.write(noise((size, size, 3)), photometric="rgb", subfiletype=1, metadata=None)
    done = command("deshadow", *SAME, "a.tif", "-o", "b.tif")
    assert done.code == 0, done.err
    np.testing.assert_array_equal(tifffile.imread("b.tif"), noise((max(sizes), max(sizes), 3)))
    assert len(done.lines) == (len(sizes) > 1)


@pytest.mark.parametrize("said", [None, "a caption"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bigtiff_of_both_byte_orders(order: str, said: str | None, command: Command) -> None:
    options = {"description": said} if said else {}
    tifffile.imwrite(
        "a.tif", noise((6, 7, 3)), photometric="rgb", metadata=None, software=False, byteorder=order, bigtiff=True,
        **options,
    )  # fmt: skip
    done = command("deshadow", *SAME, "a.tif", "-o", "b.tif")
    np.testing.assert_array_equal(tifffile.imread("b.tif"), noise((6, 7, 3)))
    assert done.lines == []
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.pages.first.tags.valueof("ImageDescription") == said


@pytest.mark.parametrize("largest", [255, 65535])
def test_a_palette_has_8_or_16_bits(largest: int, command: Command) -> None:
    colours = noise((3, 256))
    tifffile.imwrite("a.tif", noise((6, 7)), photometric="palette", colormap=colours.astype("u2") * (largest // 255))
    assert command("deshadow", *SAME, "a.tif", "-o", "b.tif").lines == []
    np.testing.assert_array_equal(tifffile.imread("b.tif"), colours.T[noise((6, 7))])


def subsampled(
    pieces: list[bytes], size: tuple[int, int], piece: tuple[int, int], shared: tuple[int, int], packing: int
) -> bytes:
    """Return a TIFF in YCbCr of strips or tiles as stored (TIFF 6.0, section 21); 1 is no compression, 8 is deflate."""
    (height, width), (rows, columns), tiled = size, piece, piece[1] < size[1]
    entries = {256: width, 257: height, 258: (8, 8, 8), 259: packing, 262: 6, 277: 3}
    places, counts = (324, 325) if tiled else (273, 279)
    entries |= {322: columns, 323: rows} if tiled else {278: rows}
    entries |= {places: (0,) * len(pieces), counts: tuple(map(len, pieces)), 530: shared}
    start = 8 + 2 + 12 * len(entries) + 4
    lists = start + sum(4 * len(value) for value in entries.values() if isinstance(value, tuple))
    entries[places] = tuple(lists + sum(map(len, pieces[:at])) for at in range(len(pieces)))
    table, more = b"", b""
    for tag, value in sorted(entries.items()):
        packed = struct.pack(f"<{len(value)}I", *value) if isinstance(value, tuple) else struct.pack("<I", value)
        count = len(packed) // 4
        table += struct.pack("<HHI", tag, 4, count) + (packed if count == 1 else struct.pack("<I", start + len(more)))
        more += packed if isinstance(value, tuple) else b""
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + more + b"".join(pieces)


STRIP, TILE = (4, 29), (16, 16)


@pytest.mark.parametrize(
    ("shared", "piece"),
    [((2, 1), STRIP), ((2, 2), STRIP), ((4, 2), STRIP), ((1, 1), TILE), ((2, 2), TILE), ((4, 1), TILE)],
)
def test_ycbcr_without_compression(shared: tuple[int, int], piece: tuple[int, int], command: Command) -> None:
    (across, down), (height, width), (rows, columns) = shared, (19, 29), piece
    heights = [rows if columns < width else min(rows, height - top) for top in range(0, height, rows)]
    blocks = [-(-high // down) * -(-columns // across) for high in heights for _ in range(0, width, columns)]
    pieces = [noise((number * (across * down + 2),), seed=at).tobytes() for at, number in enumerate(blocks)]
    packed = subsampled([zlib.compress(one) for one in pieces], (height, width), piece, shared, 8)
    if shared == (1, 1):  # pyvips reads it as RGB
        stored = tifffile.imread(io.BytesIO(packed))
        expected = np.asarray(Image.frombytes("YCbCr", (width, height), stored.tobytes()).convert("RGB"))
    else:
        expected = pyvips.Image.new_from_buffer(packed, "").numpy()[..., :3]
    Path("a.tif").write_bytes(subsampled(pieces, (height, width), piece, shared, 1))
    assert command("deshadow", *SAME, "a.tif", "-o", "b.tif").lines == []
    np.testing.assert_allclose(tifffile.imread("b.tif").astype(int), expected, atol=1)


def test_planes_of_ycbcr_without_compression() -> None:
    file, samples = io.BytesIO(), noise((6, 7, 3))
    tifffile.imwrite(file, np.moveaxis(samples, -1, 0), photometric="ycbcr", planarconfig="separate", metadata=None)
    expected = Image.frombytes("YCbCr", (7, 6), samples.tobytes()).convert("RGB")
    np.testing.assert_array_equal(read_photo(file).pixels, np.asarray(expected))


@pytest.mark.parametrize(
    ("shared", "count", "kept", "reason"),
    [
        ((2, 2), 2, -4, "its pixels are cut off"),
        ((2, 2), 1, None, "its pixels are cut off"),  # the place of a strip is missing
        ((0, 2), 2, None, "its YCbCrSubSampling is 0, 2, not 1, 2 or 4"),
    ],
)
def test_broken_ycbcr_is_named(
    shared: tuple[int, int], count: int, kept: int | None, reason: str, command: Command
) -> None:
    data = subsampled([bytes(4 * 5 * 6)] * count, (16, 10), (8, 10), shared, 1)
    Path("a.tif").write_bytes(data[:kept])
    done = command("deshadow", *SAME, "a.tif", "-o", "b.tif")
    assert (done.code, len(done.lines), reason in done.err) == (4, 1, True), done.err


@pytest.mark.parametrize(("photometric", "shape"), [("minisblack", (32, 40)), ("rgb", (32, 40, 3))])
@pytest.mark.parametrize("packing", ["jpeg", "zlib", None])
def test_a_cut_tiff_is_refused(packing: str | None, photometric: str, shape: tuple, command: Command) -> None:
    options = {"compressionargs": {"outcolorspace": "rgb"}} if (packing, photometric) == ("jpeg", "rgb") else {}
    tifffile.imwrite("a.tif", noise(shape), photometric=photometric, compression=packing, metadata=None, **options)
    Path("b.tif").write_bytes(Path("a.tif").read_bytes()[:-400])
    assert command("deshadow", *SAME, "a.tif", "-o", "c.tif").lines == []
    done = command("deshadow", *SAME, "b.tif", "-o", "d.tif")
    assert (done.code, len(done.lines), Path("d.tif").exists()) == (4, 1, False)


def test_a_volume_is_named(command: Command) -> None:
    tifffile.imwrite("a.tif", noise((4, 32, 32, 3)), photometric="rgb", volumetric=True, tile=(16, 16, 16))
    done = command("deshadow", *SAME, "a.tif", "-o", "b.tif")
    assert (done.code, len(done.lines), "volume of 4 slices" in done.err) == (4, 1, True)


def test_a_tiff_with_jpeg_compression_that_lacks_a_strip_is_named(command: Command) -> None:
    options = {"photometric": "minisblack", "compression": "jpeg", "rowsperstrip": 16, "metadata": None}
    tifffile.imwrite("a.tif", noise((32, 40)), **options)
    with tifffile.TiffFile("a.tif") as tiff:
        place = tiff.pages.first.tags["StripOffsets"].offset
    data = bytearray(Path("a.tif").read_bytes())
    data[place + 4 : place + 8] = (1).to_bytes(4, "little")
    Path("a.tif").write_bytes(data)
    done = command("deshadow", *SAME, "a.tif", "-o", "b.tif")
    assert (done.code, len(done.lines), "its pixels are cut off" in done.err) == (4, 1, True), done.err


def test_an_interop_directory_behind_4_gib_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((4, 4, 3)), photometric="rgb", bigtiff=True, metadata=None)
    with path.open("r+b") as file:
        file.truncate((1 << 32) + 2)  # sparse
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _append_directories(file, {0x8769: {0x9003: (2, "2020:01:02 03:04:05"), 0xA005: (4, {1: "R98"})}})
    assert ["Interop" in str(warning.message) for warning in caught] == [True]
    with path.open("rb") as file:
        assert struct.unpack("<Q", file.read(16)[8:])[0] >= 1 << 32
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages.first.tags.valueof("ExifTag")["DateTimeOriginal"] == "2020:01:02 03:04:05"


@pytest.mark.parametrize("options", [{"photometric": "rgb"}, {"photometric": "ycbcr", "tile": (16, 16)}])
def test_damaged_jpeg_data_is_noted(options: dict, command: Command) -> None:
    tifffile.imwrite("a.tif", noise((32, 32, 3)), compression="jpeg", metadata=None, **options)
    assert command("deshadow", *SAME, "a.tif", "-o", "b.png").lines == []
    data = bytearray(Path("a.tif").read_bytes())
    scan = data.rindex(b"\xff\xda") + 100
    data[scan : scan + 12] = b"\xff\x00" * 6  # codes that do not exist
    Path("c.tif").write_bytes(data)
    (note,) = command("deshadow", *SAME, "c.tif", "-o", "d.png").lines
    assert "its scan data is damaged" in note


def test_a_kind_that_pillow_does_not_open_is_named(command: Command) -> None:
    tifffile.imwrite("a.tif", noise((8, 8, 3)) >> 4, photometric="rgb", bitspersample=4, metadata=None)
    done = command("deshadow", *SAME, "a.tif", "-o", "b.png")
    assert (done.code, len(done.lines)) == (4, 1)
    assert "it is a TIFF with 4-bit RGB pixels and NONE compression, which is not supported" in done.err
