"""The nodes for ComfyUI in a stand-in of it: contract, example workflows, the Python API's pixels, bad inputs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comfy_standin import PACK, Comfy, Executor, InterruptedByUserError, check_class, start_comfy
from comfy_workflows import API, WORKFLOWS, for_the_editor, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import relight_cli as rl

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in API.glob("*.json"))
TINY = {"model": "tiny", "strength": 1.0}


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """ComfyUI without published weights, its folder of inputs filled with small example pictures."""
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.mktemp("ComfyUI")
        patch.setenv("HF_HOME", str(base / "hub"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        comfy = start_comfy(patch, base)
        for name in ("photo.jpg", "reference.jpg", "yard.jpg", "frames/frame_1.jpg", "frames/frame_2.jpg"):
            with Image.open(ROOT / "examples" / name) as picture:
                picture.resize((96, 64)).save(comfy.inputs / Path(name).name)
        yield comfy


@pytest.fixture
def run(comfy: Comfy) -> Any:
    """Return a function that runs a node as ComfyUI does, with defaults for what is not given."""

    def run(name: str, **inputs: Any) -> tuple:
        kind = comfy.nodes[name]
        values = {
            key: options["default"]
            for key, (_, options) in kind.INPUT_TYPES()["required"].items()
            if "default" in options
        }
        with torch.inference_mode():
            return getattr(kind(), kind.FUNCTION)(
                **(values | {"model": "tiny"} if "model" in values else values) | inputs
            )

    return run


def batch(count: int = 1, height: int = 24, width: int = 40, channels: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(0.05, 1, (count, height, width, channels)).astype("f4"))


def pixels(photo: rl.Photo) -> torch.Tensor:
    return torch.from_numpy(photo.to_array())


def test_nodes_keep_the_contract(comfy: Comfy) -> None:
    ours = {name: kind for name, kind in comfy.nodes.items() if name.startswith("Relight")}
    assert len(ours) == 6
    for kind in ours.values():
        check_class(kind)


@pytest.mark.parametrize("name", NAMES)
def test_example_workflows_run(comfy: Comfy, name: str) -> None:
    graph, executor = read(API / f"{name}.json"), Executor(comfy)
    comfy.saved.clear()
    executor.execute(graph)
    count = 5 if name == "timelapse_between" else 1
    for images in comfy.saved:
        assert (images.shape, images.dtype, images.device.type) == ((count, 64, 96, 3), torch.float32, "cpu")
        assert images.isfinite().all()
        assert images.std() > 0.01
    assert comfy.bars[-1][-1] == comfy.bars[-1][0]
    executor.execute(graph)
    assert executor.ran == []  # nothing has changed


def test_workflows_for_the_editor_are_those_of_the_api(comfy: Comfy) -> None:
    assert sorted(path.stem for path in WORKFLOWS.glob("*.json")) == NAMES
    for name in NAMES:
        made = for_the_editor(read(API / f"{name}.json"), comfy.nodes)
        assert made == read(WORKFLOWS / f"{name}.json"), "run tests/fixtures/comfy_workflows.py"
    used = {node["class_type"] for name in NAMES for node in read(API / f"{name}.json").values()}
    assert used == set(comfy.nodes)  # each node has an example


def test_nodes_give_the_pixels_of_the_python_api(run: Any) -> None:
    images, reference = batch(2), batch(1, 30, 50, seed=2)
    model = rl.load_model("tiny", device="cpu")
    photos = [rl.Photo.from_array(one.numpy()) for one in images]
    light = rl.ReferenceLight(rl.Photo.from_array(reference[0].numpy()))
    aligned = rl.RelightOptions(strength=0.5, reference=rl.ReferenceKind.ALIGNED)
    (relit,) = run("RelightImage", image=images, reference=reference, reference_shows="aligned", strength=0.5)
    mask = torch.zeros(1, 24, 40)
    mask[:, :, :20] = 1
    free, shadow = run("RelightDeshadow", image=images, mask=mask, threshold=0.2)
    surface, shading = run("RelightAlbedo", image=images, fit_shading=False)
    (golden,) = run("RelightLight", preset="golden-hour")
    (lit,) = run("RelightImage", image=images, light=golden, exposure=0.5, rotate=30)
    options, network = rl.DeshadowOptions(threshold=0.2), rl.load_geometry()
    for number, photo in enumerate(photos):
        assert torch.equal(relit[number], pixels(rl.relight(model, photo, light, aligned).photo))
        assert torch.equal(free[number], pixels(rl.deshadow(model, photo, mask[0].numpy(), options).photo))
        found = rl.shadow_mask(model, photo, mask[0].numpy(), options).photo
        assert torch.equal(shadow[number], pixels(found)[..., 0] / torch.tensor(65535.0))
        assert torch.equal(surface[number], pixels(rl.albedo(model, photo).photo))
        put = rl.put_on(
            model,
            photo,
            rl.load_light("golden-hour").turned(30),
            rl.geometry_of_photo(photo, network),
            options=rl.PutOnOptions(exposure=0.5),
        )
        assert torch.equal(lit[number], pixels(put.photo))
    assert torch.equal(free[:, :, 20:], images[:, :, 20:])  # where the mask is 0, to the bit
    linear = [torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) for x in (surface, shading, images)]
    torch.testing.assert_close(linear[0] * linear[1], linear[2], atol=2e-5, rtol=1e-4)


def test_what_does_not_change_is_the_same_tensor(run: Any) -> None:
    images = batch(2) * 3  # values above 1 too
    (light,) = run("RelightLight", source="sun", sun="left,35")
    assert run("RelightImage", image=images, light=light, strength=0)[0] is images
    assert run("RelightDeshadow", image=images, strength=0)[0] is images
    assert run("RelightAlbedo", image=images, strength=0)[0] is images
    assert run("RelightTimelapseBetween", images=images, between=0)[0] is images
    nowhere = torch.zeros(2, 24, 40)
    for name, inputs in (("RelightImage", {"light": light}), ("RelightDeshadow", {}), ("RelightAlbedo", {})):
        assert torch.equal(run(name, image=images, mask=nowhere, **inputs)[0], images)
    between = run("RelightTimelapseBetween", images=images, between=1)[0]
    assert torch.equal(between[::2], images)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3, 4]))
def test_any_size_and_any_channels(run: Any, height: int, width: int, channels: int) -> None:
    images = batch(1, height, width, channels) * 2
    free, shadow = run("RelightDeshadow", image=images)
    assert (free.shape, shadow.shape) == (images.shape, images.shape[:3])
    assert free.isfinite().all()
    assert 0 <= shadow.min() <= shadow.max() <= 1
    if channels == 4:
        assert torch.equal(free[..., 3], images[..., 3])


def test_depth_and_its_normals(run: Any) -> None:
    depth, normals = run("RelightRefineDepth", image=batch(2, 40, 56), depth_model="tiny", steps=0)
    assert depth.shape == normals.shape == (2, 40, 56, 3)
    assert (depth.amin((1, 2, 3)) == 0).all()
    assert (depth.amax((1, 2, 3)) == 1).all()
    torch.testing.assert_close((normals * 2 - 1).norm(dim=3), torch.ones(2, 40, 56))


def test_depth_is_refined_in_inference_mode(run: Any, tiny_parts: Path, comfy: Comfy, monkeypatch: Any) -> None:
    monkeypatch.setattr("relight_cli.checkpoints.manifest._PLACES", (tiny_parts / "manifest.toml",))
    monkeypatch.setattr(comfy, "models", [tiny_parts])
    host = sys.modules[comfy.nodes["RelightRefineDepth"].__module__.rpartition(".")[0] + ".host"]
    model = host.depth_model("small", False, refined=True)  # from the folder of models
    images = batch(1, 40, 56)
    depth, _ = run("RelightRefineDepth", image=images, steps=2, ensemble=1)
    refined = rl.refine_depth(model, rl.Photo.from_array(images[0].numpy()), rl.DepthOptions(steps=2, ensemble=1))
    low, high = refined.disparity.min(), refined.disparity.max()
    np.testing.assert_allclose(depth[0, ..., 0], (refined.disparity - low) / (high - low), atol=1e-4)


def test_lights(run: Any, comfy: Comfy, tmp_path: Path) -> None:
    light = run("RelightLight", source="place and time", facing=225)[0]
    assert "facing 225" in light.origin
    rl.save_light(light, comfy.inputs / "look.toml")
    kind = comfy.nodes["RelightLight"]
    assert "look.toml" in kind.INPUT_TYPES()["required"]["file"][0]
    np.testing.assert_allclose(
        run("RelightLight", source="look", file="look.toml")[0].coefficients, light.coefficients, atol=1e-3
    )
    Image.new("RGB", (64, 32), (200, 100, 50)).save(comfy.inputs / "sky.png")
    assert "sky.png" in run("RelightLight", source="environment map", file="sky.png")[0].origin
    state = kind.IS_CHANGED(source="look", file="look.toml")
    rl.save_light(rl.load_light("overcast"), comfy.inputs / "look.toml", overwrite=True)
    assert kind.IS_CHANGED(source="look", file="look.toml") != state
    assert kind.IS_CHANGED(source="preset", file="look.toml") == kind.IS_CHANGED(source="look", file="gone.toml") == ""


def test_the_interrupt_button_stops_a_batch(run: Any, comfy: Comfy, monkeypatch: Any) -> None:
    monkeypatch.setattr(comfy, "interrupt_at", 0.5)
    for name in ("RelightDeshadow", "RelightAlbedo", "RelightRefineDepth"):
        extra = {"depth_model": "tiny", "steps": 0} if name == "RelightRefineDepth" else {}
        with pytest.raises(InterruptedByUserError):
            run(name, image=batch(4), **extra)
        assert 0.5 <= comfy.bars[-1][-1] / comfy.bars[-1][0] < 1
    with pytest.raises(InterruptedByUserError):
        run("RelightTimelapseBetween", images=batch(3), between=3)


def test_a_trained_file_in_the_folder_of_models_is_a_choice(run: Any, comfy: Comfy) -> None:
    folder = comfy.base / "models" / "relight"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "relight_cli" / "data" / "tiny.safetensors", folder / "mine.safetensors")
    assert "mine.safetensors" in comfy.nodes["RelightAlbedo"].INPUT_TYPES()["required"]["model"][0]
    images = batch()
    mine = run("RelightDeshadow", image=images, model="mine.safetensors")[0]
    assert torch.equal(mine, run("RelightDeshadow", image=images)[0])
    (folder / "mine.safetensors").write_bytes(b"damaged")
    with pytest.raises(rl.ModelUnavailableError):
        run("RelightAlbedo", image=images, model="mine.safetensors")
    shutil.rmtree(folder)


NAN = batch()
NAN[0, 3, 4, 1] = float("nan")
BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("empty batch", "RelightDeshadow", {"image": batch(0)}),
    ("24 x 0", "RelightAlbedo", {"image": torch.zeros(1, 24, 0, 3)}),
    ("1 x 24 x 40 x 2", "RelightAlbedo", {"image": batch(channels=2)}),
    ("24 x 40 x 3", "RelightAlbedo", {"image": batch()[0]}),
    ("image 1 of 1 has values", "RelightAlbedo", {"image": NAN}),
    ("tensor of torch.uint8", "RelightAlbedo", {"image": (batch() * 255).byte()}),
    ("mask is a tensor of 4 axes", "RelightAlbedo", {"image": batch(), "mask": torch.ones(1, 1, 24, 40)}),
    ("mask is 64 x 64 pixels and image 40 x 24", "RelightDeshadow", {"image": batch(), "mask": torch.zeros(1, 64, 64)}),
    ("mask is a batch of 3 and image one of 2", "RelightDeshadow", {"image": batch(2), "mask": torch.zeros(3, 24, 40)}),
    ("mask 1 of 1", "RelightDeshadow", {"image": batch(), "mask": torch.full((1, 24, 40), float("inf"))}),
    ("neither is connected", "RelightImage", {"image": batch()}),
    (
        "both are connected",
        "RelightImage",
        {"image": batch(), "reference": batch(), "light": rl.load_light("overcast")},
    ),
    ("reference is a batch of 3", "RelightImage", {"image": batch(2), "reference": batch(3)}),
    ("reference 2 of 2", "RelightImage", {"image": batch(2), "reference": torch.cat((batch(), NAN))}),
    ("no model 'grand'", "RelightAlbedo", {"image": batch(), "model": "grand"}),
    ("CroCoDiLight", "RelightAlbedo", {"image": batch(), "model": "crocodilight"}),
    ("1 photos", "RelightTimelapseBetween", {"images": batch()}),
    ("deflicker 2", "RelightTimelapseBetween", {"images": batch(2), "deflicker": 2}),
    ("time 'noon'", "RelightLight", {"source": "place and time", "time": "noon"}),
    ("an offset", "RelightLight", {"source": "place and time", "time": "2026-06-21T19:30"}),
    ("not from 'none'", "RelightLight", {"source": "look"}),
    ("not from 'a.toml'", "RelightLight", {"source": "environment map", "file": "a.toml"}),
    ("no such file", "RelightLight", {"source": "look", "file": "gone.toml"}),
    ("upwards", "RelightLight", {"source": "sun", "sun": "upwards"}),
    ("Depth-Anything-V2-Small", "RelightRefineDepth", {"image": batch()}),
]


@pytest.mark.parametrize(("message", "name", "inputs"), BAD, ids=[case[0] for case in BAD])
def test_bad_inputs_are_one_clear_line(run: Any, message: str, name: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(rl.RelightError, match=re.escape(message)) as caught:
        run(name, **inputs)
    assert "\n" not in str(caught.value)


def test_a_device_of_another_kind_is_not_asked_for(run: Any, comfy: Comfy, monkeypatch: Any) -> None:
    monkeypatch.setattr(comfy, "device", torch.device("meta"))  # stands for DirectML, XPU ...
    run("RelightAlbedo", image=batch())
    if not torch.cuda.is_available():
        monkeypatch.setattr(comfy, "device", torch.device("cuda:0"))
        with pytest.raises(rl.DeviceError):
            run("RelightAlbedo", image=batch())


def test_the_version_is_the_tool_s(comfy: Comfy) -> None:
    pack = sys.modules[comfy.nodes["RelightAlbedo"].__module__.partition(".")[0]]
    stated = tomllib.loads((PACK / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = f"relight-cli=={rl.__version__}"
    assert pack.__version__ == stated["project"]["version"] == rl.__version__
    assert stated["project"]["dependencies"] == [wanted]
    assert (PACK / "requirements.txt").read_text(encoding="utf-8").split() == [wanted]
    assert {"PublisherId", "DisplayName"} <= set(stated["tool"]["comfy"])


def test_the_pack_loads_where_the_readme_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (PACK / "README.md").read_text(encoding="utf-8")
    copy, install = readme.partition("```sh\n")[2].partition("```")[0].splitlines()
    base = tmp_path / "Comfy UI"
    (base / "custom_nodes").mkdir(parents=True)
    subprocess.run(["sh", "-c", copy], cwd=ROOT, env={**os.environ, "COMFYUI": str(base)}, check=True)
    comfy = start_comfy(monkeypatch, base, base / "custom_nodes" / "relight")
    assert len([name for name in comfy.nodes if name.startswith("Relight")]) == 6
    assert (base / "custom_nodes" / "relight" / "example_workflows" / "relight.json").is_file()
    assert install.endswith("-m pip install .")
