"""deshadow and albedo through the real command line, with the embedded model."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command

from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting.layers import to_linear

TINY = ("--model", "tiny")


def pixels(path: Path) -> np.ndarray:
    return read_photo(path, max_pixels=10**8).pixels


def ground(height: int = 160, width: int = 200) -> np.ndarray:
    """A textured ground, sRGB in [0, 1]."""
    rng = np.random.default_rng(2)
    fine = rng.uniform(-0.06, 0.06, (height, width, 1))
    coarse = np.kron(rng.uniform(-0.05, 0.05, (height // 20, width // 20, 3)), np.ones((20, 20, 1)))
    return np.clip(np.array([0.62, 0.58, 0.52]) + fine + coarse, 0, 1)


@pytest.fixture
def shadowed(tmp_path: Path) -> Path:
    """shadowed.png and free.png: a hard, bluish shadow on a ground."""
    free = ground()
    light = np.ones((160, 200, 1)) * np.ones(3)
    light[40:130, 60:140] = (0.14, 0.16, 0.2)
    dark = np.where(free * light > 0, 1.055 * (to_linear(free.astype(np.float32)) * light) ** (1 / 2.4) - 0.055, 0)
    for name, picture in (("free", free), ("shadowed", np.where(light == 1, free, dark))):
        write_photo(Photo((picture.clip(0, 1) * 255).round().astype(np.uint8)), tmp_path / f"{name}.png")
    return tmp_path


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a / 255.0 - b / 255.0) ** 2).mean())


def test_a_shadow_is_removed_and_the_rest_stays(command: Command, shadowed: Path) -> None:
    done = command("deshadow", "shadowed.png", *TINY)
    assert (done.code, done.out, done.err) == (0, b"", "")
    before, after, free = (pixels(shadowed / f"{n}.png") for n in ("shadowed", "shadowed_deshadowed", "free"))
    shadow = np.s_[50:120, 70:130]
    assert error(after[shadow], free[shadow]) < error(before[shadow], free[shadow]) / 4
    assert error(after[:25], free[:25]) < 1e-3


def test_a_photo_without_shadow_hardly_changes(command: Command, shadowed: Path) -> None:
    assert command("deshadow", "free.png", *TINY).code == 0
    assert error(pixels(shadowed / "free_deshadowed.png"), pixels(shadowed / "free.png")) < 10**-3.5


def test_the_saved_mask_is_white_in_the_shadow(command: Command, shadowed: Path) -> None:
    assert command("deshadow", "shadowed.png", *TINY, "--save-mask").code == 0
    mask = pixels(shadowed / "shadowed_deshadowed_mask.png")
    assert (mask.dtype, mask.shape) == (np.uint8, (160, 200, 1))
    assert mask[50:120, 70:130].mean() > mask[:25].mean() + 80


def test_the_saved_mask_is_black_where_nothing_was_removed(command: Command, tmp_path: Path) -> None:
    picture = np.full((32, 48, 3), 128, np.uint8)
    picture[:, 24:] = 0
    write_photo(Photo(picture), tmp_path / "half.png")
    assert command("deshadow", "half.png", *TINY, "--strength", 0, "--save-mask").code == 0
    assert not pixels(tmp_path / "half_deshadowed_mask.png").any()


@pytest.mark.parametrize(("inverted", "changed", "kept"), [(False, 1, 0), (True, 0, 1)])
def test_a_mask_keeps_the_rest_to_the_bit(
    command: Command, shadowed: Path, inverted: bool, changed: int, kept: int
) -> None:
    mask = np.zeros((160, 200, 1), np.uint8)
    mask[:, 100:] = 255
    write_photo(Photo(mask), shadowed / "mask.png")
    options = ["--mask", "mask.png", *(["--invert-mask"] if inverted else [])]
    assert command("deshadow", "shadowed.png", *TINY, *options).code == 0
    before, after = pixels(shadowed / "shadowed.png"), pixels(shadowed / "shadowed_deshadowed.png")
    halves = [(before[:, half] == after[:, half]).all() for half in (np.s_[:100], np.s_[100:])]
    assert not halves[changed]
    assert halves[kept]


def test_grey_in_a_mask_is_a_share_of_the_change(command: Command, shadowed: Path) -> None:
    write_photo(Photo(np.full((160, 200, 1), 128, np.uint8)), shadowed / "grey.png")
    command("albedo", "shadowed.png", *TINY, "-o", "all.png")
    command("albedo", "shadowed.png", *TINY, "-o", "half.png", "--mask", "grey.png")
    before, half, after = (pixels(shadowed / f"{n}.png").astype(float) for n in ("shadowed", "half", "all"))
    assert np.abs(before + (after - before) * 128 / 255 - half).max() <= 1.01


def test_a_mask_of_another_size_is_a_usage_error(command: Command, shadowed: Path) -> None:
    write_photo(Photo(np.zeros((16, 20, 1), np.uint8)), shadowed / "small.png")
    done = command("deshadow", "shadowed.png", *TINY, "--mask", "small.png")
    assert done.code == 2
    assert "small.png is 20 x 16 pixels and the photo 200 x 160" in done.err
    assert not (shadowed / "shadowed_deshadowed.png").exists()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--invert-mask"], 2, "--mask"),
        (["--save-mask", "-o", "-"], 2, "by --output"),
        (["--max-side", "300", "--no-detail"], 2, "--max-side"),
        (["--tile-colour", "blue"], 2, "--tile-colour"),
        (["--mask", "none.png"], 4, "none.png"),
    ],
)
def test_options_are_checked_before_the_work(
    command: Command, shadowed: Path, options: list[str], code: int, message: str
) -> None:
    done = command("deshadow", "shadowed.png", *TINY, *options)
    assert done.code == code
    assert message in done.err
    assert not (shadowed / "shadowed_deshadowed.png").exists()


@pytest.mark.parametrize("words", ["deshadow - --save-mask", "albedo - --save-shading"])
def test_no_layer_is_lost_next_to_stdout(words: str, command: Command, shadowed: Path) -> None:
    done = command(*words.split(), *TINY, stdin=(shadowed / "shadowed.png").read_bytes())
    assert (done.code, done.out) == (2, b"")
    assert "by --output" in done.err


@pytest.mark.parametrize(("suffix", "white"), [(".png", 65535), (".tif", 1.0)])
def test_albedo_times_shading_is_the_photo(command: Command, shadowed: Path, suffix: str, white: float) -> None:
    write_photo(Photo(pixels(shadowed / "shadowed.png"), format="TIFF"), shadowed / "shadowed.tif")
    assert command("albedo", f"shadowed{suffix}", *TINY, "--save-shading").code == 0
    albedo = read_photo(shadowed / f"shadowed_albedo{suffix}", max_pixels=10**7).to_srgb()
    shading = pixels(shadowed / f"shadowed_albedo_shading{suffix}")
    assert shading.dtype == (np.uint16 if suffix == ".png" else np.float32)
    product = to_linear(albedo) * shading / white
    again = np.where(product <= 0.0031308, product * 12.92, 1.055 * product.clip(1e-6) ** (1 / 2.4) - 0.055) * 255
    assert np.abs(again - pixels(shadowed / f"shadowed{suffix}")).max() <= 1
    assert shading.max() <= white * (1 + 1e-6)


def test_existing_layers_are_treated_like_outputs(command: Command, shadowed: Path) -> None:
    (shadowed / "shadowed_deshadowed_mask.png").write_bytes(b"mine")
    done = command("deshadow", "shadowed.png", *TINY, "--save-mask")
    assert done.code == 5
    assert (shadowed / "shadowed_deshadowed_mask.png").read_bytes() == b"mine"
    assert command("deshadow", ".", *TINY, "--save-mask", "--overwrite").code == 0
    done = command("deshadow", ".", *TINY, "--save-mask", "--overwrite")
    assert done.code == 0
    assert not list(shadowed.glob("*_mask_deshadowed.png"))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (300, 9000), (449, 448)])
@pytest.mark.parametrize("task", ["deshadow", "albedo"])
def test_any_size(command: Command, tmp_path: Path, task: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    write_photo(Photo(rng.integers(0, 255, (*size, 3)).astype(np.uint8)), tmp_path / "x.png")
    assert command(task, "x.png", *TINY, "-o", "y.png").code == 0
    assert pixels(tmp_path / "y.png").shape == (*size, 3)


def test_grey_stays_grey_and_alpha_stays(command: Command, shadowed: Path) -> None:
    shadow = pixels(shadowed / "shadowed.png")
    alpha = np.random.default_rng(0).integers(0, 255, shadow.shape[:2]).astype(np.uint8)
    write_photo(Photo(shadow[..., :1], alpha=alpha), shadowed / "grey.png")
    assert command("deshadow", "grey.png", *TINY).code == 0
    made = read_photo(shadowed / "grey_deshadowed.png", max_pixels=10**7)
    assert made.pixels.shape == (160, 200, 1)
    assert made.alpha is not None
    assert (made.alpha == alpha).all()
    assert (made.pixels != shadow[..., :1]).any()


@pytest.mark.parametrize("tile_colour", ["agree", "free"])
@pytest.mark.parametrize("detail", ["--detail", "--no-detail"])
def test_many_tiles(command: Command, tmp_path: Path, detail: str, tile_colour: str) -> None:
    picture = (np.tile(ground(100, 100), (6, 8, 1)) * 255).round().astype(np.uint8)
    write_photo(Photo(picture), tmp_path / "x.png")
    options = [*(["--max-side", "0"] if detail == "--detail" else []), detail, "--tile-colour", tile_colour]
    done = command("albedo", "x.png", *TINY, *options, "--report", "r.jsonl")
    assert (done.code, done.err) == (0, "")
    assert pixels(tmp_path / "x_albedo.png").shape == picture.shape
    entry = json.loads((tmp_path / "r.jsonl").read_text())
    assert entry["status"] == "done"
    assert entry["options"]["tile_colour"] == tile_colour


def test_fine_detail_survives(command: Command, tmp_path: Path) -> None:
    """A one-pixel checker keeps its contrast, also where the network sees a smaller copy."""
    y, x = np.mgrid[:900, :1200]
    value = np.where((x + y) % 2, 150, 110) + (x // 40) % 20
    write_photo(Photo(np.repeat(value[..., None], 3, 2).astype(np.uint8)), tmp_path / "x.png")
    assert command("deshadow", "x.png", *TINY).code == 0
    before, after = (
        to_linear(pixels(tmp_path / n)[400:500, 400:500] / np.float32(255)) for n in ("x.png", "x_deshadowed.png")
    )
    contrast = [p.std() / p.mean() for p in (before, after)]
    assert contrast[1] == pytest.approx(contrast[0], rel=0.02)
