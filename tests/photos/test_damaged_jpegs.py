"""Damage within a JPEG's scan data gets a note; bytes that belong to no picture get none."""

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import simplejpeg
from command_line import Command
from photo_fixtures import wide_profile
from PIL import Image

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.reading import read_photo

NOTE = "its scan data is damaged: a part of the picture is probably wrong"
ENDS_EARLY = "its scan data ends early: a part of the picture is missing"  # where nothing follows its last code
DROPPED = "its colour profile is damaged and dropped"
KINDS = {"baseline": {}, "progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 4}}


def jpeg(**options: object) -> bytes:
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    file = io.BytesIO()
    coarse.resize((400, 300), Image.Resampling.BICUBIC).save(file, "JPEG", quality=92, **options)
    return file.getvalue()


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("damage", ["zeros", "noise", "cut out"])
def test_a_damaged_block_of_a_disk_is_noted_or_refused(options: dict, damage: str) -> None:
    data = jpeg(**options)
    start = data.find(b"\xff\xda") + 3000
    noise = np.random.default_rng(4).integers(0, 256, 512, dtype=np.uint8).tobytes()
    new = {"zeros": bytes(512), "noise": noise, "cut out": b""}[damage]
    try:
        notes = read_photo(io.BytesIO(data[:start] + new + data[start + 512 :])).notes
    except PhotoUnreadableError:
        return
    assert notes in ((NOTE,), (ENDS_EARLY,))
    assert read_photo(io.BytesIO(data)).notes == ()


@pytest.mark.parametrize("padding", [bytes(100), b"\xff" * 100], ids=["zeros", "fill bytes"])
def test_padding_before_the_end_marker_is_no_damage(padding: bytes) -> None:
    assert read_photo(io.BytesIO(jpeg()[:-2] + padding + b"\xff\xd9")).notes == ()


def test_a_comment_with_a_wrong_length_is_no_damage() -> None:
    data = jpeg()
    assert read_photo(io.BytesIO(data[:2] + b"\xff\xfe\x00\x04ab" + bytes(9) + data[2:])).notes == ()


ICC = wide_profile("P3")
HALVES = ICC[:200], ICC[200:]
PARTS = {  # number and count of each part of a profile, its bytes, and whether the profile can be read
    "repeated": ([(1, 1, ICC), (1, 1, ICC)], True),
    "no count": ([(1, 0, ICC)], True),
    "count too large": ([(2, 3, HALVES[1]), (1, 3, HALVES[0])], True),
    "missing": ([(1, 2, HALVES[0])], False),
}


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("name", PARTS)
def test_parts_of_a_profile(name: str, damaged: bool) -> None:
    parts, whole = PARTS[name]
    data = jpeg()
    if damaged:
        data = data[:9000] + bytes(512) + data[9512:]
    segments = [b"ICC_PROFILE\0%c%c" % (number, count) + part for number, count, part in parts]
    packed = b"".join(struct.pack(">BBH", 0xFF, 0xE2, len(one) + 2) + one for one in segments)
    photo = read_photo(io.BytesIO(data[:2] + packed + data[2:]))
    assert photo.metadata.icc == (ICC if whole else None)
    assert set(photo.notes) == {NOTE if damaged else None, None if whole else DROPPED} - {None}


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "colours"])
def test_a_lossless_jpeg_is_read_and_never_scaled(channels: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict] = []  # libjpeg writes beyond its buffer if it is to scale one
    decode = simplejpeg.decode_jpeg

    def decode_whole(data: bytes, colours: str, **options: object) -> np.ndarray:
        asked.append(options)
        return decode(data, colours, strict=True)

    monkeypatch.setattr(simplejpeg, "decode_jpeg", decode_whole)
    pixels = np.random.default_rng(5).integers(0, 256, (20, 30, *channels), dtype=np.uint8)
    photo = read_photo(io.BytesIO(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=8)))
    np.testing.assert_array_equal(photo.pixels.squeeze(), pixels)
    assert (photo.notes, asked) == ((), [{"strict": True}])


def test_the_command_names_the_file(command: Command) -> None:
    data = jpeg()
    Path("a.jpg").write_bytes(data[:9000] + bytes(512) + data[9512:])
    done = command("albedo", "a.jpg", "--model", "tiny", "--strength", "0")
    assert (done.code, done.lines) == (0, [f"a.jpg: {NOTE}"])
