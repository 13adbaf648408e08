"""Masks with transparency, and masks of numbers instead of brightness."""

from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from photo_fixtures import noise
from PIL import Image

from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.masks import blend_by_mask, brightness_note, mask_of

CASES = Path(__file__).parent.parent / "cases"
TINY = ("albedo", "--model", "tiny", "--no-detail")


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_an_inverted_mask_is_one_minus_the_mask(dtype: str, channels: int, invert: bool) -> None:
    samples = noise((5, 6, channels + 1), dtype)
    photo = Photo(samples[..., :channels], samples[..., channels])
    mask, inverted = to_array(mask_of(photo)), to_array(mask_of(photo, invert=True))
    np.testing.assert_array_equal(inverted, 1 - mask)
    full = 1 if dtype == "float32" else np.iinfo(dtype).max
    luma = (samples[..., :channels] / full) @ ([0.299, 0.587, 0.114] if channels == 3 else [1])
    np.testing.assert_allclose(mask, luma * samples[..., channels] / full, atol=1e-5)


@pytest.mark.parametrize("infinite", [0, 1])
def test_an_infinite_sample_stays_infinite_under_a_mask(infinite: int) -> None:
    pictures = [np.full((2, 3, 3), value, np.float32) for value in (0.25, 0.5)]
    pictures[infinite][:, 1] = np.inf
    blended = to_array(blend_by_mask(np.array([[0, 0, 0], [1, 1, 1]], np.float32), *pictures))
    np.testing.assert_array_equal(blended[0], pictures[0][0])
    np.testing.assert_array_equal(blended[1], pictures[1][1])


@pytest.mark.parametrize("name", ["white_alpha.png", "black_alpha.png"])
@pytest.mark.parametrize("invert", [False, True])
def test_the_photo_changes_where_the_mask_says(command: Command, name: str, invert: bool) -> None:
    with Image.open(CASES / name) as mask:
        luma, alpha = np.asarray(mask.convert("LA")).transpose(2, 0, 1) / 255
    height, width = luma.shape
    Image.fromarray(noise((height, width, 3))).save("a.png")
    done = command(*TINY, "a.png", "--mask", CASES / name, *(["--invert-mask"] if invert else []), "-o", "b.png")
    assert (done.code, done.err) == (0, "")
    share = abs(invert - luma * alpha)
    old, new = (np.asarray(Image.open(path)).astype(int) for path in ("a.png", "b.png"))
    changed = (old != new).any(axis=-1)
    assert not changed[share == 0].any()
    if (share == 1).any():
        assert changed[share == 1].mean() > 0.9


@pytest.mark.parametrize(
    ("values", "dtype", "noted"),
    [
        ((0, 1), "uint8", True),
        ((0, 1, 2, 3), "uint8", True),
        ((0, 255), "uint16", True),
        ((0, 1), "uint16", True),
        ((0, 0), "uint8", True),
        ((0, 255), "uint8", False),
        ((0, 20), "uint8", False),
        ((0, 1), "float32", False),
        ((0, 1.02), "float32", False),
        ((0, 1, np.nan, np.inf), "float32", False),
        ((0, np.inf), "float32", False),
        ((0, 0), "float32", True),
        ((0, 0.004), "float32", True),
        ((0, 255), "float32", True),
    ],
)
def test_a_mask_of_numbers_is_noted(values: tuple[float, ...], dtype: str, noted: bool) -> None:
    samples = np.resize(np.array(values, dtype), (4, 5, 1))
    assert (brightness_note(Photo(samples)) is not None) == noted


def test_a_transparent_mask_is_black() -> None:
    white = np.full((4, 5, 1), 255, np.uint8)
    note = brightness_note(Photo(white, np.zeros((4, 5), np.uint8)))
    assert note
    assert "black everywhere" in note


def test_the_note_names_the_mask(command: Command) -> None:
    Image.fromarray(noise((8, 8, 3))).save("a.png")
    Image.fromarray(np.eye(8, dtype=np.uint8)).save("m.png")
    done = command("albedo", "--model", "tiny", "a.png", "--mask", "m.png", "-o", "b.png")
    assert done.code == 0
    assert done.lines == ["m.png: its largest value is 1 of 255, so it is almost black everywhere; white is 255"]


@pytest.mark.parametrize("linear", [(), ("--input-colour", "linear")])
def test_a_mask_of_large_floats_is_noted_by_what_helps_it(linear: tuple[str, ...], command: Command) -> None:
    Image.fromarray(noise((8, 8, 3))).save("a.png")
    Image.fromarray(np.float32(255) * np.eye(8, dtype=np.float32)).save("m.tif")
    done = command(*TINY, "a.png", "--mask", "m.tif", "-o", "b.png", *linear)
    assert done.code == 0
    assert done.lines == [
        "m.tif: its values go up to 255, but 1 is white and what is above counts as white; scale them"
    ]
