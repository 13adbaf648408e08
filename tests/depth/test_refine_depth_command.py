"""refine-depth through the real command line, on tiny real networks in the layout of the Hub's repositories."""

import io
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import OpenEXR
import pytest
import tifffile
from command_line import build_once
from forked import Forked
from PIL import Image
from retouching import paint

from relight_cli.checkpoints import depth_files, manifest
from relight_cli.checkpoints.geometry import geometry_sha256
from relight_cli.cli import main
from relight_cli.depth import run
from relight_cli.depth.depth_maps import MapScale, encode_map, recorded_recipe
from relight_cli.depth.finished_runs import FinishedRuns
from relight_cli.errors import OutputUnwritableError
from relight_cli.photos import atomic_files
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

Refine = Callable[..., "Done"]
FAST = ("--ensemble", "2", "--steps", "2")


@dataclass
class Done:
    """The result of a command line."""

    code: int
    out: str
    err: str


@pytest.fixture
def refine(tiny_parts: Path, scene: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refine:
    """Runs the command line in the scene's folder, in this process, since the libraries take seconds to load."""
    monkeypatch.setattr(manifest, "_PLACES", (tiny_parts / "manifest.toml",))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(scene / ".hf"))
    monkeypatch.chdir(scene)
    build_once(monkeypatch)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def refine(*arguments: str | Path, weights: Path = tiny_parts) -> Done:
        command = ["relight-cli", "refine-depth", *map(str, arguments), "--weights-dir", str(weights), "--offline"]
        monkeypatch.setattr(sys, "argv", command)
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        for number, handler in before.items():
            signal.signal(number, handler)
        return Done(int(stop.value.code or 0), *capfd.readouterr())

    return refine


def made(folder: Path) -> set[str]:
    return {p.name for p in folder.rglob("*") if p.is_file() and ".hf" not in p.parts} - {"photo.png", "reference.png"}


def disparity(path: Path) -> np.ndarray:
    """Return the disparity of a 16-bit PNG, scaled as its texts say."""
    with Image.open(path) as image:
        low, spread = re.fullmatch(r"disparity = (\S+) \+ sample / 65535 \* (\S+)", image.text["Description"]).groups()
        return float(low) + np.asarray(image, np.float64) / 65535 * float(spread)


def test_one_photo(refine: Refine, scene: Path) -> None:
    done = refine("photo.png", *FAST, "--report", "r.jsonl")
    assert (done.code, done.out) == (0, "")
    assert re.fullmatch(r"photo\.png: 2 runs of 2 steps, 1 at a time, on cpu \(\w+\): about .*GB\.\n", done.err)
    assert made(scene) == {"photo_depth.png", "r.jsonl"}
    found, record = disparity(scene / "photo_depth.png"), json.loads((scene / "r.jsonl").read_text())
    assert found.shape == (120, 160)
    assert found.std() > 0.01
    assert (found.min(), found.max()) == pytest.approx((record["low"], record["high"]), abs=1e-6)
    assert (record["runs"], record["steps"], record["prompt"]) == (2, 2, "a photo")
    assert "Depth-Anything-V2-Small" in record["model"]
    assert len(record["sha256"]) == 64
    assert not list(scene.glob(".*.runs"))


