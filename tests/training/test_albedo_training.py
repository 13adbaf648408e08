"""Views of things in front of black, and the training of the albedo network."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
import typer
from safetensors import safe_open
from safetensors.torch import save_file

from relight_cli.checkpoints.network_files import read_tensors
from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.models.albedo import AlbedoConfig, AlbedoNetwork
from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.efficientnet_lite import EfficientNetLite
from relight_cli.models.log_light import EPS, log_light_change, log_linear
from relight_cli.training import albedo, albedo_pictures, views
from relight_cli.training.albedo_pictures import AlbedoPictures, Batch
from relight_cli.training.losses import albedo_terms
from relight_cli.training.photos import PhotoCrops
from relight_cli.training.scenes.object_layouts import object_mask, sample_object_layout
from relight_cli.training.scenes.scenes import SceneOptions, render_views
from relight_cli.training.start import load_exported
from relight_cli.training.views import RenderedViews


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    for number in range(10):  # eight are held out
        noise = np.random.default_rng(number).integers(40, 200, (8, 10, 3), np.uint8)
        Image.fromarray(noise).resize((320, 300)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def objects(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objects")
    views.main(photos, folder, count=16, size=32, lights=2, layouts=views.Layouts.OBJECTS)
    return folder


@pytest.fixture(scope="module")
def pictures(objects: Path, photos: Path) -> AlbedoPictures:
    return AlbedoPictures([RenderedViews(objects, varied=True)], [1.0], PhotoCrops(sorted(photos.iterdir())))


def test_things_stand_in_front_of_black(objects: Path) -> None:
    albedo, shading, _ = RenderedViews(objects).whole()
    seen = (albedo.amax(1) > 0).float().mean((1, 2))
    assert (seen > 0.02).all()
    assert (seen < 0.95).all()
    assert shading.isfinite().all()


def test_the_mask_is_the_thing_without_the_ground_below() -> None:
    layout = sample_object_layout(Random(3))
    options = SceneOptions(size=48, lights=1)
    distance = render_views(3, 1, options, draw_layout=sample_object_layout).depth[0, 0]
    layout.eye, layout.target = (0.0, 2.0, 0.0), (0.0, 0.0, -1e-3)  # from above, 2 metres over the ground
    mask = object_mask(layout, torch.full((48, 48), 2.0))
    assert mask[24, 24] == 0  # the ground
    assert object_mask(layout, torch.full((48, 48), 1.5))[24, 24] == 1  # half a metre above it
    assert object_mask(layout, distance.new_full((48, 48), 1e4)).max() == 0  # the sky


@pytest.mark.parametrize("outlined", [0, 1])
def test_drawn_pictures_and_what_is_known_of_them(
    pictures: AlbedoPictures, monkeypatch: pytest.MonkeyPatch, outlined: int
) -> None:
    monkeypatch.setattr(albedo_pictures, "OUTLINED", outlined)
    batches = [pictures.draw(2, np.random.default_rng(seed)) for seed in range(3)]
    assert any(len(batch.to_other) for batch in batches)
    assert all(bool(batch.to_white.isnan().any()) == bool(outlined) for batch in batches)
    for batch in batches:
        assert batch.pictures.shape[2:] == batch.to_white.shape[2:] == batch.to_other.shape[2:]
        assert len(batch.pictures) == len(batch.to_white) + 2 * len(batch.to_other)
        assert all(side % 32 == 0 for side in batch.pictures.shape[2:])
        assert ((batch.pictures >= 0) & (batch.pictures <= 1)).all()


def test_losses_are_least_at_the_truth_whatever_its_scale(pictures: AlbedoPictures) -> None:
    batch = pictures.draw(4, np.random.default_rng(2))
    count = len(batch.to_white)
    shown, guide = batch.pictures[:count], log_linear(batch.pictures[:count])
    perfect = albedo_terms(batch.to_white.nan_to_num() + 0.4, shown, guide, batch.to_white, 3)
    wrong = albedo_terms(torch.zeros_like(guide), shown, guide, batch.to_white, 3)
    for name in ("albedo", "albedo edges"):
        assert perfect[name] < 1e-4 < wrong[name]
    assert perfect["albedo picture"] < wrong["albedo picture"]


def test_a_decoder_starts_at_the_albedo_of_tiny(pictures: AlbedoPictures, tmp_path: Path) -> None:
    run = albedo.Run(tmp_path / "run", 1e-3)
    torch.nn.init.zeros_(run.model.refining.leave.bias)
    tiny = load_tiny()
    picture = pictures.draw(1, np.random.default_rng(0)).pictures[:1, :, :160, :160]
    guide = log_linear(picture)
    with torch.no_grad():
        change = log_light_change(guide, albedo.coefficients(run.model, tiny, picture, guide))
        intrinsic, own = tiny.delight(tiny.encode(picture))
        tile = tiny.decode(tiny.relight(intrinsic, tiny.map_illumination("albedo", intrinsic, own)))
    torch.testing.assert_close(linear_to_srgb((guide.exp() - EPS) * change.exp()), tile, atol=1e-4, rtol=0)


@pytest.mark.parametrize("alone", [True, False])
def test_learning_lowers_the_losses_of_the_same_pictures(pictures: AlbedoPictures, tmp_path: Path, alone: bool) -> None:
    torch.manual_seed(0)
    run = albedo.Run(tmp_path / "run", 1e-3, alone=alone)
    batch = next(one for seed in range(9) if len((one := pictures.draw(1, np.random.default_rng(seed))).to_other))

    class Same:
        def draw(self, count: int, rng: np.random.Generator) -> Batch:
            return batch

    first, *_, last = (run.advance(Same(), 2, 0, 3e-4) for _ in range(6))  # type: ignore[arg-type]
    assert "photos" in first
    assert sum(last.values()) < 0.95 * sum(first.values())
    assert run.step == 6


def test_runs_resume_and_are_exported_to_one_file(objects: Path, photos: Path, tmp_path: Path) -> None:
    run, other, target = tmp_path / "run", tmp_path / "other", tmp_path / "albedo.safetensors"
    options = {"views": [objects], "held_out": [objects], "batch": 1}
    albedo.main(photos, run, steps=1, export=target, **options)
    albedo.main(photos, other, steps=1, alone=True, export=target, **options)
    albedo.main(photos, run, steps=2, export=target, **options)
    albedo.main(photos, run, steps=2, export=target, **options)  # finished: nothing is learnt
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert lines[-1][f"psnr_{objects.name}"] > 5
    with safe_open(target, "pt") as file:
        told = {name: json.loads(text) for name, text in file.metadata().items() if name != "licence"}
        weights = read_tensors(file)
    assert told["refining"]["figures"] == lines[-1]
    assert [part["from_step"] for part in told["refining"]["recipe"]] == [0, 1]
    assert [part["from_step"] for part in told["alone"]["recipe"]] == [0]
    with pytest.raises(typer.BadParameter, match="holds a run, which is resumed: leave out --start"):
        albedo.main(photos, run, steps=3, start=target, **options)
    network = AlbedoNetwork(AlbedoConfig(**told["config"]), EfficientNetLite())
    missing, foreign = network.load_state_dict(weights, strict=False)
    assert not foreign
    assert all(key.startswith("encoder.") for key in missing)


@pytest.mark.parametrize("name", ["refining", "alone"])
def test_a_new_run_starts_from_an_exported_decoder_and_goes_on_with_its_recipe(tmp_path: Path, name: str) -> None:
    first = albedo.Run(tmp_path / "first", 1e-3, alone=name == "alone")
    first.recipe = [{"from_step": 0, "steps": 9}]
    torch.nn.init.uniform_(first.averaged.get_submodule(name).leave.bias)
    target = tmp_path / "albedo.safetensors"
    first.export(target, {"step": 9})
    second = albedo.Run(tmp_path / "second", 1e-3, alone=name == "alone", start=target)
    assert (second.step, second.recipe) == (0, first.recipe)
    for network in (second.model, second.averaged):
        learned = network.get_submodule(name).state_dict()
        for key, value in first.averaged.get_submodule(name).state_dict().items():
            torch.testing.assert_close(learned[key], value, rtol=1e-3, atol=value.abs().max().item() / 200)
    for other, reason in ((target, "has no"), (tmp_path / "none.safetensors", "cannot be read")):
        with pytest.raises(typer.BadParameter, match=reason):
            albedo.Run(tmp_path / "third", 1e-3, alone=name != "alone", start=other)


@pytest.mark.parametrize("name", ["", "refining"])
def test_weights_of_another_shape_or_without_a_recipe_are_refused_before_any_is_loaded(
    tmp_path: Path, name: str
) -> None:
    """Of weights alone, and of weights with a name."""
    start, prefix, recipe = tmp_path / "start.safetensors", f"{name}." * bool(name), [{"from_step": 0}]
    described = {name or "recipe": json.dumps({"recipe": recipe} if name else recipe)}
    part = torch.nn.Linear(2, 3)
    before = {key: value.clone() for key, value in part.state_dict().items()}
    for shape, metadata, reason in (
        ((3, 2), None, "does not say the recipe"),
        ((3, 2), {name or "recipe": "none"}, "does not say the recipe"),
        ((3, 4), described, r"has weight of shape \(3, 4\), not \(3, 2\)"),
    ):
        save_file({f"{prefix}bias": torch.ones(3), f"{prefix}weight": torch.ones(shape)}, start, metadata)
        with pytest.raises(typer.BadParameter, match=reason):
            load_exported(start, [part], name)
        torch.testing.assert_close(part.state_dict(), before)
    save_file({f"{prefix}bias": torch.ones(3)}, start, described)
    assert load_exported(start, [part], name) == recipe
    assert part.bias.tolist() == [1, 1, 1]
