"""TIFFs of reduced copies alone, BigTIFF of both byte orders, and directories behind 4 GiB; judged with tifffile."""

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

from relight_cli.photos.codecs.tiff_encoding import _append_directories

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
    kept = said and order == "<"
    assert len(done.lines) == bool(said and not kept)  # a note on what is lost, and only on that
    with tifffile.TiffFile("b.tif") as tiff:
        assert tiff.pages.first.tags.valueof("ImageDescription") == (said if kept else None)


@pytest.mark.parametrize("largest", [255, 65535])
def test_a_palette_has_8_or_16_bits(largest: int, command: Command) -> None:
    colours = noise((3, 256))
    tifffile.imwrite("a.tif", noise((6, 7)), photometric="palette", colormap=colours.astype("u2") * (largest // 255))
    assert command("deshadow", *SAME, "a.tif", "-o", "b.tif").lines == []
    np.testing.assert_array_equal(tifffile.imread("b.tif"), colours.T[noise((6, 7))])


def subsampled(strips: list[bytes], size: tuple[int, int], rows: int, across: int, down: int, packing: int) -> bytes:
    """Return a TIFF in YCbCr of strips as stored (TIFF 6.0, section 21); 1 is no compression, 8 is deflate."""
    height, width = size
    entries = {256: width, 257: height, 258: (8, 8, 8), 259: packing, 262: 6, 273: (0,) * len(strips), 277: 3}
    entries |= {278: rows, 279: tuple(map(len, strips)), 530: (across, down)}
    start = 8 + 2 + 12 * len(entries) + 4
    lists = start + sum(4 * len(value) for value in entries.values() if isinstance(value, tuple))
    entries[273] = tuple(lists + sum(map(len, strips[:at])) for at in range(len(strips)))
    table, more = b"", b""
    for tag, value in entries.items():
        packed = struct.pack(f"<{len(value)}I", *value) if isinstance(value, tuple) else struct.pack("<I", value)
        count = len(packed) // 4
        table += struct.pack("<HHI", tag, 4, count) + (packed if count == 1 else struct.pack("<I", start + len(more)))
        more += packed if isinstance(value, tuple) else b""
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4) + more + b"".join(strips)


@pytest.mark.parametrize("shared", [(2, 1), (2, 2), (4, 2)])
def test_subsampled_ycbcr_without_compression(shared: tuple[int, int], command: Command) -> None:
    (across, down), (height, width), rows = shared, (7, 9), 4
    wide = -(-width // across)
    high = (-(-rows // down), -(-(height - rows) // down))
    strips = [noise((number * wide * (across * down + 2),)).tobytes() for number in high]
    packed = subsampled([zlib.compress(strip) for strip in strips], (height, width), rows, *shared, 8)
    expected = pyvips.Image.new_from_buffer(packed, "").numpy()[..., :3]
    Path("a.tif").write_bytes(subsampled(strips, (height, width), rows, *shared, 1))
    assert command("deshadow", *SAME, "a.tif", "-o", "b.tif").lines == []
    np.testing.assert_allclose(tifffile.imread("b.tif").astype(int), expected, atol=1)
    Path("c.tif").write_bytes(Path("a.tif").read_bytes()[:-4])
    done = command("deshadow", *SAME, "c.tif", "-o", "d.tif")
    assert (done.code, "its pixels are cut off" in done.err) == (4, True)


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


def test_an_interop_directory_behind_4_gib_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((4, 4, 3)), photometric="rgb", bigtiff=True, metadata=None)
    with path.open("r+b") as file:
        file.truncate((1 << 32) + 2)  # sparse
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _append_directories(file, {0x8769: {0x9003: "2020:01:02 03:04:05", 0xA005: {1: "R98"}}})
    assert ["Interop" in str(warning.message) for warning in caught] == [True]
    with path.open("rb") as file:
        assert struct.unpack("<Q", file.read(16)[8:])[0] >= 1 << 32
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages.first.tags.valueof("ExifTag")["DateTimeOriginal"] == "2020:01:02 03:04:05"