def test_the_same_seed_gives_the_same_bytes_and_quiet_is_quiet(refine: Refine, scene: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = refine("photo.png", *FAST, "--seed", seed, "-o", f"{name}.png", "-q")
        assert (done.code, done.out, done.err) == (0, "", "")
    a, b, c = ((scene / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_every_format_contains_the_same_disparity(refine: Refine, scene: Path) -> None:
    for kind in ("png", "tif", "exr", "npz"):
        assert refine("photo.png", *FAST, "-q", "-o", f"d.{kind}").code == 0
    with np.load(scene / "d.npz") as file:
        exact = file["disparity"]
    assert exact.dtype == np.float32
    assert (tifffile.imread(scene / "d.tif") == exact).all()
    assert (OpenEXR.File(str(scene / "d.exr")).channels()["Y"].pixels == exact).all()
    assert np.abs(disparity(scene / "d.png") - exact).max() < 1e-4 * np.ptp(exact)


def test_extra_files(refine: Refine, scene: Path) -> None:
    wanted = ("--normals", "--uncertainty", "--initial", "--preview", "--plot", "--point-cloud", "p.ply", "--fov", 60)
    assert refine("photo.png", *FAST, "-q", "-o", "d.npz", *wanted).code == 0
    assert made(scene) == {
        "d.npz",
        "d_normals.npz",
        "d_uncertainty.npz",
        "d_initial.npz",
        "d_preview.png",
        "d_plot.png",
        "p.ply",
    }
    maps = {name: np.load(scene / f"d_{name}.npz") for name in ("normals", "uncertainty", "initial")}
    normals = maps["normals"]["normals"]
    assert normals.shape == (120, 160, 3)
    assert np.abs(np.linalg.norm(normals, axis=2) - 1).max() < 1e-4
    assert (normals[..., 2] > 0).mean() > 0.99
    refined, first = np.load(scene / "d.npz")["disparity"], maps["initial"]["disparity"]
    assert 0 < np.abs(refined - first).max() < 0.5 * np.ptp(first)
    assert maps["uncertainty"]["uncertainty"].max() > 0
    with Image.open(scene / "d_preview.png") as preview:
        assert (preview.mode, preview.size) == ("RGB", (160, 120))
    header, _, body = (scene / "p.ply").read_bytes().partition(b"end_header\n")
    count = int(re.search(rb"element vertex (\d+)", header)[1])
    points = np.frombuffer(body, [("p", "<f4", 3), ("c", "u1", 3)])
    assert len(points) == count > 0.9 * 120 * 160
    assert (points["p"][:, 2] < 0).all()
    assert np.abs(points["p"][:, 0] / points["p"][:, 2]).max() == pytest.approx(np.tan(np.pi / 6), rel=0.02)
    assert refine("photo.png", *FAST, "-q", "-o", "e.png", "--normals", "--uncertainty").code == 0
    assert cv2.imread(str(scene / "e_normals.png"), cv2.IMREAD_UNCHANGED).dtype == np.uint16
    with Image.open(scene / "e_uncertainty.png") as image:
        assert image.text["Quantity"] == "uncertainty"


def test_a_folder_with_a_broken_file_twice(refine: Refine, scene: Path) -> None:
    folder = scene / "in"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.png").write_bytes((scene / "photo.png").read_bytes())
    (folder / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    done = refine("in", *FAST, "--normals", "--preview", "--report", "r.jsonl")
    assert done.code == 23
    assert "c.png" in done.err
    outputs = {f"{n}_depth{more}.png" for n in "ab" for more in ("", "_normals", "_preview")}
    assert made(folder) == {"a.png", "b.png", "c.png"} | outputs
    again = refine("in", *FAST, "--skip-existing", "--report", "r.jsonl")
    assert "and 5 more photos: left out" in again.err
    assert made(folder) == {"a.png", "b.png", "c.png"} | outputs
    statuses = [json.loads(line)["status"] for line in (scene / "r.jsonl").read_text().splitlines()]
    assert statuses == ["done", "done", "failed", "skipped", "skipped", "failed"]
    assert refine("in/[ab].png", *FAST, "-q", "-o", "out", "--format", "tif").code == 0
    assert made(scene / "out") == {"a_depth.tif", "b_depth.tif"}


@pytest.mark.parametrize("kind", ["png", "tif", "exr", "npz"])
def test_skip_existing_knows_the_settings(refine: Refine, scene: Path, kind: str) -> None:
    def status(*arguments: object) -> str:
        asked = ("photo.png", "--ensemble", 1, "--format", kind, "-q", "--skip-existing", "--report", "r.jsonl")
        assert refine(*asked, "--normals", *arguments).code == 0
        return json.loads((scene / "r.jsonl").read_text().splitlines()[-1])["status"]

    assert [status("--steps", 1), status("--steps", 1, "--run-batch", 1)] == ["done", "skipped"]
    assert [status("--steps", 2), status("--steps", 2)] == ["done", "skipped"]
    write_photo(Photo(np.full((40, 50, 3), 99, np.uint8)), scene / "photo.png", overwrite=True)
    assert status("--steps", 2, "--preview") == "done"
    assert status("--steps", 2, "--preview") == "skipped"


@pytest.mark.parametrize("painted", ["photo_depth.png", "photo_depth_normals.png", "photo_depth_preview.png"])
def test_painted_maps_stay(refine: Refine, scene: Path, painted: str) -> None:
    asked = ("photo.png", "--ensemble", 1, "--normals", "--preview", "--skip-existing", "--steps")
    assert refine(*asked, 1, "-q").code == 0
    assert refine(*asked, 2, "-q").code == 0  # another recipe
    files = sorted(scene.glob("photo_depth*"))
    paint(scene / painted)
    before = [path.read_bytes() for path in files]
    done = refine(*asked, 1)
    assert done.code == 0
    assert "not as relight-cli wrote it" in done.err
    assert [path.read_bytes() for path in files] == before
    assert refine(*asked[:-2], "--overwrite", "--steps", 1, "-q").code == 0
    assert not set(before) & {path.read_bytes() for path in files}


@pytest.mark.parametrize("kind", ["npz", "exr", "tif"])
def test_changed_maps_stay(refine: Refine, scene: Path, kind: str) -> None:
    asked = ("photo.png", "--ensemble", 1, "--format", kind, "--skip-existing", "--steps")
    assert refine(*asked, 1, "-q").code == 0
    path, other = scene / f"photo_depth.{kind}", scene / f"other.{kind}"
    record = recorded_recipe(path)
    other.write_bytes(encode_map(np.ones((9, 9), np.float32), f".{kind}", MapScale("disparity", 0.0, 1.0, "x", record)))
    if kind == "npz":  # a program that keeps the record
        with np.load(path) as file:
            np.savez_compressed(other, disparity=2 * file["disparity"], made=file["made"])
    changed = other.read_bytes()
    path.write_bytes(changed)
    assert recorded_recipe(path) == record
    done = refine(*asked, 2)
    assert (done.code, path.read_bytes() == changed) == (0, True), done.err
    assert "not as relight-cli wrote it" in done.err


def test_batches_early_stop_fast_caption_and_models(refine: Refine, scene: Path) -> None:
    def record(*arguments: object) -> dict:
        done = refine("photo.png", "--steps", 1, "-o", "d.png", "--overwrite", "--report", "r.jsonl", *arguments)
        assert done.code == 0, done.err
        return json.loads((scene / "r.jsonl").read_text().splitlines()[-1]) | {"said": done.err}

    assert record("--ensemble", 3, "--run-batch", 2)["run_batch"] == 2
    assert record("--ensemble", 5, "--early-stop", 100)["runs"] == 3
    assert "taesd" in record("--ensemble", 1, "--fast")["options"]["sources"]
    assert record("--ensemble", 1, "--caption")["prompt"] not in ("", "a photo")
    base = record("--ensemble", 1, "--depth-model", "base")
    assert "CC-BY-NC-4.0" in base["said"]
    assert base["model"] == "Depth-Anything-V2-Base-hf"


def test_the_initial_disparity_stays_inside_the_sky_mask(refine: Refine, scene: Path) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[:30] = 255
    Image.fromarray(mask).save(scene / "sky.png")
    common = ("photo.png", "--ensemble", 1, "--steps", 5, "-q", "--initial")
    for name, sky in (("kept", "sky.png"), ("free", "off")):
        assert refine(*common, "--sky", sky, "-o", f"{name}.npz").code == 0
    moved = {}
    for name in ("kept", "free"):
        found, first = (np.load(scene / f"{name}{more}.npz")["disparity"] for more in ("", "_initial"))
        moved[name] = np.abs(found - first)
    assert moved["kept"][:45].max() < 1e-5 < moved["free"][:45].max()
    assert moved["kept"][80:].max() > 1e-4
    Image.fromarray(mask[:50]).save(scene / "sky.png")
    done = refine(*common, "--sky", "sky.png", "-o", "odd.npz")
    assert done.code == 2
    assert "sky.png is 80 x 50 pixels and the photo 160 x 120" in done.err


def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(refine: Refine, tiny_parts: Path, scene: Path) -> None:
    options = ("--ensemble", "4", "--steps", "12", "--dtype", "float32")
    assert refine("photo.png", *options, "-q", "-o", "whole.png").code == 0
    script = Path(__file__).parents[1] / "fixtures" / "with_manifest.py"
    arguments = ("photo.png", *options, "-o", "cut.png", "--weights-dir", tiny_parts, "--offline")
    words = (tiny_parts / "manifest.toml", "refine-depth", *arguments)
    process = Forked(script.read_text(), words, cwd=scene)
    kept = scene / ".cut.png.runs"
    deadline = time.monotonic() + 60
    while not (kept / "run-0001.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert "finished and kept; --resume" in said
    assert not (scene / "cut.png").exists()
    finished = {path: path.stat().st_mtime_ns for path in kept.glob("run-*.npz")}
    assert 2 <= len(finished) < 4
    refused = refine("photo.png", *options, "-o", "cut.png")
    assert refused.code == 5
    assert "--resume" in refused.err
    other = refine("photo.png", *options, "--steps", 13, "-o", "cut.png", "--resume")
    assert other.code == 2
    assert "steps" in other.err
    assert {path: path.stat().st_mtime_ns for path in kept.glob("run-*.npz")} == finished
    assert refine("photo.png", *options, "-q", "-o", "cut.png", "--resume").code == 0
    assert (scene / "cut.png").read_bytes() == (scene / "whole.png").read_bytes()
    assert not kept.exists()


def test_finished_runs_that_could_not_be_written_are_not_computed_again(
    refine: Refine, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OutputUnwritableError("d.png: No space left on device; make room.")

    asked = ("photo.png", *FAST, "-o", "d.png", "--report", "r.jsonl")
    with monkeypatch.context() as patched:
        patched.setattr(run, "write_outputs", full)
        assert refine(*asked).code == 5
    done = refine(*asked, "--resume")
    assert (done.code, done.err) == (0, "")  # no run is left, so no time is estimated
    assert json.loads((scene / "r.jsonl").read_text().splitlines()[-1])["runs"] == 2
    assert refine("photo.png", *FAST, "-o", "e.png", "-q").code == 0
    assert (disparity(scene / "d.png") == disparity(scene / "e.png")).all()


def test_a_full_disk_leaves_no_folder_of_runs(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OutputUnwritableError("settings.json: No space left on device; make room.")

    monkeypatch.setattr(atomic_files, "write_atomically", full)
    runs = FinishedRuns(scene / "d.png")
    with pytest.raises(OutputUnwritableError):
        runs.open({}, resume=False)
    assert not runs.folder.exists()


def test_runs_of_another_network_are_not_resumed(refine: Refine, scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OutputUnwritableError("d.png: No space left on device; make room.")

    asked = ("photo.png", "--depth-model", "tiny", "--steps", 1, "--ensemble", 1, "-o", "d.png", "-q")
    with monkeypatch.context() as patched:
        patched.setattr(run, "write_outputs", full)
        assert refine(*asked).code == 5
    monkeypatch.setattr(depth_files, "geometry_sha256", lambda: "0" * 64)
    done = refine(*asked, "--resume")
    assert (done.code, "another model" in done.err) == (2, True)


def test_an_exr_lies_in_the_window_of_its_photo(refine: Refine, scene: Path) -> None:
    windows = {"dataWindow": ((10, 20), (57, 51)), "displayWindow": ((0, 0), (99, 79))}
    corners = {name: tuple(np.array(corner, np.int32) for corner in pair) for name, pair in windows.items()}
    light = {"RGB": np.random.default_rng(0).random((32, 48, 3), np.float32)}
    OpenEXR.File({"type": OpenEXR.scanlineimage, **corners}, light).write(str(scene / "a.exr"))
    asked = ("a.exr", "--depth-model", "tiny", "--steps", 0, "-o", "d.exr", "--normals")
    assert refine(*asked, weights=scene).code == 0
    for name in ("d.exr", "d_normals.exr"):
        header = OpenEXR.File(str(scene / name)).header()
        assert {key: tuple(tuple(corner) for corner in header[key]) for key in windows} == windows


def test_the_embedded_network_needs_no_download_where_nothing_is_refined(
    refine: Refine, scene: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    asked = ("photo.png", "--depth-model", "tiny", "-o", "d.npz", "--initial", "--normals")
    done = refine(*asked, "--steps", 0, "--report", "r.jsonl", weights=tmp_path / "empty")
    assert (done.code, done.out, done.err) == (0, "", "")
    found = np.load(scene / "d.npz")["disparity"]
    assert (found == np.load(scene / "d_initial.npz")["disparity"]).all()
    assert found.shape == (120, 160)
    assert found.min() > 0
    record = json.loads((scene / "r.jsonl").read_text())
    assert (record["runs"], record["steps"], record["prompt"], record["held_share"]) == (1, 0, None, 1.0)
    assert record["sha256"] == geometry_sha256()
    before = (scene / "d.npz").stat().st_mtime_ns
    assert refine(*asked, "--steps", 0, "--skip-existing", weights=tmp_path / "empty").code == 0
    assert (scene / "d.npz").stat().st_mtime_ns == before
    done = refine(*asked[:3], weights=tmp_path / "empty")  # which needs Stable Diffusion
    assert done.code == 6
    assert "unet/" in done.err
    assert "--steps 0 gives a depth without refinement" in done.err
    assert "Depth-Anything" not in done.err


def test_the_embedded_network_is_refined_too(refine: Refine, scene: Path) -> None:
    for name, ensemble in (("a", 2), ("b", 2), ("c", 1)):
        done = refine(
            "photo.png", "--depth-model", "tiny", "--steps", 2, "--ensemble", ensemble, "-o", f"{name}.npz", "--initial"
        )
        assert done.code == 0, done.err
    first, *refined = (np.load(scene / f"{name}.npz")["disparity"] for name in ("a_initial", "a", "b", "c"))
    assert (refined[0] == refined[1]).all()
    assert (refined[0] != refined[2]).any()
    assert 0 < np.abs(refined[0] - first).max() < 0.5 * np.ptp(first)


def test_without_steps_only_the_depth_network_is_loaded(
    refine: Refine, scene: Path, tiny_parts: Path, tmp_path: Path
) -> None:
    (tmp_path / "Depth-Anything-V2-Small-hf").symlink_to(tiny_parts / "Depth-Anything-V2-Small-hf")
    done = refine("photo.png", "--steps", 0, "--report", "r.jsonl", weights=tmp_path)
    assert (done.code, done.err) == (0, "")
    sources = json.loads((scene / "r.jsonl").read_text())["options"]["sources"]
    assert sources.startswith("depth-anything/")
    assert "," not in sources
    assert refine("photo.png", "--steps", 1, "--ensemble", 1, "-o", "b.png", "--initial").code == 0
    assert (disparity(scene / "photo_depth.png") == disparity(scene / "b_initial.png")).all()
    assert "about" in refine("photo.png", "--steps", 0, "-o", "c.png", "--dry-run", weights=tmp_path).out


def test_missing_weights_are_listed(refine: Refine, scene: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = refine("photo.png", "--depth-model", "base", "--fast", weights=tmp_path / "empty")
    assert done.code == 6
    assert done.err.count("\n") == 1
    for word in (
        "not on this machine, which is offline; run",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "CreativeML OpenRAIL-M",
        "CC-BY-NC-4.0",
        " MB",
        "weights fetch Depth-Anything-V2-Base-hf refine-depth taesd",
    ):
        assert word in done.err
    assert "vae/" not in done.err
    assert made(scene) == set()


def test_a_damaged_file_is_refused(refine: Refine, scene: Path, tiny_parts: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    for part in tiny_parts.iterdir():
        (weights / part.name).symlink_to(part)
    depth = weights / "Depth-Anything-V2-Small-hf"
    depth.unlink()
    depth.mkdir()
    for file in (tiny_parts / depth.name).iterdir():
        (depth / file.name).write_bytes(file.read_bytes())
    damaged = bytearray((depth / "model.safetensors").read_bytes())
    damaged[-1] ^= 1
    (depth / "model.safetensors").write_bytes(damaged)
    done = refine("photo.png", *FAST, weights=weights)
    assert done.code == 6
    assert "sha256" in done.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["photo.png", "--run-batch", "0"], 2),
        (["photo.png", "--run-batch", "many"], 2),
        (["photo.png", "--ensemble", "0"], 2),
        (["photo.png", "--steps", "-1"], 2),
        (["photo.png", "--steps", "0", "--uncertainty"], 2),
        (["photo.png", "--ensemble", "1", "--plot"], 2),
        (["photo.png", "--steps", "0", "--fast"], 2),
        (["photo.png", "--steps", "0", "--caption"], 2),
        (["photo.png", "--steps", "0", "--prompt", "x"], 2),
        (["photo.png", "--steps", "0", "--ensemble", "3"], 2),
        (["photo.png", "--steps", "0", "--seed", "3"], 2),
        (["photo.png", "--steps", "0", "--early-stop", "0.1"], 2),
        (["photo.png", "--steps", "0", "--run-batch", "2"], 2),
        (["photo.png", "--steps", "0", "--sky", "off"], 2),
        (["photo.png", "--steps", "0", "--depth-model", "tiny", "--sky", "reference.png"], 2),
        (["photo.png", "--steps", "0", "--resume"], 2),
        (["photo.png", "--resume", "--overwrite"], 2),
        (["photo.png", "--point-cloud", "p.ply"], 2),
        (["photo.png", "--fov", "60"], 2),
        (["photo.png", "--point-cloud", "p.obj", "--fov", "60"], 2),
        (["photo.png", "reference.png", "--point-cloud", "p.ply", "--fov", "60"], 2),
        (["photo.png", "reference.png", "--sky", "reference.png"], 2),
        (["photo.png", "--normals", "-o", "-"], 2),
        (["photo.png", "-o", "depth.jpg"], 2),
        (["photo.png", "-o", "reference.png", "--overwrite", "--sky", "reference.png"], 2),
        (["photo.png", "--sky", "gone.png"], 4),
        (["-", "--sky", "-"], 2),
        (["gone.png"], 4),
    ],
)
def test_faults_are_found_before_anything_is_written(
    refine: Refine, scene: Path, arguments: list[str], code: int
) -> None:
    done = refine(*arguments)
    assert done.code == code, done.err
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert made(scene) == set()


def test_a_missing_extra_is_named_before_any_work(refine: Refine, scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    done = refine("photo.png", *FAST, "-o", "d.exr")
    assert done.code == 3
    assert "pip install 'relight-cli[exr]'" in done.err
    assert made(scene) == set()


def test_the_camera_may_come_from_exif(refine: Refine, scene: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 35  # FocalLengthIn35mmFilm
    with Image.open(scene / "photo.png") as image:
        image.save(scene / "shot.jpg", exif=exif)
    assert refine("shot.jpg", "--ensemble", 1, "--steps", 1, "-q", "--point-cloud", "p.ply").code == 0
    points = np.frombuffer((scene / "p.ply").read_bytes().partition(b"end_header\n")[2], [("p", "<f4", 3), ("c", "V3")])
    half_view = np.abs(points["p"][:, 0] / points["p"][:, 2]).max()
    assert half_view == pytest.approx(160 / 200 * 43.27 / 35 / 2, rel=0.02)


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (37, 20)])
def test_odd_sizes_and_modes(refine: Refine, scene: Path, size: tuple[int, int]) -> None:
    Image.new("LA", size, (90, 200)).save(scene / "odd.png")
    assert refine("odd.png", "--ensemble", 1, "--steps", 1, "--normals", "-q", "--overwrite").code == 0
    with Image.open(scene / "odd_depth.png") as image:
        assert image.size == size


def test_standard_streams(refine: Refine, scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refine("photo.png", *FAST, "-q").code == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((scene / "photo.png").read_bytes())))
    kept = os.dup(1)
    with (scene / "wire").open("wb") as wire:
        os.dup2(wire.fileno(), 1)
        try:
            done = refine("-", *FAST, "-q")
        finally:
            os.dup2(kept, 1)
            os.close(kept)
    assert (done.code, done.err) == (0, "")
    assert (disparity(scene / "wire") == disparity(scene / "photo_depth.png")).all()


def test_stdout_has_the_format_that_is_asked_for(refine: Refine, scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    stream = SimpleNamespace(write=written.append, flush=lambda: None)
    monkeypatch.setattr("relight_cli.depth.outputs.stdout_stream", lambda: stream)
    tiny = ("photo.png", "--depth-model", "tiny", "--steps", "0", "-o")
    assert refine(*tiny, "d.npz").code == refine(*tiny, "-", "--format", "npz").code == 0
    with np.load(scene / "d.npz") as file, np.load(io.BytesIO(b"".join(written))) as streamed:
        assert (streamed["disparity"] == file["disparity"]).all()
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    assert refine(*tiny, "-", "--format", "exr").code == 3


def test_a_missing_point_cloud_is_made_again(refine: Refine, scene: Path) -> None:
    words = ("photo.png", "--depth-model", "tiny", "--steps", "0", "--fov", "60", "--point-cloud", "new/p.ply")
    assert refine(*words).code == 0
    points = (scene / "new" / "p.ply").read_bytes()
    assert "p.ply exists" in refine(*words, "-o", "d.png").err
    (scene / "new" / "p.ply").unlink()
    assert refine(*words, "--skip-existing").code == 0
    assert (scene / "new" / "p.ply").read_bytes() == points
    assert "skip     photo.png" in refine(*words, "--skip-existing", "-n").out


def test_a_dry_run_measures_two_steps_and_writes_nothing(refine: Refine, scene: Path) -> None:
    done = refine("photo.png", "reference.png", *FAST, "--preview", "--dry-run", "--report", "new/r.jsonl")
    assert done.code == 0, done.err
    assert made(scene) == set()
    lines = [(line[:8].strip(), line[9:]) for line in done.out.splitlines()]
    assert lines[:3] == [
        ("make", "photo.png -> photo_depth.png, photo_depth_preview.png"),
        ("make", "reference.png -> reference_depth.png, reference_depth_preview.png"),
        ("write", "new/r.jsonl"),
    ]
    assert {"model", "time", "memory"} <= dict(lines).keys()
    assert dict(lines)["time"].endswith("(timed: a step)")


def test_the_sky_is_infinitely_far_for_the_embedded_network(refine: Refine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    gravel = np.random.default_rng(0).uniform(0.2, 0.6, (48, 144, 1)) * np.array((1, 0.8, 0.5))
    sky = np.linspace((0.45, 0.65, 0.9), (0.75, 0.85, 0.95), 48)[:, None] + np.zeros((1, 144, 1))
    picture = (np.concatenate((sky, gravel)) * 255).astype(np.uint8)
    write_photo(Photo(picture), tmp_path / "hill.png")
    asked = ("hill.png", "--depth-model", "tiny", "--steps", 0)
    for name, more in (("auto", ()), ("off", ("--sky", "off"))):
        done = refine(*asked, *more, "-o", f"{name}.npz", weights=tmp_path / "empty")
        assert done.code == 0, done.err
    found, own = (np.load(tmp_path / f"{name}.npz")["disparity"] for name in ("auto", "off"))
    assert (found[:40] == 0).mean() > 0.95
    assert found[56:].min() > 0
    assert own.min() > 0
