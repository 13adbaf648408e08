"""Chunks, comments and boxes at their limits: damaged, too long, of narrow range, or only for display."""

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from command_line import Command
from photo_fixtures import noise, wide_profile
from PIL import Image
from stated_colours import chunk, cicp_chunk, iccp, in_srgb, png, seen

SAME = ("--model", "tiny", "--strength", "0")
PIXELS = noise((8, 8, 3))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("body", [b"x\0\0", b"x\0\0nonsense", b"x\0\0" + zlib.compress(b"nonsense")])
def test_a_damaged_profile_is_noted(body: bytes, dtype: str, command: Command) -> None:
    Path("a.png").write_bytes(png(noise((8, 8, 3), dtype), chunk(b"iCCP", body)))
    done = command("deshadow", *SAME, "a.png", "-o", "b.png")
    assert (done.code, len(done.lines), "profile is" in done.err) == (0, 1, True), done.err


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_one_damaged_chunk_costs_no_other(dtype: str, command: Command) -> None:
    damaged = bytearray(chunk(b"tEXt", b"Title\0x"))
    damaged[-1] ^= 1
    icc = wide_profile("P3")
    Path("a.png").write_bytes(png(noise((8, 8, 3), dtype), bytes(damaged), iccp(icc), chunk(b"tEXt", b"Author\0me")))
    done = command("deshadow", *SAME, "a.png", "-o", "b.png")
    assert (done.code, len(done.lines), "a part of its metadata" in done.err) == (0, 1, True), done.err
    with Image.open("b.png") as image:
        assert (image.info["icc_profile"], image.info["Author"], "Title" in image.info) == (icc, "me", False)


@pytest.mark.parametrize("text", [b"\nexif\n 10\nzzzz\n", b"", b"\nexif\n", b"\nexif\nten\n0011\n"])
def test_a_damaged_raw_profile_is_noted(text: bytes, command: Command) -> None:
    Path("a.png").write_bytes(png(PIXELS, chunk(b"tEXt", b"Raw profile type exif\0" + text)))
    done = command("deshadow", *SAME, "a.png", "-o", "b.png")
    assert (done.code, len(done.lines), "Raw profile type exif" in done.err) == (0, 1, True), done.err


@pytest.mark.parametrize("suffix", ["jpg", "jp2"])
def test_a_comment_too_long_for_one_segment_is_whole(suffix: str, command: Command) -> None:
    comment = bytes(33 + number % 90 for number in range(150_000))
    Path("a.png").write_bytes(png(PIXELS, chunk(b"tEXt", b"Comment\0" + comment)))
    assert command("deshadow", *SAME, "a.png", "-o", f"b.{suffix}").code == 0
    data, at, found = Path(f"b.{suffix}").read_bytes(), 0, b""
    mark, skipped = (b"\xff\xfe", 4) if suffix == "jpg" else (b"\xff\x64", 6)
    while (at := data.find(mark, at)) >= 0:
        (length,) = struct.unpack_from(">H", data, at + 2)
        found += data[at + skipped : at + 2 + length] if length > 1000 else b""
        at += 2 + length
    assert found == comment


def test_narrow_range_of_16_bits(command: Command) -> None:
    values = np.array([4096, 60160, 32128, 0, 65535, 20000, 40000, 50000, 4097], np.uint16).reshape(1, 3, 3)
    Path("a.png").write_bytes(png(values, cicp_chunk(12, 13, full=0)))
    done = command("deshadow", *SAME, "a.png", "-o", "b.png")
    assert (done.code, done.err) == (0, "")
    with Image.open("b.png") as image:
        icc = image.info["icc_profile"]
    ours = seen(imagecodecs.png_decode(Path("b.png").read_bytes()), icc)
    full = np.clip((values / 256.0 - 16) / 219, 0, 1)
    np.testing.assert_allclose(ours, in_srgb(full, "P3", "sRGB"), rtol=1e-3, atol=1 / 4095)


@pytest.mark.parametrize(("across", "down"), [(300, 300), (200, 100)])
def test_the_display_resolution_of_a_jpeg_2000(across: int, down: int, command: Command) -> None:
    plain = bytes(imagecodecs.jpeg2k_encode(PIXELS, level=0, codecformat="jp2"))
    at = plain.index(b"jp2h") - 4
    (size,) = struct.unpack_from(">I", plain, at)
    metres = (round(down / 0.254), 1, round(across / 0.254), 1)
    body = struct.pack(">4H2b", *metres, 1, 1)
    box = struct.pack(">I4sI4s", 26, b"res ", 18, b"resd") + body
    head = struct.pack(">I", size + len(box)) + plain[at + 4 : at + size] + box
    Path("a.jp2").write_bytes(plain[:at] + head + plain[at + size :])
    assert command("deshadow", *SAME, "a.jp2", "-o", "b.png").code == 0
    with Image.open("b.png") as image:
        assert image.info["dpi"] == pytest.approx((across, down), rel=2e-3)
