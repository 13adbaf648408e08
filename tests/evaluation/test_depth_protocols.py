"""Every protocol of depth on a tiny data set in its layout, and the studies on tiny networks."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Command
from made_sets import grey, scores
from PIL import Image

from relight_cli.checkpoints import manifest
from relight_cli.checkpoints.depth import load_depth_network
from relight_cli.depth.refinement import RunBatch, Targets, encode_scene
from relight_cli.photos.photo import Photo

NEAR, FAR, SIZE = 1.0, 3.0, (16, 8)
BY_ONE = {  # of a constant disparity: the depth becomes 2 everywhere
    "abs_rel": (1 + 1 / 3) / 2,
    "rmse": 1.0,
    "a1": 0.0,
    "a2": 0.5,  # 1.5 is below 1.25 ** 2
    "silog": 100 * math.log(3) / 2,
}


def write_depth(path: Path, unit: float) -> None:
    """Write integers of two depths, and a row without."""
    depth = np.full(SIZE[::-1], NEAR)
    depth[:, SIZE[0] // 2 :] = FAR
    depth[0] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(depth / unit).astype(np.uint16)).save(path)


def kitti(folder: Path) -> str:
    name = "2011_drive_{}_0000000005_image_02.png"
    grey(folder / "val" / "image" / name.format("image"), 90, 120, SIZE)
    write_depth(folder / "val" / "groundtruth_depth" / name.format("groundtruth_depth"), 1 / 256)
    return name.format("image")


def nyu(folder: Path) -> str:
    grey(folder / "kitchen" / "rgb_0001.png", 90, 120, SIZE)
    write_depth(folder / "kitchen" / "depth_0001.png", 1 / 1000)
    return "rgb_0001.png"


def eth3d(folder: Path) -> str:
    grey(folder / "pipes" / "images" / "dslr_images" / "DSC_1.JPG", 90, 120, SIZE)
    depth = np.full(SIZE[::-1], NEAR, "<f4")
    depth[:, SIZE[0] // 2 :], depth[0] = FAR, np.inf
    path = folder / "pipes" / "ground_truth_depth" / "dslr_images" / "DSC_1.JPG"
    path.parent.mkdir(parents=True)
    path.write_bytes(depth.tobytes())
    return "DSC_1.JPG"


def co3d(folder: Path) -> str:
    place = folder / "bench" / "12_34"
    grey(place / "images" / "frame000001.jpg", 90, 120, SIZE)
    depth = np.full(SIZE[::-1], NEAR, np.float16)
    depth[:, SIZE[0] // 2 :], depth[0], depth[1] = FAR, 0, 50
    mask = np.full(SIZE[::-1], 255, np.uint8)
    mask[1] = 0
    for name, samples in (
        ("depths/frame000001.jpg.geometric", depth.view(np.uint16)),
        ("depth_masks/frame000001", mask),
    ):
        (place / name).parent.mkdir()
        Image.fromarray(samples).save(place / f"{name}.png")
    return "frame000001.jpg"


@pytest.mark.parametrize("layout", [kitti, nyu, eth3d, co3d])
def test_depth_in_each_layout(command: Command, tmp_path: Path, layout: object) -> None:
    stem = Path(layout(tmp_path / "set")).stem  # type: ignore[operator]
    (tmp_path / "flat").mkdir()
    np.savez(tmp_path / "flat" / f"{stem}_depth.npz", disparity=np.full((4, 8), 7, np.float32))
    done = command("evaluate", "depth", "set", "--results", "flat", "--json", "--resamples", 0)
    assert done.code == 0, done.err
    assert f'"protocol": "{layout.__name__}"'.encode() in done.out  # type: ignore[attr-defined]
    found = scores(done.out, "flat")
    assert {name: found[name] for name in BY_ONE} == pytest.approx(BY_ONE, rel=1e-4)


@pytest.mark.parametrize(
    ("depth", "told"),
    [
        (np.full(SIZE[::-1], 9, np.uint8), "is not grey with 16 bits"),
        (np.full((*SIZE[::-1], 3), 9, np.uint8), "is not grey with 16 bits"),
        (np.full(SIZE, 900, np.uint16), "16 x 8 and 8 x 16 pixels"),
    ],
)
def test_what_is_no_depth_of_its_photo_fails(command: Command, tmp_path: Path, depth: np.ndarray, told: str) -> None:
    stem = Path(nyu(tmp_path / "set")).stem
    Image.fromarray(depth).save(tmp_path / "set" / "kitchen" / "depth_0001.png")
    np.savez(tmp_path / f"{stem}.npz", disparity=np.ones((4, 8), np.float32))
    done = command("evaluate", "depth", "set", "--results", ".")
    assert (done.code, done.out) == (23, b"")
    assert told in done.lines[0]


def test_scale_and_shift_do_not_count(command: Command, tmp_path: Path) -> None:
    stem = Path(nyu(tmp_path / "set")).stem
    (tmp_path / "right").mkdir()
    disparity = np.full(SIZE[::-1], 5 / NEAR + 2, np.float32)
    disparity[:, SIZE[0] // 2 :] = 5 / FAR + 2
    np.savez(tmp_path / "right" / f"{stem}.npz", disparity=disparity)
    done = command("evaluate", "depth", "set", "--results", "right", "--json")
    found = scores(done.out, "right")
    assert [found["abs_rel"], found["silog"], found["a1"]] == pytest.approx([0, 0, 1], abs=1e-4)


@pytest.fixture
def street(tiny_parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A street of KITTI, and the words that refine its depth with tiny networks."""
    rng = np.random.default_rng(3)
    name = "2011_drive_{}_0000000005_image_02.png"
    (tmp_path / "set" / "image").mkdir(parents=True)
    picture = rng.integers(0, 256, (42, 56, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "set" / "image" / name.format("image"))
    depth = (rng.uniform(5, 40, (42, 56)) * 256).astype(np.uint16)
    (tmp_path / "set" / "groundtruth_depth").mkdir()
    Image.fromarray(depth).save(tmp_path / "set" / "groundtruth_depth" / name.format("groundtruth_depth"))
    monkeypatch.setattr(manifest, "_PLACES", (tiny_parts / "manifest.toml",))
    return ["evaluate", "depth", tmp_path / "set", "--weights-dir", tiny_parts, "--offline", "--steps", 2, "--json"]


def test_a_study_is_resumed_and_plotted(command: Command, street: list[object], tmp_path: Path) -> None:
    words = [*street, "--study", "targets", "--ensemble", 2, "--runs-dir", "runs", "--plot", "curve.png"]
    done = command(*words)
    assert done.code == 0, done.err
    rows = {row["method"]: row for row in json.loads(done.out)["tables"][0]["rows"]}
    variants = ["W", "theta", "W and theta", "all weights"]
    names = ["not refined", *(f"{name}, N = {runs}" for name in variants for runs in (1, 2))]
    assert [name for name in rows if not rows[name]["published"]] == names
    silog = {name: rows[name]["scores"]["silog"]["mean"] for name in names}
    assert len(set(silog.values())) == len(names)  # no variant is another one
    with Image.open(tmp_path / "curve.png") as plot:
        assert plot.size == (1200, 560)
        assert len(plot.convert("RGB").getcolors(100000)) > 50
    files = sorted((tmp_path / "runs").rglob("run-*.npz"))
    assert len(files) == 8
    files[3].unlink()
    kept = {path: path.stat().st_mtime_ns for path in files if path.exists()}
    again = command(*words, "--overwrite")
    assert again.out == done.out
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert files[3].exists()


def test_the_random_prior_is_another_one(command: Command, street: list[object]) -> None:
    street = [*street, "--max-side", 28]
    done = command(*street, "--study", "prior", "--ensemble", 1)
    assert done.code == 0, done.err
    found = [scores(done.out, f"{name} prior, N = 1")["silog"] for name in ("published", "random")]
    assert found[0] != found[1]
    before = scores(done.out, "not refined")["silog"]
    refined = command(*street, "--ensemble", 1)
    assert scores(refined.out, "Depth-Anything-V2-Small-hf, refined")["silog"] == found[0]
    assert scores(refined.out, "Depth-Anything-V2-Small-hf")["silog"] == before
    larger = command(*street[:-5], "--steps", 0, "--json")  # the network alone sees a copy of --max-side too
    assert scores(larger.out, "Depth-Anything-V2-Small-hf")["silog"] != before


@pytest.mark.parametrize("targets", Targets)
def test_only_the_targets_are_optimised(tiny_parts: Path, targets: Targets) -> None:
    network = load_depth_network(tiny_parts / "Depth-Anything-V2-Small-hf", device="cpu")
    picture = Photo(np.random.default_rng(0).integers(0, 256, (42, 42, 3), np.uint8)).to_srgb()
    batch = RunBatch(encode_scene(network, picture, "cpu"), 1, targets)
    parts = {
        "features": list(batch.features),
        "decoder": list(batch.decoders.parameters()),
        "encoder": [p for copy in batch.networks for p in copy.encoder.parameters()],
    }
    before = {name: [value.detach().clone() for value in values] for name, values in parts.items()}
    optimiser = batch.optimiser()
    batch.disparity().square().mean().backward()
    optimiser.step()
    moved = {
        name
        for name, values in parts.items()
        if any(not torch.equal(a, b) for a, b in zip(values, before[name], strict=True))
    }
    expected = {"features": {"features"}, "decoder": {"decoder"}, "both": {"features", "decoder"}}
    assert moved == expected.get(targets, {"decoder", "encoder"})
    assert all(p.grad is None for p in network.decoder.parameters())


def test_studies_refuse_what_they_exclude(command: Command, tmp_path: Path) -> None:
    kitti(tmp_path / "set")
    for words in (
        ["--study", "x"],
        ["--study", "prior", "--steps", "0"],
        ["--plot", "a.png"],
        ["--protocol", "mit"],
        ["--ensemble", "3"],
        ["--fast", "--depth-model", "tiny"],
        ["--runs-dir", "runs", "--steps", "0"],
    ):
        done = command("evaluate", "depth", "set", *words)
        assert (done.code, len(done.lines)) == (2, 1), done.err


def test_pictures_of_other_protocols_are_noted(command: Command, tmp_path: Path) -> None:
    kitti(tmp_path / "set")
    nyu(tmp_path / "set")
    judged = ("evaluate", "depth", "set", "--depth-model", "tiny")
    done = command(*judged)
    assert done.code == 0, done.err
    assert "set also has pictures for --protocol nyu; here only kitti is used." in done.lines
    assert "protocol" not in command(*judged, "--protocol", "nyu").err
