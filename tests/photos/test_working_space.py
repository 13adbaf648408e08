"""Working spaces: the numbers of OpenColorIO, in files that say what they are."""

import copy
from pathlib import Path

import numpy as np
import OpenEXR
import OpenImageIO
import PyOpenColorIO
import pytest
import tifffile
from command_line import Command

import relight_cli as rl
from relight_cli.photos.codecs.exr_colours import PRIMARIES
from relight_cli.photos.colour_profiles import REC709
from relight_cli.photos.working_space import BUILT_IN

CONFIG = PyOpenColorIO.Config.CreateFromFile("ocio://default")
TINY = ("--model", "tiny", "--strength", "0")
UNCHANGED = ("deshadow", *TINY)


def by_library(values: np.ndarray, source: str, target: str) -> np.ndarray:
    """Colours (..., 3) converted by OpenColorIO itself."""
    processor = CONFIG.getProcessor(source, target).getOptimizedCPUProcessor(PyOpenColorIO.OPTIMIZATION_LOSSLESS)
    converted = np.array(values, np.float32, order="C")
    processor.applyRGB(converted)
    return converted


def read(path: Path) -> np.ndarray:
    return OpenImageIO.ImageInput.open(str(path)).read_image(format=OpenImageIO.FLOAT)


def chart() -> np.ndarray:
    """Colours of 8 bits, their corners and greys among them (8, 16, 3)."""
    values = np.random.default_rng(3).integers(0, 256, (8, 16, 3)).astype(np.uint8)
    values[0, :8] = np.stack(np.meshgrid([0, 255], [0, 255], [0, 255]), -1).reshape(8, 3)
    return values


SPACES = (*BUILT_IN, "ACEScg", "ACEScct", "sRGB Encoded AP1", "lin_p3d65_scene", "scene_linear")


@pytest.mark.parametrize("name", SPACES)
def test_numbers_are_those_of_opencolorio(name: str) -> None:
    space = rl.working_space(name)
    theirs = {"acescg": "ACEScg", "aces2065-1": "ACES2065-1", "linear-srgb": "lin_rec709", "linear-p3": "lin_p3d65"}
    theirs |= {"linear-rec2020": "lin_rec2020", "linear-adobergb": "lin_adobergb"}
    light = np.array([[0.18, 0.18, 0.18], [1, 0, 0], [0, 1, 0], [0, 0, 1], [12, 0.5, 0.01]], np.float32)
    own = space.from_rec709(light)
    assert np.allclose(own, by_library(light, "lin_rec709", theirs.get(name, name)), rtol=2e-5, atol=2e-6)
    assert np.allclose(space.to_rec709(own), light, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["acescg", "ACEScct", "aces2065-1"])
def test_an_exr_is_written_and_read_in_a_space(command: Command, tmp_path: Path, name: str) -> None:
    rl.write_photo(rl.Photo(chart()), tmp_path / "photo.png")
    assert command(*UNCHANGED, "photo.png", "--working-space", name, "-o", "out.exr").code == 0
    made = read(tmp_path / "out.exr")
    expected = by_library(chart() / np.float32(255), "srgb_texture", name)
    assert np.allclose(made, expected, rtol=1e-4, atol=2e-5)
    with OpenEXR.File(str(tmp_path / "out.exr"), header_only=True) as exr:
        header = dict(exr.header())
    assert header["colorInteropID"] == CONFIG.getColorSpace(name).getInteropID()
    if name != "ACEScct":
        assert np.allclose(header["chromaticities"], PRIMARIES["ap1" if name == "acescg" else "ap0"])
    # and back: whether the file says it or not
    planes = {channel: np.ascontiguousarray(made[..., n]) for n, channel in enumerate("RGB")}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(str(tmp_path / "silent.exr"))
    for source in ("out.exr", "silent.exr"):
        assert command(*UNCHANGED, source, "--working-space", name, "-o", "again.exr", "--overwrite").code == 0
        assert np.allclose(read(tmp_path / "again.exr"), made, rtol=2e-4, atol=1e-5)
        assert rl.read_photo(tmp_path / source, working_space=rl.working_space(name)).notes == ()
    srgb = rl.read_photo(tmp_path / "silent.exr", working_space=rl.working_space(name)).to_srgb()
    assert np.abs(srgb - chart() / 255).max() < 1e-3


def test_a_tiff_has_the_profile_of_its_space(command: Command, tmp_path: Path) -> None:
    rl.write_photo(rl.Photo(chart()), tmp_path / "photo.tif")
    assert command(*UNCHANGED, "photo.tif", "--working-space", "acescg").code == 0
    path = tmp_path / "photo_deshadowed.tif"
    made = tifffile.imread(path)
    assert made.dtype == np.float32
    assert np.allclose(made, by_library(chart() / np.float32(255), "srgb_texture", "ACEScg"), rtol=1e-4, atol=2e-5)
    assert np.abs(rl.read_photo(path).to_srgb() - chart() / 255).max() < 1e-3  # by its ICC profile alone
    tifffile.imwrite(tmp_path / "silent.tif", made, photometric="rgb")
    assert command(*UNCHANGED, "silent.tif", "--working-space", "acescg", "-o", "same.exr").code == 0
    assert np.array_equal(read(tmp_path / "same.exr"), made)  # in its space already: the samples stay
    note = command(*UNCHANGED, "photo.tif", "--working-space", "ACEScct", "-o", "log.tif")
    assert (note.code, "no colour profile describes ACEScct" in note.err) == (0, True)


