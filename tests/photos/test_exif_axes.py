"""EXIF tags across and down the picture change places when the picture is turned on its side; judged with Pillow."""

import numpy as np
import pytest
from command_line import Command
from PIL import Image

from relight_cli.photos.exif_axes import swap_axes

SAME = ("--model", "tiny", "--strength", "0")
WIDTH, HEIGHT, ACROSS, DOWN = 0xA002, 0xA003, 0x011A, 0x011B


def exif(orientation: int, order: str) -> Image.Exif:
    made = Image.Exif()
    made.endian = order
    made[0x0112], made[ACROSS], made[DOWN], made[0x0128] = orientation, 300.0, 150.0, 2
    made.get_ifd(0x8769).update({WIDTH: 64, HEIGHT: 32, 0xA20E: 4000.0, 0xA20F: 2000.0})
    return made


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kinds", ["jpg jpg", "png png", "webp webp", "avif avif", "jpg tif", "jpg png"])
def test_axes_turn_with_the_picture(kinds: str, orientation: int, order: str, command: Command) -> None:
    source, target = kinds.split()
    Image.fromarray(np.zeros((32, 64, 3), np.uint8)).save(f"a.{source}", exif=exif(orientation, order))
    assert command("deshadow", *SAME, f"a.{source}", "-o", f"b.{target}").code == 0
    with Image.open(f"b.{target}") as image:
        found, details = image.getexif(), image.getexif().get_ifd(0x8769)
        assert image.size == ((32, 64) if orientation >= 5 else (64, 32))
        assert (details[WIDTH], details[HEIGHT]) == image.size
        assert (details[0xA20E] < details[0xA20F]) == (orientation >= 5)
        assert (found[ACROSS] < found[DOWN]) == (orientation >= 5)
        if source == "jpg":  # the resolution in EXIF is that of the picture where JFIF says none
            across, down = image.info["dpi"]
            assert (round(across), round(down)) == ((150, 300) if orientation >= 5 else (300, 150))


@pytest.mark.parametrize("cut", [0, 3, 8, 9, 12, 30, 60])
def test_broken_exif_is_unchanged(cut: int) -> None:
    data = exif(6, "<").tobytes()[6:][:cut]
    assert swap_axes(data) == data


def test_twice_is_unchanged() -> None:
    data = exif(6, ">").tobytes()[6:]
    assert swap_axes(data) != data
    assert swap_axes(swap_axes(data)) == data
