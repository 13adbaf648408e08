"""Colours of files as cameras and programs write them, through the command line."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from colour_checks import DEEP, EIGHT, HDR, assert_displayed, distance
from command_line import Command
from PIL import Image
from stated_colours import (
    colours,
    in_srgb,
)

CASES = Path(__file__).parent.parent / "cases"

CASE_SPACES = {
    "cicp_p3.png": ("P3", "sRGB"),
    "cicp_pq16.png": ("BT.2020", "PQ"),
    "gama_linear.png": ("sRGB", "linear"),
    "gama_linear16.png": ("sRGB", "linear"),
    "chrm_p3.png": ("P3", "gamma 2.2"),
    "adobe_r03.jpg": ("AdobeRGB", "AdobeRGB"),
    "avif_p3_10.avif": ("P3", "sRGB"),
    "avif_linear_10.avif": ("sRGB", "linear"),
    "avif_bt2020_hlg_8.avif": ("BT.2020", "HLG"),
    "avif_bt2020_hlg_10.avif": ("BT.2020", "HLG"),
    "avif_bt2020_pq_8.avif": ("BT.2020", "PQ"),
    "heic_p3_10.heic": ("P3", "sRGB"),
    "heic_linear_8.heic": ("sRGB", "linear"),
    "heic_bt2020_hlg_8.heic": ("BT.2020", "HLG"),
    "heic_bt2020_pq_8.heic": ("BT.2020", "PQ"),
    "heic_bt2020_pq_10.heic": ("BT.2020", "PQ"),
}


@pytest.mark.parametrize("name", CASE_SPACES)
def test_cases_come_out_in_the_colours_that_they_state(name: str, command: Command, tmp_path: Path) -> None:
    space, curve = CASE_SPACES[name]
    outcome = command("deshadow", CASES / name, "--model", "tiny", "--strength", 0, "-o", tmp_path / "a.tif")
    assert outcome.code == 0, outcome.err
    assert ("are converted to a display profile" in outcome.err) == (curve in HDR)
    data = (CASES / name).read_bytes()
    if name.endswith(".heic"):
        import pillow_heif

        picture = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)[0]
        values = np.asarray(picture) / (255 if picture.mode == "RGB" else 65535 - 63)
    elif name.endswith(".avif"):
        samples = imagecodecs.avif_decode(data)
        values = samples / (255 if samples.dtype == np.uint8 else 1023)
    elif name.endswith(".jpg"):
        values = np.asarray(Image.open(io.BytesIO(data))) / 255
    else:
        samples = imagecodecs.png_decode(data)
        values = samples / np.iinfo(samples.dtype).max
    with tifffile.TiffFile(tmp_path / "a.tif") as found:
        samples, icc = found.asarray(), found.pages.first.iccprofile
    if curve in HDR:
        assert_displayed(samples, icc, values, space, curve)
    else:
        assert distance(samples, icc, in_srgb(values, space, curve)) < (EIGHT if samples.dtype == np.uint8 else DEEP)


def test_cases_of_one_grey_stay_one_grey(command: Command, tmp_path: Path) -> None:
    for name in ("white_with_lamp", "white_without_lamp"):
        command("deshadow", CASES / f"{name}.dng", "--model", "tiny", "--strength", 0, "-o", tmp_path / f"{name}.tif")
    lit, plain = (tifffile.imread(tmp_path / f"{n}.tif") / 65535 for n in ("white_with_lamp", "white_without_lamp"))
    assert abs(np.median(lit) - 0.390) < 0.002
    assert abs(np.median(plain) - 0.390) < 0.002


def test_input_colour_on_the_command_line(command: Command, tmp_path: Path) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.png")
    outcome = command("deshadow", "a.png", "--model", "tiny", "--strength", 0, "--input-colour", "linear")
    assert outcome.code == 0, outcome.err
    with Image.open(tmp_path / "a_deshadowed.png") as image:
        assert (
            distance(np.asarray(image), image.info["icc_profile"], in_srgb(colours() / 255, "sRGB", "linear")) < EIGHT
        )
    wrong = command("deshadow", "a.png", "--model", "tiny", "--input-colour", "nothing.icc", "-o", "b.png")
    assert wrong.code == 2
    assert "nothing.icc is neither linear, srgb nor a readable ICC profile" in wrong.err


def test_a_timelapse_of_hdr_frames_is_in_one_space(command: Command, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes((CASES / "cicp_pq16.png").read_bytes())
    outcome = command("interpolate-timelapse", "1.png", "2.png", "--model", "tiny", "--between", 1, "-o", "out")
    assert outcome.code == 0, outcome.err
    frames = sorted((tmp_path / "out").glob("*.png"))
    assert len(frames) == 3
    with Image.open(frames[0]) as first, Image.open(frames[1]) as between:
        assert first.info["icc_profile"] == between.info["icc_profile"]
