"""Radiance pictures are linear light; judged with OpenCV, which writes them, and OpenImageIO."""

from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from command_line import Command

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.header import read_header
from relight_cli.photos.reading import read_photo

HEAD = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n"


@pytest.mark.parametrize("size", [(4, 5), (9, 40)])  # flat, and run lengths
def test_light_of_any_brightness_is_read(size: tuple[int, int], tmp_path: Path) -> None:
    light = np.random.default_rng(0).lognormal(0, 3, (*size, 3)).astype(np.float32)
    path = tmp_path / "a.hdr"
    cv2.imwrite(str(path), light[..., ::-1])
    photo = read_photo(path)
    seen = oiio.ImageBuf(str(path)).get_pixels(oiio.FLOAT)
    assert photo.pixels.dtype == np.float32
    np.testing.assert_allclose(photo.pixels, seen, rtol=1e-6)
    np.testing.assert_allclose(photo.pixels, light, atol=light.max(axis=2).max() / 200)
    header = read_header(path)
    assert (header.height, header.width) == size


def test_commands_take_it_and_write_png(command: Command) -> None:
    light = np.full((24, 32, 3), 0.5, np.float32)
    cv2.imwrite("a.hdr", light)
    done = command("deshadow", "a.hdr", "--model", "tiny", "--strength", 0)
    assert done.code == 0, done.err
    encoded = cv2.imread("a_deshadowed.png", cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(encoded / np.iinfo(encoded.dtype).max, 0.7354, atol=0.005)  # 0.5 in the curve of sRGB


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"#?RADIANCE\nnothing\n", "no size"),
        (HEAD + b"-Y 99999 +X 99999\n", "more than"),
        (HEAD + b"+Y 2 +X 2\n" + bytes(16), "turned or mirrored"),
        (HEAD.replace(b"rgbe", b"xyze") + b"-Y 2 +X 2\n" + bytes(16), "XYZ"),
        (HEAD + b"-Y 20 +X 20\n" + bytes(16), "cannot be decoded"),
    ],
)
def test_what_cannot_be_read_is_one_line(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.hdr"
    path.write_bytes(data)
    with pytest.raises(PhotoUnreadableError, match=reason) as error:
        read_photo(path)
    assert str(path) in str(error.value)
