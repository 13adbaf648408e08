"""Views with known geometry, and the training of the geometry network on them."""

import json
import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from rendered_geometry import layout, view
from safetensors import safe_open

from relight_cli.checkpoints.network_files import read_tensors
from relight_cli.models.geometry import GeometryConfig, GeometryNetwork
from relight_cli.training import geometry
from relight_cli.training.geometry_losses import angular_error, fit_plane, geometry_losses, silog
from relight_cli.training.geometry_pictures import Batch, GeometryViews
from relight_cli.training.geometry_views import render_view
from relight_cli.training.scenes.deep_layouts import sample_varied_layout


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    rendered = [render_view(seed, (48, 64), torch.rand(3, 32, 32), held_out=False) for seed in range(2)]
    layers = [torch.cat((v.pictures.flatten(0, 1), v.disparity, v.normals)) for v in rendered]
    np.save(folder / "views_00000000.npy", torch.stack(layers).half().numpy())
    return folder


def test_the_ground_has_the_cameras_depth_and_faces_up() -> None:
    known = view(layout(), 64, 64)
    up = known.in_camera((0.0, 1.0, 0.0))
    assert np.allclose(known.normals, up, atol=1e-4)
    # The middle of the picture shows the target, sqrt(1.9^2 + 3^2) metres away; its height is 0.3.
    away = math.hypot(1.9, 3.0) * 2.2 / 1.9
    assert known.disparity[31:33, 31:33].mean() == pytest.approx(1 / away, rel=1e-3)


def test_every_kind_of_layout_can_be_rendered() -> None:
    for seed in range(12):
        assert sample_varied_layout(Random(seed)).materials
    sky = [render_view(seed, (24, 32), torch.rand(3, 32, 32), held_out=False) for seed in range(8)]
    for v in sky:
        assert (v.normals.norm(dim=0)[v.disparity[0] > 0] > 0.9).all()
        assert (v.disparity >= 0).all()
        assert v.pictures.isfinite().all()


def test_drawn_pictures_fit_their_maps(views: Path) -> None:
    batch = GeometryViews(views).draw(3, np.random.default_rng(1))
    assert batch.pictures.shape[0] == 3
    assert batch.pictures.shape[2:] == batch.normals.shape[2:] == batch.disparity.shape[2:]
    assert ((batch.pictures >= 0) & (batch.pictures <= 1)).all()
    faces_viewer = batch.normals[:, 2][batch.disparity[:, 0] > 0]
    assert (faces_viewer > -0.6).all()


def test_losses_are_least_at_the_truth_whatever_its_scale(views: Path) -> None:
    batch = GeometryViews(views).whole()
    known = batch.disparity > 0
    perfect = torch.cat(
        (batch.disparity.clamp(min=1e-3).log() + 1.3, batch.normals, torch.where(known, -20.0, 20.0)), dim=1
    )
    best = geometry_losses(perfect, batch)
    noisy = geometry_losses(
        perfect + 0.3 * torch.randn(perfect.shape, generator=torch.Generator().manual_seed(0)), batch
    )
    for name, loss in best.items():
        assert loss < 0.02, name
        assert noisy[name] > loss, name
    assert silog(batch.disparity * 7, batch.disparity).max() < 5e-3
    assert angular_error(batch.normals, batch.normals).max() < 0.1
    tilted = torch.stack((batch.normals[:, 0], -batch.normals[:, 2], batch.normals[:, 1]), dim=1)
    assert angular_error(tilted, batch.normals).min() > 45


def test_the_plane_is_that_of_planes() -> None:
    x = torch.linspace(-1, 1, 20)
    disparity = (1 + 0.4 * x + 0.3 * torch.linspace(-1, 1, 16)[:, None]).expand(3, 1, -1, -1)
    disparity = disparity * torch.tensor([1.0, 4, 0.2])[:, None, None, None]
    assert silog(fit_plane(disparity).expand_as(disparity), disparity).max() < 1e-3


def test_a_run_learns_resumes_and_is_exported(views: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    target = tmp_path / "geometry.safetensors"
    options = {"held_out": views, "batch": 2, "rate": 1e-3}
    geometry.main(views, run, steps=2, **options)
    geometry.main(views, run, steps=4, export=target, **options)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    with safe_open(target, "pt") as file:
        recipe, config = (json.loads(file.metadata()[name]) for name in ("recipe", "config"))
        weights = read_tensors(file)
    assert [part["from_step"] for part in recipe] == [0, 2]
    network = GeometryNetwork(GeometryConfig(**config))
    missing, foreign = network.load_state_dict(weights, strict=False)
    assert not foreign
    assert all(key.endswith("num_batches_tracked") for key in missing)


def test_the_contrast_of_a_file_is_that_of_its_log_disparity(views: Path, tmp_path: Path) -> None:
    run, test = geometry.Run(tmp_path / "run", None), GeometryViews(views)
    maps = {}
    for contrast in (1.0, 1.5):
        run.export(tmp_path / "network.safetensors", contrast, test)
        network = GeometryNetwork(GeometryConfig())
        with safe_open(tmp_path / "network.safetensors", "pt") as file:
            network.load_state_dict(read_tensors(file), strict=False)
        with torch.inference_mode():
            maps[contrast] = network.eval()(test.whole().pictures[:1])
    assert torch.allclose(maps[1.5].disparity.log(), 1.5 * maps[1.0].disparity.log(), atol=1e-3)
    assert torch.equal(maps[1.5].normals, maps[1.0].normals)


def test_learning_lowers_the_losses_of_the_same_pictures(views: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    run = geometry.Run(tmp_path / "run", None)
    batch = GeometryViews(views).draw(2, np.random.default_rng(0))

    class Same:
        def draw(self, count: int, rng: np.random.Generator) -> Batch:
            return batch

    first, *_, last = (run.advance(Same(), 2, 0, 2e-3) for _ in range(12))  # type: ignore[arg-type]
    assert sum(last.values()) < 0.8 * sum(first.values())
