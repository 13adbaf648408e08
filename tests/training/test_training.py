"""The training of tiny: the light is known, a stopped run resumes, and its export loads."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

from relight_cli.checkpoints.network_files import read_tensors
from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.models.tiny import Tiny, TinyConfig
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
from relight_cli.training import steps
from relight_cli.training.cameras import Camera
from relight_cli.training.export import main as export
from relight_cli.training.grounds import Grounds
from relight_cli.training.grounds import main as paint
from relight_cli.training.losses import albedo_losses
from relight_cli.training.pairs import photo_pairs, view_pairs
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.synthetic_light import cast_shadows, synthetic_log_light
from relight_cli.training.train import TURNS, WARM_UP
from relight_cli.training.train import main as train
from relight_cli.training.views import RenderedViews
from relight_cli.training.views import main as render


def invoke(command: object, *arguments: object) -> None:
    import typer

    app = typer.Typer()
    app.command()(command)  # type: ignore[arg-type]
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(9):
        coarse = rng.integers(30, 200, (12, 14, 3)).astype(np.uint8)
        write_photo(Photo(coarse.repeat(16, 0).repeat(16, 1), format="JPEG"), folder / f"{i}.jpg")
    return folder


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    folder = tmp_path_factory.mktemp("views")
    invoke(render, photos, folder, "--count", 16, "--size", 32, "--lights", 2)
    return folder


def test_photos_held_out_are_not_trained_on(photos: Path) -> None:
    kept, out = split(photos, held_out=3)
    assert len(out) == 3
    assert not set(kept) & set(out)
    assert len(kept) + len(out) == 9


def test_only_shadows_remove_light() -> None:
    generator = torch.Generator().manual_seed(0)
    light, free = synthetic_log_light(16, 64, generator)
    assert (light <= free + 1e-5).all()
    assert ((light - free).abs().amax((1, 2, 3)) < 1e-6).any()
    visibility = cast_shadows(16, 64, generator)
    assert visibility.min() >= 0
    assert visibility.max() <= 1
    assert ((visibility < 0.1).float().mean((1, 2, 3)) > 0.05).any()


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    folder = tmp_path_factory.mktemp("grounds")
    invoke(paint, photos, folder, "--count", 16, "--size", 64)
    return folder


@pytest.mark.parametrize("toned", [0.0, 1.0], ids=["plain", "toned"])
@pytest.mark.parametrize("kind", ["photos", "views", "varied", "grounds"])
def test_the_known_ratio_matches_the_pictures(
    kind: str, toned: float, photos: Path, views: Path, grounds: Path
) -> None:
    rng = np.random.default_rng(3)
    known = {
        "views": lambda: RenderedViews(views),
        "varied": lambda: RenderedViews(views, varied=True),
        "grounds": lambda: Grounds(grounds),
    }
    if kind == "photos":
        pairs = photo_pairs(PhotoCrops(split(photos)[0]), 6, 32, rng, "cpu", toned=toned)
    else:
        pairs = view_pairs(known[kind](), 6, 32, rng, "cpu", toned=toned)
    a, b = srgb_to_linear(pairs.a), srgb_to_linear(pairs.b)
    seen = (pairs.a > 0.2) & (pairs.a < 0.95) & (pairs.b > 0.2) & (pairs.b < 0.95)
    assert seen.float().mean() > 0.05
    assert ((b / a).log() - pairs.to_other)[seen].abs().mean() < (0.15 if toned else 0.1)
    if kind == "photos":
        assert pairs.to_white.isnan().all()
        return
    # Both pictures without their light are the same albedo, but for what the curve does to it under each light.
    white = [(picture.log() + to_white)[seen] for picture, to_white in zip((a, b), pairs.to_white, strict=True)]
    assert (white[1] - white[0]).abs().mean() < (0.15 if toned else 0.1)


def test_a_tone_curve_changes_pictures_and_what_is_known_of_them_alike(views: Path) -> None:
    plain, toned = (
        view_pairs(RenderedViews(views), 8, 32, np.random.default_rng(2), "cpu", toned=toned) for toned in (0.0, 1.0)
    )
    assert (plain.a - toned.a).abs().mean() > 0.01
    assert (plain.to_other - toned.to_other).abs().mean() > 0.01
    # Less light through a rising curve is less light.
    assert toned.to_free.min() > -1e-3


def test_a_camera_that_only_counts_photons_has_no_curve() -> None:
    ramp = torch.linspace(0, 1, 64).expand(3, 8, -1)
    generator = torch.Generator().manual_seed(0)
    plain, noisy = Camera(), Camera(shot_noise=0.02, read_noise=0.002)
    assert plain.log_gain(ramp * 3).abs().max() == 0
    assert (plain.take(ramp, generator) - linear_to_srgb(ramp)).abs().max() <= 0.5 / 255 + 1e-6
    assert (noisy.take(ramp, generator) - linear_to_srgb(ramp)).std() > 0.005
    curved = Camera(knee=0.5, power=0.9, contrast=1.1, saturation=1.2, blur=0.5, quality=80)
    seen = srgb_to_linear(curved.tone(ramp)).clamp(min=1e-3)
    assert (curved.log_gain(ramp) - (seen / ramp).log())[..., 20:].abs().max() < 0.02
    assert (curved.take(ramp, generator) - curved.tone(ramp)).abs().mean() < 0.02


def test_varied_views_have_more_lights_and_colours(views: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [
        RenderedViews(views, varied=varied).draw(12, 32, np.random.default_rng(5), generator)
        for varied in (False, True)
    ]
    (plain, *_), (albedo, shading, free) = drawn
    assert not torch.equal(plain, albedo)
    assert albedo.min() > 0
    assert albedo.max() <= 1
    assert (free >= shading - 1e-2 * shading.amax()).all()


def test_whole_views_are_those_of_the_files(views: Path) -> None:
    layers = torch.from_numpy(np.load(next(views.glob("*.npy")))).float()  # (16, 1 + 2 + 2, 3, 32, 32)
    albedo, shading, free = RenderedViews(views).whole()
    torch.testing.assert_close(albedo, layers[:, 0])
    torch.testing.assert_close(shading, layers[:, 1:3])
    torch.testing.assert_close(free, layers[:, 3:5])


@pytest.mark.parametrize("turn", TURNS)
def test_photos_alone_give_finite_losses(photos: Path, turn: str) -> None:
    pairs = photo_pairs(PhotoCrops(split(photos)[0]), 2, 64, np.random.default_rng(0), "cpu")
    model = Tiny(TinyConfig(mappers=("shadow", "albedo")))
    total = torch.stack(list(TURNS[turn](model, pairs).values())).sum()
    total.backward()
    assert total.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


def test_light_without_shadows_is_never_less(grounds: Path) -> None:
    pairs = view_pairs(Grounds(grounds), 12, 48, np.random.default_rng(1), "cpu")
    assert pairs.to_free.min() > -1e-3
    shadowed = (pairs.to_free.mean(2) > 0.7).float().mean((2, 3)).flatten()  # of each picture
    assert (shadowed > 0.05).any()
    assert (shadowed == 0).any()


def test_sunny_photos_teach_nothing_about_shadows(photos: Path) -> None:
    crops = PhotoCrops(split(photos)[0])
    crops.sunny = [True] * len(crops.sunny)
    assert photo_pairs(crops, 3, 32, np.random.default_rng(0), "cpu").to_free.isnan().all()


def test_own_light_comes_back_exactly_whatever_the_weights() -> None:
    torch.manual_seed(0)
    model, picture = Tiny(TinyConfig()).eval(), torch.rand(2, 3, 64, 64)
    torch.nn.init.normal_(model.shading.leave.weight)
    with torch.no_grad():
        intrinsic, light = model.delight(model.encode(picture))
        own = model.decode(model.relight(intrinsic, light))
        other = model.decode(model.relight(intrinsic, light.flip(0)))
    torch.testing.assert_close(own, picture, atol=1e-5, rtol=0)
    assert (other - picture).abs().max() > 1e-3


@pytest.mark.parametrize("turn", TURNS)
def test_the_losses_reach_every_weight(views: Path, turn: str) -> None:
    pairs = view_pairs(RenderedViews(views), 2, 64, np.random.default_rng(0), "cpu")
    model = Tiny(TinyConfig(mappers=("shadow", "albedo")))
    # Weights before a layer that starts at zero have no gradient until its first step.
    for part in (model.shading, *model.mappers.values()):
        torch.nn.init.normal_(part.leave.weight)
    torch.stack(list(TURNS[turn](model, pairs).values())).sum().backward()
    idle = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    light = ("light.", "mappers.", "illumination.", "survey.", "queries")
    spared = {
        "shadows": light,
        # The light's last biases are the same for all lights, and only differences count.
        "light": ("light.leave.bias", "light.blocks.0.0.conv2.bias", "mappers.albedo."),
        "albedo": ("light.leave.bias", "light.blocks.0.0.conv2.bias", "mappers.shadow."),
    }
    assert idle <= {name for name in idle if name.startswith(spared[turn])}


def test_albedo_losses_ignore_one_factor(views: Path) -> None:
    pairs = view_pairs(RenderedViews(views), 2, 64, np.random.default_rng(0), "cpu")
    model = Tiny(TinyConfig(mappers=("albedo",)))
    torch.nn.init.normal_(model.shading.leave.weight, std=0.01)
    found = albedo_losses(model, pairs)
    with torch.no_grad():
        model.shading.leave.bias[9:] += 0.2  # b of the rest of the shading
    shifted = albedo_losses(model, pairs)
    for name in ("albedo", "albedo edges", "albedo picture"):
        torch.testing.assert_close(shifted[name], found[name], rtol=0.02, atol=0)
    assert abs(shifted["albedo scale"] - found["albedo scale"]) > 1e-3


def test_a_finished_run_gets_no_stage_and_the_least_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    run = SimpleNamespace(step=2, recipe=[])
    monkeypatch.setattr(steps, "code_revision", lambda: "abc")
    steps.begin_stage(run, 2, {"seed": 1})
    assert run.recipe == []
    steps.begin_stage(run, 3, {"seed": 1})
    assert run.recipe == [{"from_step": 2, "steps": 3, "seed": 1, "revision": "abc"}]
    assert [steps.learning_rate(step, 300, 1.0, WARM_UP) for step in (0, 300, 450)] == pytest.approx(
        [1 / WARM_UP, 0.02, 0.02]
    )


def test_a_run_resumes_and_its_export_loads(photos: Path, views: Path, tmp_path: Path) -> None:
    run, options = tmp_path / "run", ["--pixels", 20000, "--views", views, "--turns", "shadows,light,albedo"]
    invoke(train, photos, run, "--steps", 2, *options)
    invoke(train, photos, run, "--steps", 3, *options)
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in log] == [2, 3]
    assert {"untouched", "mean_gain", "model"} <= log[-1].keys()
    invoke(export, run, tmp_path / "tiny.safetensors")
    with safe_open(tmp_path / "tiny.safetensors", "pt") as file:
        recipe = json.loads(file.metadata()["recipe"])
        state = read_tensors(file)
    assert [part["from_step"] for part in recipe] == [0, 2]
    Tiny(TinyConfig(mappers=("shadow", "albedo"))).load_state_dict(state, strict=True)
    other = tmp_path / "other.safetensors"
    save_file({key: torch.zeros_like(value) for key, value in state.items()}, other)
    invoke(export, run, tmp_path / "mixed.safetensors", "--mix", other, "--share", 0.25)
    with safe_open(tmp_path / "mixed.safetensors", "pt") as file:
        assert json.loads(file.metadata()["mixed"]) == {"with": "other.safetensors", "share": 0.25}
        mixed = read_tensors(file)
    for key, value in state.items():
        torch.testing.assert_close(mixed[key].float(), value.float() / 4, atol=1e-4, rtol=1e-2)
