"""Masks of shadows, their probability and --threshold, through the real command line, with the embedded model."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mean_light import MeanLight, model_of
from numpy.typing import NDArray

import relight_cli as rl
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting.found_shadows import find_shadows, nearest_regions
from relight_cli.relighting.shadow_mask import tiles_of_mask

TINY = ("--model", "tiny")
HEIGHT, WIDTH = 128, 160
SHADOW = np.s_[40:100, 30:90]
LIGHT = np.s_[:25, 100:]


def pixels(path: Path) -> NDArray:
    return read_photo(path, max_pixels=10**8).pixels


def shadowed(depth: float = 0.15) -> NDArray[np.float32]:
    """A textured ground in linear light, with a hard, bluish shadow that leaves `depth` of the light."""
    rng = np.random.default_rng(2)
    ground = np.array([0.33, 0.3, 0.25]) * rng.uniform(0.85, 1.15, (HEIGHT, WIDTH, 1))
    light = np.ones((HEIGHT, WIDTH, 3))
    light[SHADOW] = np.array((0.93, 1.0, 1.25)) * depth
    return (ground * light).astype(np.float32)


def encoded(linear: NDArray[np.float32], dtype: type = np.uint8) -> NDArray:
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(srgb.clip(0, 1) * np.iinfo(dtype).max).astype(dtype)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_photo(Photo(encoded(shadowed())), tmp_path / "a.png")
    return tmp_path


@pytest.mark.parametrize(("source", "dtype", "target"), [("a.jpg", np.uint8, None), ("a.tif", np.uint16, "m.tif")])
def test_a_mask_alone_is_white_in_the_shadow(
    command: Command, tmp_path: Path, source: str, dtype: type, target: str | None
) -> None:
    write_photo(Photo(encoded(shadowed(), dtype)), tmp_path / source)
    done = command("deshadow", source, *TINY, "--mask-only", *(["-o", target] if target else []), "--report", "r.jsonl")
    assert (done.code, done.out, done.err) == (0, b"", "")
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {source, target or "a_mask.png", "r.jsonl"}
    mask = pixels(tmp_path / (target or "a_mask.png"))
    assert (mask.dtype, mask.shape) == (dtype, (HEIGHT, WIDTH, 1))
    assert mask[SHADOW].mean() > 0.85 * np.iinfo(dtype).max
    assert mask[LIGHT].mean() < 0.05 * np.iinfo(dtype).max
    record = json.loads((tmp_path / "r.jsonl").read_text())
    assert (record["status"], record["made"]["task"]) == ("done", "mask")


def test_masks_are_named_skipped_streamed_and_planned_like_photos(command: Command, folder: Path) -> None:
    asked = ("deshadow", "a.png", *TINY, "--mask-only")
    assert command(*asked, "--dry-run").out.startswith(b"make     a.png -> a_mask.png")
    assert not (folder / "a_mask.png").exists()
    assert command(*asked).code == 0
    assert command(*asked).code == 5
    before = (folder / "a_mask.png").stat().st_mtime_ns
    assert command(*asked, "--skip-existing").code == 0
    assert (folder / "a_mask.png").stat().st_mtime_ns == before
    assert command(*asked, "--skip-existing", "--threshold", 0.9).code == 0  # made in another way
    assert not pixels(folder / "a_mask.png").any()
    streamed = command(*asked, "-o", "-").out
    (folder / "streamed.png").write_bytes(streamed)
    assert (pixels(folder / "streamed.png")[SHADOW] > 200).mean() > 0.8
    done = command("deshadow", ".", *TINY, "--mask-only", "-o", "out/")  # masks are no photos
    assert done.code == 0
    assert [path.name for path in (folder / "out").iterdir()] == ["a_mask.png"]


def test_the_mask_can_be_given_back(command: Command, folder: Path) -> None:
    assert command("deshadow", "a.png", *TINY, "--mask-only").code == 0
    assert command("deshadow", "a.png", *TINY, "--mask", "a_mask.png").code == 0
    before, after = pixels(folder / "a.png").astype(float), pixels(folder / "a_deshadowed.png")
    assert after[SHADOW].mean() > 1.5 * before[SHADOW].mean()
    assert (np.abs(after[LIGHT] - before[LIGHT]) <= 1).all()


def test_a_mask_stays_within_the_mask_that_is_given(command: Command, folder: Path) -> None:
    half = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    half[:, : WIDTH // 3] = 255
    write_photo(Photo(half), folder / "half.png")
    assert command("deshadow", "a.png", *TINY, "--mask-only", "--mask", "half.png").code == 0
    mask = pixels(folder / "a_mask.png")
    assert not mask[:, WIDTH // 3 :].any()
    assert mask[SHADOW].any()


def test_a_deeper_shadow_is_more_probable(command: Command, tmp_path: Path) -> None:
    means = []
    for name, depth in (("deep", 0.15), ("faint", 0.7), ("none", 1.0)):
        write_photo(Photo(encoded(shadowed(depth))), tmp_path / f"{name}.png")
        assert command("deshadow", f"{name}.png", *TINY, "--mask-only", "--probability").code == 0
        means.append(pixels(tmp_path / f"{name}_probability.png")[SHADOW].mean() / 255)
    assert 0.6 < means[0] < 1
    assert means[0] > means[1] + 0.1
    assert means[2] < 0.2


def test_less_probable_shadows_are_left_alone(command: Command, folder: Path) -> None:
    for name, threshold in (("usual", []), ("all", [0]), ("sure", [0.99])):
        more = ["--threshold", *threshold] if threshold else []
        assert command("deshadow", "a.png", *TINY, "-o", f"{name}.png", *more).code == 0
    before, usual, everything, sure = (pixels(folder / f"{n}.png").astype(float) for n in ("a", "usual", "all", "sure"))
    assert (sure == before).all()
    assert np.abs(usual[SHADOW] - everything[SHADOW]).mean() < 1
    assert everything[SHADOW].mean() > 1.5 * before[SHADOW].mean()


def test_the_threshold_holds_in_tiles_too(command: Command, folder: Path) -> None:
    for name, threshold in (("all", 0), ("some", 0.3), ("sure", 0.99)):
        for side in (0, 64):
            asked = ("--tile-colour", "free", "--threshold", threshold, "--max-side", side)
            assert command("deshadow", "a.png", *TINY, *asked, "-o", f"{name}{side}.png").code == 0
    for side in (0, 64):
        before, everything, some, sure = (
            pixels(folder / f"{n}.png").astype(float) for n in ("a", f"all{side}", f"some{side}", f"sure{side}")
        )
        assert (sure == before).all()
        assert np.abs(some[SHADOW] - everything[SHADOW]).mean() < 2
    asked = ("--mask-only", "--tile-colour", "free", "--threshold", 0.3)
    assert command("deshadow", "a.png", *TINY, *asked).code == 0
    assert pixels(folder / "a_mask.png")[SHADOW].mean() > 150


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--probability"], "--mask-only"),
        (["--mask-only", "--save-mask"], "--save-mask"),
        (["--mask-only", "--no-detail"], "--no-detail"),
        (["--mask-only", "--strength", "0.5"], "--strength"),
        (["--mask-only", "--probability", "--threshold", "0.5"], "--threshold"),
        (["--threshold", "0.5", "--no-detail"], "--no-detail"),
        (["--threshold", "1.5"], "--threshold"),
        (["--threshold", "nan"], "--threshold"),
    ],
)
def test_options_are_checked_before_the_work(command: Command, folder: Path, options: list[str], message: str) -> None:
    done = command("deshadow", "a.png", *TINY, *options)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_a_mask_drops_the_defaults_that_are_for_photos(command: Command, folder: Path) -> None:
    Path("relight.toml").write_text("strength = 0.5\ndetail = false\n[deshadow]\nthreshold = 0.5\n")
    assert command("deshadow", "a.png", *TINY, "--mask-only", "--probability").code == 0
    assert pixels(folder / "a_probability.png")[SHADOW].any()
    Path("relight.toml").write_text("mask-only = true\nprobability = true\n")
    assert command("deshadow", "a.png", *TINY, "--strength", 0.5).code == 0
    assert (folder / "a_deshadowed.png").is_file()


@pytest.mark.parametrize("side", [0, 64, 2000])
def test_the_tiles_of_a_mask_are_counted_as_they_pass(side: int) -> None:
    seen: list[tuple[int, int]] = []
    model, photo = model_of(MeanLight()), Photo(np.full((80, 1600, 3), 90, np.uint8))
    options = rl.DeshadowOptions(max_side=side)
    rl.shadow_mask(model, photo, options=options, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (tiles_of_mask(model, photo, options),) * 2


def test_the_python_api_gives_both_masks() -> None:
    model, photo = rl.load_model("tiny"), rl.Photo.from_array(encoded(shadowed(), np.uint16))
    found = rl.shadow_mask(model, photo)
    mask, probability = (np.asarray(p.pixels[slice(0, HEIGHT)]) for p in (found.photo, found.probability))
    assert mask.dtype == probability.dtype == np.uint16
    assert mask[SHADOW].mean() > probability[SHADOW].mean() > 0.6 * 65535
    with pytest.raises(rl.UsageError, match="threshold"):
        rl.DeshadowOptions(threshold=-0.1)
    with pytest.raises(rl.UsageError, match="detail"):
        rl.shadow_mask(model, photo, options=rl.DeshadowOptions(detail=False))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_found_shadows_are_shares_at_any_size(height: int, width: int, seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.uniform(0, 1, (height, width, 3)).astype(np.float32)
    stops = rng.normal(0, 1, (height, width, 3)).astype(np.float32)
    found = find_shadows(stops, picture)
    for values in (found.probability, found.by_shadow, found.share_kept(threshold)[..., 0], found.cover(picture, 0.5)):
        assert values.shape == (height, width)
        assert np.isfinite(values).all()
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-6
    assert (found.share_kept(0.0) == 1).all()


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_every_pixel_belongs_to_its_nearest_region(height: int, width: int, seed: int) -> None:
    inside = np.random.default_rng(seed).random((height, width)) < 0.2
    labels = nearest_regions(inside)
    if not inside.any():
        assert not labels.any()
        return
    assert (labels > 0).all()
    assert set(np.unique(labels)) == set(np.unique(labels[inside]))
    assert len(np.unique(labels)) == labels.max()
