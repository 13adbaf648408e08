"""What a JPEG 2000 says of its fourth channel: alpha, alpha by which the colours are multiplied, or nothing."""

import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from command_line import Command
from photo_fixtures import noise
from PIL import Image

SAME = ("--model", "tiny", "--strength", "0")
SAMPLES = noise((8, 9, 4))
ALPHA, MULTIPLIED, UNSPECIFIED = 1, 2, 65535  # (ISO 15444-1, table I.16)


def definition(kind: int) -> bytes:
    """Return a box that defines four channels."""
    channels = ((0, 0, 1), (1, 0, 2), (2, 0, 3), (3, kind, 0))
    return struct.pack(">I4sH", 34, b"cdef", 4) + b"".join(struct.pack(">3H", *channel) for channel in channels)


def jp2(kind: int) -> bytes:
    data = bytes(imagecodecs.jpeg2k_encode(SAMPLES, level=0, codecformat="jp2"))
    at = data.index(b"jp2h") - 4
    (size,) = struct.unpack_from(">I", data, at)
    box = definition(kind)
    return data[:at] + struct.pack(">I", size + len(box)) + data[at + 4 : at + size] + box + data[at + size :]


@pytest.mark.parametrize("kind", [ALPHA, MULTIPLIED, UNSPECIFIED])
def test_the_kind_of_the_fourth_channel_counts(kind: int, command: Command) -> None:
    Path("a.jp2").write_bytes(jp2(kind))
    done = command("deshadow", *SAME, "a.jp2", "-o", "b.png")
    assert (done.code, [line for line in done.lines if "extra channels" not in line]) == (0, [])
    assert len(done.lines) == (kind == UNSPECIFIED)
    pixels, stored = np.asarray(Image.open("b.png")), SAMPLES.astype(float)
    alpha = stored[..., 3:] if kind == MULTIPLIED else 255
    colours = np.where(stored[..., 3:] > 0, stored[..., :3] * 255 / np.maximum(alpha, 1), stored[..., :3])
    np.testing.assert_allclose(pixels[..., :3], np.minimum(colours, 255), atol=0.51)
    assert pixels.shape[2] == (3 if kind == UNSPECIFIED else 4)


def test_alpha_is_written_as_alpha(command: Command) -> None:
    Image.fromarray(SAMPLES).save("a.png")
    assert command("deshadow", *SAME, "a.png", "-o", "b.jp2", "--quality", "100").lines == []
    assert definition(ALPHA) in Path("b.jp2").read_bytes()
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(Path("b.jp2").read_bytes()), SAMPLES)