def test_the_space_of_a_file_that_says_one_and_of_8_bits_stays(tmp_path: Path) -> None:
    space = rl.working_space("acescg")
    planes = dict.fromkeys("RGB", np.full((4, 5), 0.5, np.float32)) | {"R": np.full((4, 5), 0.9, np.float32)}
    header = {"type": OpenEXR.scanlineimage, "chromaticities": REC709}
    OpenEXR.File(header, planes).write(str(tmp_path / "said.exr"))
    rl.write_photo(rl.Photo(chart()), tmp_path / "plain.tif")
    tifffile.imwrite(tmp_path / "float.tif", chart() / np.float32(255), photometric="rgb")
    for name in ("said.exr", "plain.tif"):
        with_space, without = (rl.read_photo(tmp_path / name, working_space=one) for one in (space, None))
        assert np.array_equal(with_space.to_srgb(), without.to_srgb())
    given = rl.read_photo(tmp_path / "float.tif", working_space=space, input_colour="srgb")
    assert np.allclose(given.to_srgb(), chart() / 255, atol=1e-6)  # --input-colour counts more


def test_a_configuration_of_ones_own(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = copy.deepcopy(CONFIG)
    matrix = PyOpenColorIO.MatrixTransform([0.9, 0.1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    own.addColorSpace(PyOpenColorIO.ColorSpace(name="House Linear", fromReference=matrix))
    (tmp_path / "house.ocio").write_text(own.serialize())
    rl.write_photo(rl.Photo(chart()), tmp_path / "photo.png")
    house = ("--working-space", "house linear", "-o", "out.exr", "--overwrite")
    assert command(*UNCHANGED, "photo.png", *house, "--ocio-config", "house.ocio").code == 0
    aces = by_library(chart() / np.float32(255), "srgb_texture", "ACES2065-1")
    expected = aces @ np.array([[0.9, 0.1, 0], [0, 1, 0], [0, 0, 1]], np.float32).T
    made = read(tmp_path / "out.exr")
    assert np.allclose(made, expected, rtol=1e-4, atol=2e-5)
    assert np.abs(rl.read_photo(tmp_path / "out.exr").to_srgb() - chart() / 255).max() < 2e-3  # by its chromaticities
    monkeypatch.setenv("OCIO", str(tmp_path / "house.ocio"))
    assert command(*UNCHANGED, "photo.png", *house).code == 0
    up_to_date = (*UNCHANGED, "photo.png", *house[:-1], "--skip-existing")
    stamp = (tmp_path / "out.exr").stat().st_mtime_ns
    assert command(*up_to_date).code == 0
    assert (tmp_path / "out.exr").stat().st_mtime_ns == stamp
    (tmp_path / "house.ocio").write_text(own.serialize() + "\n# changed\n")
    assert command(*up_to_date).code == 0
    assert (tmp_path / "out.exr").stat().st_mtime_ns != stamp


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--working-space", "acescgg"), "did you mean acescg"),
        (("--working-space", "qqq"), "qqq is no colour space of ocio://default; name another one."),
        (("--working-space", "Raw"), "holds data"),
        (("--working-space", "x", "--ocio-config", "none.ocio"), "none.ocio: the OpenColorIO configuration"),
        (("--working-space", "x", "--ocio-config", "bad.ocio"), "bad.ocio: the OpenColorIO configuration"),
        (("--ocio-config", "bad.ocio"), "give both"),
        (("--working-space", "acescg", "-o", "x.jpg"), "end the name in .exr or .tif"),
        (("--working-space", "acescg", "--mask-only"), "is for photos"),
    ],
)
def test_wrong_names_are_one_line(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OCIO", raising=False)
    rl.write_photo(rl.Photo(chart()), tmp_path / "photo.png")
    (tmp_path / "bad.ocio").write_text("hello")
    done = command("deshadow", "photo.png", "--model", "tiny", *arguments)
    assert (done.code, len(done.lines)) == (2, 1), done.err
    assert words in done.err


def test_without_the_extra_the_built_in_spaces_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relight_cli.photos.ocio.find_spec", lambda name: None)
    assert rl.working_space("ACEScg").chromaticities == PRIMARIES["ap1"]
    with pytest.raises(rl.MissingExtraError, match=r"relight-cli\[ocio\]"):
        rl.working_space("ACEScc")


def test_stdout_and_other_formats(tmp_path: Path) -> None:
    space, photo = rl.working_space("acescg"), rl.Photo(chart())
    with (tmp_path / "out").open("w+b") as stream:
        rl.write_photo(photo, stream, working_space=space)
    assert rl.read_photo(tmp_path / "out").format == "EXR"
    with pytest.raises(rl.OutputUnwritableError, match=r"\.exr and \.tif"):
        rl.write_photo(photo, tmp_path / "x.png", working_space=space)
