"""The Python API: the same functions as the commands, with arrays and photos in place of files."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command_line import Command
from PIL import Image

import relight_cli as rl
from relight_cli.commands.deshadow import DeshadowCommandOptions
from relight_cli.depth.command_options import DepthCommandOptions
from relight_cli.jobs.options import LightCommandOptions
from relight_cli.jobs.relight_options import RelightCommandOptions
from relight_cli.timelapse.command_options import TimelapseCommandOptions

STRICT = """
from pathlib import Path

import relight_cli as rl

model: rl.Model = rl.load_model("tiny", device="cpu")
photo = rl.read_photo(Path("a.tif"))
relit = rl.relight(model, photo, light=rl.read_photo("b.jpg"), options=rl.RelightOptions(strength=0.8))
rl.write_photo(relit.photo, "out.tif", overwrite=True)
shadow: rl.Photo = rl.deshadow(model, photo, mask=None).shadow
shading: rl.Photo = rl.albedo(model, photo, options=rl.AlbedoOptions(fit_shading=True)).shading
for frame in rl.interpolate_timelapse(model, [photo, relit.photo], between=4):
    rl.write_photo(frame.photo, f"{frame.time:.2f}.png")
depth = rl.refine_depth(rl.load_depth_model(), photo, ensemble=3, progress=lambda done, total: None)
print(depth.disparity.mean(), depth.normals.shape, depth.uncertainty.max())
"""

# Packages whose types say nothing about this one; reading them takes most of mypy's time.
NOT_FOLLOWED = (
    "torch.*,diffusers.*,transformers.*,gradio.*,huggingface_hub.*,fastapi.*,starlette.*,uvicorn.*,rich.*,typer.*,"
    "PIL.*,cv2.*,tqdm.*,httpx.*"
)


@pytest.fixture(scope="module")
def model() -> rl.Model:
    return rl.load_model("tiny")


@pytest.fixture
def photos(scene: Path) -> tuple[rl.Photo, rl.Photo]:
    return rl.read_photo(scene / "photo.png"), rl.read_photo(str(scene / "reference.png"))


def test_a_script_against_the_api_is_typed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(STRICT)
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\n[mypy-{NOT_FOLLOWED}]\nfollow_imports = skip\n")
    mypy = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "script.py"]
    done = subprocess.run(mypy, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("task", "options", "make"),
    [
        ("relight", ("--light", "reference.png"), lambda model, a, b: rl.relight(model, a, b).photo),
        (
            "relight",
            ("--light", "reference.png", "--strength", "0.5", "--max-side", "0"),
            lambda model, a, b: rl.relight(model, a, b, rl.RelightOptions(strength=0.5, max_side=0)).photo,
        ),
        ("deshadow", (), lambda model, a, b: rl.deshadow(model, a).photo),
        ("deshadow", ("--mask", "reference.png"), lambda model, a, b: rl.deshadow(model, a, mask=b).photo),
        ("albedo", (), lambda model, a, b: rl.albedo(model, a).photo),
        (
            "albedo",
            ("--save-shading",),
            lambda model, a, b: rl.albedo(model, a, options=rl.AlbedoOptions(fit_shading=True)).photo,
        ),
    ],
)
def test_the_api_gives_the_pixels_of_the_command(
    command: Command,
    tmp_path: Path,
    model: rl.Model,
    photos: tuple[rl.Photo, rl.Photo],
    task: str,
    options: tuple[str, ...],
    make: Callable[[rl.Model, rl.Photo, rl.Photo], rl.Photo],
) -> None:
    done = command(task, "photo.png", *options, "--model", "tiny", "-o", "out.png")
    assert done.code == 0, done.err
    np.testing.assert_array_equal(make(model, *photos).to_array(), rl.read_photo(tmp_path / "out.png").to_array())


def test_layers_are_photos(model: rl.Model, photos: tuple[rl.Photo, rl.Photo], tmp_path: Path) -> None:
    shadow = rl.deshadow(model, photos[0]).shadow
    assert (shadow.pixels.shape, shadow.pixels.dtype) == ((120, 160, 1), np.uint8)
    result = rl.albedo(model, photos[0], options=rl.AlbedoOptions(fit_shading=True))
    assert rl.write_photo(result.shading, tmp_path / "shading.tif") == ()
    shading = rl.read_photo(tmp_path / "shading.tif").pixels
    assert (shading.dtype, shading.max() <= 1 + 1e-6) == (np.float32, True)


def test_a_timelapse_of_photos_is_that_of_the_command(
    command: Command, tmp_path: Path, model: rl.Model, photos: tuple[rl.Photo, rl.Photo]
) -> None:
    done = command(
        "interpolate-timelapse", "photo.png", "reference.png", "--between", "2", "--model", "tiny", "-o", "out", "-q"
    )
    assert done.code == 0, done.err
    frames = list(rl.interpolate_timelapse(model, photos, between=2))
    files = sorted((tmp_path / "out").glob("frame_*"))
    assert [frame.keyframe for frame in frames] == [0, None, None, 1]
    for frame, file in zip(frames, files, strict=True):
        np.testing.assert_array_equal(frame.photo.to_array(), rl.read_photo(file).to_array())
    opened = rl.open_frames([tmp_path / "photo.png", tmp_path / "reference.png"])
    again = [frame.photo for frame in rl.interpolate_timelapse(model, opened, count=4)]
    for frame, one in zip(frames, again, strict=True):
        np.testing.assert_array_equal(one.to_array(), frame.photo.to_array())
    still = rl.interpolate_timelapse(model, photos, freeze=photos[1])
    assert [frame.keyframe for frame in still] == [0, 1]


def test_a_sequence_that_is_none_is_refused(model: rl.Model, photos: tuple[rl.Photo, rl.Photo]) -> None:
    small = rl.Photo.from_array(np.zeros((4, 5, 3), np.uint8))
    for frames in (photos[:1], (photos[0], small)):
        with pytest.raises(rl.UsageError):
            list(rl.interpolate_timelapse(model, frames))
    with pytest.raises(rl.UsageError, match="without a model"):
        rl.interpolate_timelapse(None, photos)  # before a frame is asked for
    fade = list(rl.interpolate_timelapse(None, photos, between=1, options=rl.TimelapseOptions(mode=rl.Mode.IMAGE)))
    mean = (photos[0].to_array().astype(float) + photos[1].to_array()) / 2
    assert np.abs(fade[1].photo.to_array() - mean).max() <= 1


def test_progress_counts_to_the_end(model: rl.Model, photos: tuple[rl.Photo, rl.Photo]) -> None:
    for make in (
        lambda report: rl.relight(model, *photos, progress=report),
        lambda report: rl.deshadow(model, photos[0], progress=report),
    ):
        seen: list[tuple[int, int]] = []
        make(lambda done, total, seen=seen: seen.append((done, total)))
        assert seen[-1][0] == seen[-1][1] > 0
        assert seen == sorted(seen)


def test_one_reference_is_encoded_once_for_many_photos(model: rl.Model, photos: tuple[rl.Photo, rl.Photo]) -> None:
    light, seen, options = rl.ReferenceLight(photos[1]), [], rl.RelightOptions(reference=rl.ReferenceKind.LATENTS)
    first = rl.relight(model, photos[0], light, options, lambda done, total: seen.append(total))
    again = rl.relight(model, photos[0], light, options, lambda done, total: seen.append(total))
    assert seen[0] == 2 * seen[-1]
    np.testing.assert_array_equal(first.photo.to_array(), again.photo.to_array())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 1), (6, 7, 2), (6, 7, 3), (6, 7, 4)])
def test_arrays_are_photos(shape: tuple[int, ...], dtype: str) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    photo = rl.Photo.from_array(array)
    np.testing.assert_array_equal(photo.to_array().reshape(shape), array)
    assert photo.pixels.shape[2] == (3 if shape[-1] in (3, 4) else 1)
    assert (photo.alpha is not None) == (shape[-1] in (2, 4))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((3, 4, 3), np.float64),
        np.zeros((3, 4, 3), np.int32),
        np.zeros(3, np.uint8),
        Image.new("CMYK", (3, 4)),
        Image.new("HSV", (3, 4)),
    ],
)
def test_other_arrays_are_refused(picture: object) -> None:
    with pytest.raises(rl.UsageError):
        rl.Photo.from_array(picture)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pil_images_are_photos(mode: str) -> None:
    image = Image.new(mode, (4, 3), 1 if mode != "RGB" else (1, 2, 3))
    photo = rl.Photo.from_array(image)
    assert photo.pixels.shape[:2] == (3, 4)
    if mode == "P":
        np.testing.assert_array_equal(photo.to_array(), np.asarray(image.convert("RGB")))


def test_a_profile_of_a_pil_image_comes_along() -> None:
    image = Image.new("RGB", (2, 2), (200, 100, 50))
    image.info["icc_profile"] = b"a profile"
    assert rl.Photo.from_array(image).metadata.icc == b"a profile"
    assert rl.Photo.from_array(image, icc=b"another").metadata.icc == b"another"


@pytest.mark.parametrize(
    "make",
    [
        lambda: rl.RelightOptions(strength=1.6),
        lambda: rl.RelightOptions(tile_overlap=-0.1),
        lambda: rl.RelightOptions(max_side=100, detail=False),
        lambda: rl.TimelapseOptions(deflicker=2),
        lambda: rl.TimelapseOptions(mode=rl.Mode.IMAGE, content=rl.Content.FIRST),
        lambda: rl.DepthOptions(ensemble=0),
        lambda: rl.DepthOptions(max_side=5000),
        lambda: rl.DepthOptions(sky="mask.png"),
        lambda: rl.DeshadowOptions(tile_colour="agreed"),
        lambda: rl.RelightOptions(reference="view"),
        lambda: rl.RelightOptions(rotate=float("nan")),
        lambda: rl.PutOnOptions(exposure=float("inf")),
        lambda: rl.TimelapseOptions(ease="cubic"),
        lambda: rl.write_photo(rl.Photo.from_array(np.zeros((2, 2), np.uint8)), io.BytesIO(), format="JPEG", quality=0),
        lambda: rl.load_model("large"),
        lambda: rl.load_model("tiny", tasks=["relit"]),
        lambda: rl.load_model("tiny", dtype="float8"),
        lambda: rl.load_depth_model("huge"),
    ],
)
def test_options_out_of_range_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(rl.UsageError):
        make()


@pytest.mark.parametrize(
    "mask",
    [
        np.full((8, 9), 255, np.uint8),
        np.full((8, 9), 1.5, np.float32),
        np.full((8, 9), np.nan, np.float32),
        np.zeros((8, 9, 3), np.float32),
    ],
)
def test_an_array_that_is_no_mask_is_refused(model: rl.Model, mask: np.ndarray) -> None:
    photo = rl.Photo.from_array(np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(rl.UsageError, match="mask"):
        rl.albedo(model, photo, mask)
    depth_model = rl.load_depth_model("tiny", refined=False)
    with pytest.raises(rl.UsageError, match="mask"):
        rl.refine_depth(depth_model, photo, rl.DepthOptions(steps=0), sky_mask=mask)


def test_layers_fit_the_photo_and_their_file(tmp_path: Path) -> None:
    photo, smaller = (rl.Photo.from_array(np.zeros(shape, np.uint8)) for shape in ((8, 9, 3), (4, 9, 3)))
    parts: Any = SimpleNamespace(albedo=np.zeros((8, 9, 3), np.float32), focal=9.0)
    with pytest.raises(rl.UsageError, match="different sizes"):
        rl.layered_photo(photo, smaller, parts)
    with pytest.raises(rl.OutputUnwritableError, match=r"end the name in \.exr"):
        rl.write_layers(rl.layered_photo(photo, photo, parts), tmp_path / "layers.png")
    assert not list(tmp_path.iterdir())


def test_errors_are_one_tree(tmp_path: Path) -> None:
    with pytest.raises(rl.PhotoUnreadableError, match=r"gone\.png"):
        rl.read_photo(tmp_path / "gone.png")
    with pytest.raises(rl.OutputUnwritableError):
        rl.write_photo(rl.Photo.from_array(np.zeros((2, 2, 3), np.uint8)), tmp_path / "a.gif")
    with pytest.raises(rl.ModelUnavailableError):
        rl.load_model("crocodilight", weights_dir=tmp_path, offline=True)
    errors = [getattr(rl, name) for name in rl.__all__ if name.endswith("Error")]
    assert all(issubclass(error, rl.RelightError) for error in errors)


def test_auto_without_published_files_warns_and_takes_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.warns(UserWarning, match="tiny"):
        assert rl.load_model(weights_dir=tmp_path, offline=True).name == "tiny"


@pytest.mark.parametrize(
    ("api", "command"),
    [
        (rl.RelightOptions, RelightCommandOptions),
        (rl.DeshadowOptions, DeshadowCommandOptions),
        (rl.TimelapseOptions, TimelapseCommandOptions),
        (rl.VideoOptions, LightCommandOptions),
        (rl.DepthOptions, DepthCommandOptions),
    ],
)
def test_the_api_has_the_commands_options_and_defaults(api: type, command: type) -> None:
    # None, "auto", None and None on the command line, which settles them
    own = {"steps", "run_batch", "deflicker", "keep_exposure"}
    defaults = {one.name: one.default for one in fields(command)}
    for one in fields(api):
        assert one.default is not MISSING
        assert one.name in defaults
        assert one.name in own or defaults[one.name] == one.default, one.name


def test_names_that_do_not_exist_raise_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'relit'"):
        _ = rl.relit
