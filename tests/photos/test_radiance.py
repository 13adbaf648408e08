"""Radiance pictures are linear light; judged with OpenCV, which writes them, and OpenImageIO."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from command_line import Command

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.codecs import radiance
from relight_cli.photos.header import read_header
from relight_cli.photos.reading import read_photo
from relight_cli.photos.shape import pixel_aspect
from relight_cli.relighting.layers import to_linear

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


@pytest.mark.parametrize("head", [b"#?RADIANCE\n\n", b"#?RGBE\nEXPOSURE=1\n\n"])
def test_a_header_need_not_name_the_format(head: bytes, tmp_path: Path) -> None:
    path, named = tmp_path / "a.hdr", tmp_path / "named.hdr"
    picture = b"-Y 2 +X 3\n" + bytes((100, 50, 25, 129)) * 6
    path.write_bytes(head + picture)
    named.write_bytes(HEAD + picture)
    np.testing.assert_allclose(read_photo(path).pixels, oiio.ImageBuf(str(named)).get_pixels(oiio.FLOAT), rtol=1e-6)


@pytest.mark.parametrize(
    ("axes", "turn"),
    [
        ("+Y +X", lambda light: light[::-1]),
        ("-Y -X", lambda light: light[:, ::-1]),
        ("+Y -X", lambda light: light[::-1, ::-1]),
        ("+X -Y", lambda light: light.swapaxes(0, 1)),
        ("-X +Y", lambda light: light.swapaxes(0, 1)[::-1, ::-1]),
    ],
)
def test_lines_in_any_order_come_out_upright(axes: str, turn: Callable, tmp_path: Path) -> None:
    path, plain = tmp_path / "a.hdr", tmp_path / "plain.hdr"
    slow, fast = axes.split()
    data = b"".join(bytes((20 * number, 50, 25, 129)) for number in range(1, 7))
    path.write_bytes(HEAD.replace(b"\n", b" \r\n") + f"{slow} 2 {fast} 3\r\n".encode() + data)
    plain.write_bytes(HEAD + b"-Y 2 +X 3\n" + data)
    seen = turn(oiio.ImageBuf(str(plain)).get_pixels(oiio.FLOAT))
    np.testing.assert_allclose(read_photo(path).pixels, seen, rtol=1e-6)
    assert (read_header(path).height, read_header(path).width) == seen.shape[:2]


def test_old_runs_are_read(tmp_path: Path) -> None:
    size = b"-Y 20 +X 30\n"
    colours = [bytes((100, 50, 25, 129)), bytes((10, 20, 200, 128))]
    old = colours[0] + bytes((1, 1, 1, 44)) + bytes((1, 1, 1, 1)) + colours[1] + bytes((1, 1, 1, 254))
    old += colours[0] * 44  # 1 + 44 + 256, then 1 + 254, then 44
    plain = colours[0] * 301 + colours[1] * 255 + colours[0] * 44
    for name, data in (("old.hdr", old), ("plain.hdr", plain), ("cut.hdr", old[:-4])):
        (tmp_path / name).write_bytes(HEAD + size + data)
    seen = oiio.ImageBuf(str(tmp_path / "plain.hdr")).get_pixels(oiio.FLOAT)
    np.testing.assert_allclose(read_photo(tmp_path / "old.hdr").pixels, seen, rtol=1e-6)
    with pytest.raises(PhotoUnreadableError, match="cannot be decoded"):
        read_photo(tmp_path / "cut.hdr")


def test_damaged_runs_of_the_new_kind_are_not_looked_through_for_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bytes] = []
    monkeypatch.setattr(radiance, "_without_runs", lambda data, count: looked.append(data))
    (tmp_path / "a.hdr").write_bytes(HEAD + b"-Y 20 +X 30\n" + bytes((2, 2, 0, 30)) + bytes(500))
    with pytest.raises(PhotoUnreadableError, match="cannot be decoded"):
        read_photo(tmp_path / "a.hdr")
    assert looked == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"#?RADIANCE\nnothing\n", "no size"),
        (HEAD + b"-Y 99999 +X 99999\n", "more than"),
        (HEAD + b"-Y 2 +Y 2\n" + bytes(16), "no size"),
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


def hdr(tmp_path: Path, *lines: str, light: tuple[float, float, float] = (0.5, 0.25, 0.125)) -> Path:
    """A picture of one colour, with more lines in its header."""
    path = tmp_path / "a.hdr"
    cv2.imwrite(str(path), np.full((4, 8, 3), light[::-1], np.float32))
    start, end = path.read_bytes().split(b"\n\n", 1)
    path.write_bytes(b"\n".join((start, *(line.encode() for line in lines))) + b"\n\n" + end)
    return path


def test_the_colours_and_shape_of_the_header_count(tmp_path: Path) -> None:
    photo = read_photo(
        hdr(
            tmp_path,
            "PRIMARIES=0.708 0.292 0.170 0.797 0.131 0.046 0.3127 0.3290",
            "COLORCORR=2 1 1",
            "COLORCORR= 1 0.5 1",
            "\tCOLORCORR=9 9 9",
            "PIXASPECT=0.5",
            "PIXASPECT=0.5",
        )
    )
    assert photo.notes == ()
    np.testing.assert_allclose(photo.pixels[0, 0], (0.25, 0.5, 0.125), rtol=0.01)
    bt2020 = np.array(((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)))
    wanted = bt2020 @ (0.25, 0.5, 0.125)  # ITU-R BT.2087, inverted
    np.testing.assert_allclose(to_linear(photo.to_srgb())[0, 0], np.maximum(wanted, 0), atol=0.004)
    assert pixel_aspect(photo.metadata) == 4  # four times as wide as high


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("PRIMARIES=0 0 0 0 0 0 0 0", "primaries are no colour space"),
        ("PRIMARIES=0.64 0.33 0.3", "primaries are no colour space"),
        ("COLORCORR=0 1 1", "COLORCORR is broken"),
        ("PIXASPECT=wide", "PIXASPECT is broken"),
        ("GAMMA=2.2", "GAMMA is not undone"),
    ],
)
def test_what_the_header_says_wrongly_is_noted(line: str, note: str, tmp_path: Path) -> None:
    photo = read_photo(hdr(tmp_path, line))
    assert note in "; ".join(photo.notes)
    np.testing.assert_allclose(photo.pixels[0, 0], (0.5, 0.25, 0.125), rtol=0.01)


def test_an_output_has_the_colours_and_the_shape(command: Command, tmp_path: Path) -> None:
    path = hdr(tmp_path, "PRIMARIES=0.708 0.292 0.170 0.797 0.131 0.046 0.3127 0.3290", "PIXASPECT=0.5")
    done = command("deshadow", path.name, "--model", "tiny", "--strength", 0, "-o", "b.png")
    assert done.code == 0, done.err
    before, after = read_photo(path), read_photo(tmp_path / "b.png")
    np.testing.assert_allclose(after.to_srgb(), before.to_srgb(), atol=2 / 255)
    assert pixel_aspect(after.metadata) == 2
