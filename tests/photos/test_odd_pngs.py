"""PNGs with a transparent grey of few bits, with too few rows, and of another kind; judged with pyvips."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from command_line import Command
from photo_fixtures import noise
from stated_colours import chunk

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.reading import read_photo

SAME = ("--model", "tiny", "--strength", "0")


def png(rows: bytes, size: tuple[int, int], depth: int, kind: int, *chunks: bytes) -> bytes:
    """Return a PNG of rows as stored, each with its filter."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], depth, kind, 0, 0, 0))
    body = (header, *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_transparent_grey_of_few_bits(depth: int, command: Command) -> None:
    rows = noise((6, 4)) & 0xFE  # 4 bytes a row
    rows[0, 0] = 0x5A
    clear = struct.pack(">H", int(rows[0, 0]) >> (8 - depth))
    packed = b"".join(b"\0" + row.tobytes() for row in rows)
    Path("a.png").write_bytes(png(packed, (6, 32 // depth), depth, 0, chunk(b"tRNS", clear)))
    assert command("deshadow", *SAME, "a.png", "-o", "b.png").lines == []
    before, after = (pyvips.Image.new_from_buffer(Path(name).read_bytes(), "").numpy() for name in ("a.png", "b.png"))
    assert len(np.unique(before[..., -1])) == 2
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(("depth", "kind", "size"), [(8, 2, 3), (16, 2, 6), (8, 0, 1), (8, 3, 1)])
def test_too_few_rows_are_refused(depth: int, kind: int, size: int, command: Command) -> None:
    palette = (chunk(b"PLTE", noise((256, 3)).tobytes()),) * (kind == 3)
    row = b"\0" + noise((8 * size,)).tobytes()
    Path("a.png").write_bytes(png(row * 5, (6, 8), depth, kind, *palette))
    done = command("deshadow", *SAME, "a.png", "-o", "b.png")
    assert (done.code, len(done.lines), Path("b.png").exists()) == (4, 1, False)


def test_a_png_for_iphones_is_named(command: Command) -> None:
    plain = png(b"\0" + bytes(24), (1, 8), 8, 2)
    Path("a.png").write_bytes(plain[:8] + chunk(b"CgBI", bytes(4)) + plain[8:])
    done = command("deshadow", *SAME, "a.png", "-o", "b.png")
    assert (done.code, len(done.lines), "a.png: it is a PNG of an app for iPhones" in done.err) == (4, 1, True)
    assert "pngcrush -revert-iphone-optimizations" in done.err
    assert "convert it" not in done.err


@pytest.mark.parametrize("kept", [5, 6])
def test_an_interlaced_png_without_its_last_passes_is_refused(kept: int, tmp_path: Path) -> None:
    size = (9, 8)  # an odd height has its last row in pass 5 (PNG, section 8.2)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    pixels = noise((*size, 3))
    parts = [pixels[top::down, left::across] for top, left, down, across in passes]
    rows = [b"".join(b"\0" + row.tobytes() for row in part) for part in parts if part.size]
    for name, count in (("whole.png", 7), ("cut.png", kept)):
        data = bytearray(png(b"".join(rows[:count]), size, 8, 2))
        data[28] = 1
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        (tmp_path / name).write_bytes(data)
    np.testing.assert_array_equal(read_photo(tmp_path / "whole.png").pixels, pixels)
    with pytest.raises(PhotoUnreadableError, match="its pixels are cut off"):
        read_photo(tmp_path / "cut.png")
