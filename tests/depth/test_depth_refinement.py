"""Refinement with a prior that knows the truth, and runs that do not depend on each other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from known_scene import HEIGHT, WIDTH, KnowingPrior, true_disparity, wrong_scene

from relight_cli.checkpoints.depth import load_depth_network, load_embedder, load_prior
from relight_cli.depth.cost import StepCost, largest_batch, measure_step
from relight_cli.depth.finished_runs import FinishedRuns
from relight_cli.depth.options import DepthOptions
from relight_cli.depth.refine_depth import prepare
from relight_cli.depth.refined_depth import RefinedDepth
from relight_cli.depth.refinement import (
    Ensemble,
    RefineOptions,
    Run,
    Scene,
    encode_scene,
    refine,
    refine_runs,
)
from relight_cli.depth.sky import keep_sky
from relight_cli.evaluation.depth_metrics import depth_metrics
from relight_cli.models.depth_anything import network_size, resize_to_network
from relight_cli.models.depth_model import DepthModel
from relight_cli.models.diffusion_prior import DiffusionPrior
from relight_cli.models.shading import DEPTH_SHIFT
from relight_cli.photos.photo import Photo


@pytest.fixture(scope="module")
def known(tiny_parts: Path) -> Scene:
    return wrong_scene(tiny_parts)


@pytest.fixture(scope="module")
def scene(tiny_parts: Path) -> Scene:
    network = load_depth_network(tiny_parts / "Depth-Anything-V2-Small-hf", device="cpu")
    picture = np.random.default_rng(0).uniform(0, 1, (40, 60, 3)).astype(np.float32)
    return encode_scene(network, picture, "cpu")


@pytest.fixture(scope="module")
def prior(tiny_parts: Path) -> DiffusionPrior:
    return load_prior(
        tiny_parts / "stable-diffusion-v1-5",
        None,
        load_embedder(tiny_parts / "stable-diffusion-v1-5"),
        "a photo",
        device="cpu",
        dtype=torch.float32,
    )


def silog(disparity: np.ndarray) -> float:
    depth = 1 / (true_disparity() + DEPTH_SHIFT)
    return depth_metrics(disparity, depth.numpy(), np.ones((HEIGHT, WIDTH), bool))["silog"]


def test_metrics_are_the_published_ones() -> None:
    with np.load(Path(__file__).parents[1] / "reference" / "depth_metrics.npz") as file:
        found = depth_metrics(file["raw_disparity"], file["gt"], file["mask"])
        assert len(found) == 9
        for name, value in found.items():
            assert value == pytest.approx(float(file[f"metric_{name}"]), rel=1e-5), name


def test_a_knowing_prior_brings_the_surface_nearer_and_an_indifferent_one_does_not(known: Scene) -> None:
    options = RefineOptions(runs=1, steps=100)
    before = silog(known.initial[0].numpy())
    pulled = silog(refine(known, KnowingPrior(known, 0, [0]), options, {}).disparity)
    left = silog(refine(known, KnowingPrior(known, 0, [0], pull=False), options, {}).disparity)
    assert pulled < 0.8 * before
    assert left > 0.95 * before


def test_runs_in_a_batch_equal_single_runs(known: Scene) -> None:
    options = RefineOptions(runs=3, steps=30, seed=7)
    together = refine_runs(known, KnowingPrior(known, 7, [0, 1, 2]), [0, 1, 2], options)
    alone = [refine_runs(known, KnowingPrior(known, 7, [n]), [n], options)[0] for n in range(3)]
    for a, b, other in zip(together, alone, [*alone[1:], alone[0]], strict=True):
        noise = np.abs(a.disparity - b.disparity).max()
        assert noise < 0.02 * np.abs(b.disparity - other.disparity).max()
        assert a.scale == pytest.approx(b.scale, abs=1e-5)


def test_the_seed_decides_the_numbers(scene: Scene, prior: DiffusionPrior) -> None:
    options = RefineOptions(runs=2, steps=3, run_batch=2)
    first, again, other = (refine(scene, prior, replace(options, seed=seed), {}) for seed in (1, 1, 2))
    assert (first.disparity == again.disparity).all()
    assert (first.disparity != other.disparity).any()
    assert first.deviation.max() > 0


def test_the_initial_disparity_stays_where_the_mask_keeps_it(scene: Scene, prior: DiffusionPrior) -> None:
    kept = torch.zeros(scene.size)
    kept[:20] = 1
    found = refine(replace(scene, kept_mask=kept), prior, RefineOptions(runs=1, steps=3), {}).disparity
    initial = scene.initial[0].numpy()
    assert (found[:20] == initial[:20]).all()
    assert (found[20:] != initial[20:]).mean() > 0.9


def test_finished_runs_are_used_and_new_ones_kept(scene: Scene, prior: DiffusionPrior) -> None:
    options, kept, steps = RefineOptions(runs=3, steps=2), {}, []

    def progress(done: int, total: int) -> None:
        steps.append((done, total))

    whole = refine(scene, prior, options, {}, kept.__setitem__, progress)
    assert (sorted(kept), steps[-1]) == ([0, 1, 2], (6, 6))
    rest: dict[int, Run] = {}
    resumed = refine(scene, prior, options, {n: kept[n] for n in (0, 1)}, rest.__setitem__, progress)
    assert (sorted(rest), steps[-1]) == ([2], (6, 6))
    assert (resumed.disparity == whole.disparity).all()
    assert np.allclose(whole.disparity, np.mean([run.disparity for run in kept.values()], axis=0))
    assert np.allclose(whole.deviation, np.std([run.disparity for run in kept.values()], axis=0))


@pytest.mark.parametrize("damage", [b"", b"not a run", None])
def test_a_kept_run_that_is_damaged_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    store, run = FinishedRuns(tmp_path / "d.png"), Run(np.ones((20, 30), np.float32), 7.0)
    store.open({"seed": 0}, resume=False)
    for number in range(2):
        store.keep(number, run)
    path = store.folder / "run-0001.npz"
    path.write_bytes(path.read_bytes()[:-30] if damage is None else damage)
    found = store.open({"seed": 0}, resume=True)
    assert list(found) == [0]
    assert (found[0].disparity == run.disparity).all()


def test_an_early_stop_adds_no_more_runs_and_makes_at_least_three(scene: Scene, prior: DiffusionPrior) -> None:
    options = RefineOptions(runs=6, steps=1)
    assert refine(scene, prior, replace(options, early_stop=10.0), {}).runs == 3
    assert refine(scene, prior, replace(options, early_stop=1e-9), {}).runs == 6
    assert refine(scene, prior, options, {}).runs == 6


def test_saving_memory_gives_the_same_result(scene: Scene, tiny_parts: Path, prior: DiffusionPrior) -> None:
    saving = load_prior(
        tiny_parts / "stable-diffusion-v1-5",
        None,
        load_embedder(tiny_parts / "stable-diffusion-v1-5"),
        "a photo",
        device="cpu",
        dtype=torch.float32,
    )
    saving.set_checkpointing(True)
    options = RefineOptions(runs=1, steps=2)
    assert np.allclose(refine(scene, saving, options, {}).disparity, refine(scene, prior, options, {}).disparity, 1e-4)


def test_the_memory_of_a_step_grows_with_the_batch_and_shrinks_with_checkpointing(
    scene: Scene, tiny_parts: Path, prior: DiffusionPrior
) -> None:
    one, three = measure_step(scene, prior, 1), measure_step(scene, prior, 3)
    assert one.seconds > 0
    assert 2.5 * one.memory < three.memory < 3.5 * one.memory
    folder = tiny_parts / "stable-diffusion-v1-5"
    saving = load_prior(folder, None, load_embedder(folder), "a photo", device="cpu", dtype=torch.float32)
    saving.set_checkpointing(True)
    assert measure_step(scene, saving, 1).memory < 0.9 * one.memory
    saving.set_checkpointing(False)
    assert measure_step(scene, saving, 1).memory > 0.95 * one.memory


@pytest.mark.parametrize(
    ("memory", "runs", "batch"), [(9, 10, 1), (35, 10, 3), (60, 10, 5), (79, 10, 5), (500, 10, 10)]
)
def test_batches_fill_the_memory_evenly(memory: int, runs: int, batch: int) -> None:
    assert largest_batch(StepCost(1.0, 10), memory, runs) == batch


def test_maps_at_the_photos_size_follow_its_edges(scene: Scene) -> None:
    high, wide = scene.size
    picture = np.full((4 * high, 4 * wide, 3), 0.2, np.float32)
    picture[:, 2 * wide + 2 :] = 0.8  # an edge inside a pixel of the network's size
    image = resize_to_network(torch.from_numpy(picture).permute(2, 0, 1)[None], max(high, wide))
    step = np.where(np.arange(wide) * 4 < 2 * wide + 2, 1.0, 3.0).astype(np.float32)
    ensemble = Ensemble(np.tile(step, (high, 1)), np.zeros((high, wide), np.float32), 7.0, 1)
    depth = RefinedDepth(replace(scene, image=image), ensemble, picture)
    across = depth.disparity[2 * high]
    assert across.shape == (4 * wide,)
    assert across[: 2 * wide - 8] == pytest.approx(1, abs=0.05)
    assert across[2 * wide + 12 :] == pytest.approx(3, abs=0.05)
    steepest = int(np.abs(np.diff(across)).argmax()) + 1
    assert steepest == 2 * wide + 2
    assert np.allclose(np.linalg.norm(depth.normals, axis=2), 1, atol=1e-5)
    assert depth.normals[..., 0].min() < -0.5  # what is nearer on the right faces left at its border
    assert depth.normals[..., 0].max() < 0.1
    points, mask = depth.points
    assert points == pytest.approx(7 / (depth.disparity + 0.1))
    assert mask.all()


def test_the_sky_is_where_the_network_sees_infinite_distance(scene: Scene) -> None:
    initial = torch.ones_like(scene.initial)
    assert keep_sky(replace(scene, initial=initial)).kept_mask.max() == 0
    initial[:, :20] = 0
    kept = keep_sky(replace(scene, initial=initial)).kept_mask
    assert kept[:17].min() > 0.99
    assert kept[23:].max() < 0.01
    assert 0 < kept[20].mean() < 1
    mask = np.zeros((10, 10), np.float32)
    mask[:, 5:] = 1
    kept = keep_sky(scene, mask).kept_mask
    assert kept[:, -5:].min() > 0.99
    assert kept[:, :5].max() < 0.01


def test_a_sky_mask_counts_where_the_sky_is_not_looked_for(scene: Scene) -> None:
    model = DepthModel(scene.network, None, None, "", None, None, (), "cpu", torch.float32)
    photo, mask = Photo(np.full((42, 56, 3), 90, np.uint8)), np.ones((42, 56), np.float32)
    for sky in ("auto", "off"):
        assert prepare(model, photo, DepthOptions(sky=sky), mask).scene.kept_mask.min() > 0.99
    assert prepare(model, photo, DepthOptions(sky="off")).scene.kept_mask.max() == 0


@pytest.mark.parametrize(
    ("photo", "longer", "size"),
    [
        ((3000, 4000), 518, (392, 518)),
        ((518, 518), 518, (518, 518)),
        ((1, 1), 518, (14, 14)),
        ((100, 40), 518, (98, 42)),
        ((9000, 90), 518, (518, 14)),
        ((600, 800), 280, (210, 280)),
        ((1000, 800), 500, (504, 406)),
    ],
)
def test_sizes(photo: tuple[int, int], longer: int, size: tuple[int, int]) -> None:
    assert network_size(*photo, longer) == size
