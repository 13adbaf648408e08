"""The quality of the embedded model: results are N dB nearer to the target than the untouched picture."""

from pathlib import Path

import numpy as np
import pytest
from command_line import Run

from relight_cli.checkpoints.models import load_model
from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.models.colour import linear_to_srgb
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.light_change import seen_size
from relight_cli.relighting.options import ChangeOptions, ReferenceKind, RelightOptions, TileOptions
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import relight, relight_picture
from relight_cli.training.scenes.scenes import SceneOptions, render_views
from relight_cli.training.views import HELD_OUT_SEED

EXAMPLES = Path(__file__).parents[2] / "examples"
Pairs = list[tuple[np.ndarray, np.ndarray]]


def psnr(picture: np.ndarray, wanted: np.ndarray) -> float:
    return float(-10 * np.log10(((picture.clip(0, 1) - wanted) ** 2).mean()))


@pytest.fixture(scope="module")
def views() -> Pairs:
    """Held-out rendered views, each under two lights."""
    rendered = render_views(HELD_OUT_SEED, 8, SceneOptions(size=160, lights=2))
    pictures = linear_to_srgb((rendered.albedo[:, None] * rendered.shading).clamp(0, 1)).permute(0, 1, 3, 4, 2).numpy()
    return [(view[0], view[1]) for view in pictures]


@pytest.mark.parametrize("detail", [True, False])
def test_held_out_views_come_nearer(views: Pairs, detail: bool) -> None:
    network, gains = load_tiny(), []
    for picture, wanted in views:
        light = ReferenceLight(Photo.from_array(wanted))
        relit = to_array(relight_picture(network, picture, light, ChangeOptions(detail=detail), TileOptions()))
        gains.append(psnr(relit, wanted) - psnr(picture, wanted))
    assert np.mean(gains) >= 6, gains


def test_a_small_photo_is_seen_enlarged(views: Pairs) -> None:
    """Things in it are lit as the reference lights them, unless another copy is asked for."""
    model, scores = load_model("tiny", device="cpu"), []
    for picture, wanted in views[:4]:
        photo, light = Photo.from_array(picture), Photo.from_array(wanted)
        for side in (0, None, 320):
            options = RelightOptions(reference=ReferenceKind.LATENTS, max_side=side)
            relit = relight(model, photo, light, options).photo
            scores.append(psnr(np.asarray(relit.to_srgb()), wanted))
    small, seen, again = np.reshape(scores, (-1, 3)).T
    assert np.mean(seen) >= np.mean(small) + 0.5, (small, seen)
    assert list(again) == list(small)  # 320 is a limit, not a wish


@pytest.mark.parametrize(
    ("size", "tiling", "seen"),
    [
        ((426, 640), TileOptions(max_side=1024, enlarge=True), (682, 1024)),
        ((60, 40), TileOptions(max_side=1024, enlarge=True), (120, 80)),
        ((3000, 2000), TileOptions(max_side=1024, enlarge=True), (1024, 683)),
        ((60, 40), TileOptions(max_side=1024), (60, 40)),
        ((60, 40), TileOptions(enlarge=True), (60, 40)),
    ],
)
def test_the_copy_that_the_network_sees(size: tuple[int, int], tiling: TileOptions, seen: tuple[int, int]) -> None:
    assert seen_size(*size, tiling) == seen


@pytest.mark.parametrize("mode", ["--detail", "--no-detail"])
def test_the_example_comes_nearer(run: Run, tmp_path: Path, mode: str) -> None:
    files = [EXAMPLES / "photo.jpg", "--light", EXAMPLES / "reference.jpg", "-o", "relit.png"]
    assert run("relight", *files, "--model", "tiny", mode).returncode == 0
    paths = (EXAMPLES / "photo.jpg", EXAMPLES / "reference.jpg", tmp_path / "relit.png")
    before, wanted, after = (read_photo(path, max_pixels=10**7).to_srgb() for path in paths)
    assert psnr(after, wanted) >= psnr(before, wanted) + 3
