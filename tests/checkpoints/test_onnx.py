"""`weights export`: the graphs against the network, in another runtime, at any size; the package for darktable."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from command_line import Command
from documents import ROOT, code_blocks
from PIL import Image

import relight_cli
from relight_cli.checkpoints.albedo import load_albedo
from relight_cli.checkpoints.onnx_graphs import PROVENANCE
from relight_cli.checkpoints.tiny import load_tiny, tiny_sha256
from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.models.interface import ALBEDO, SHADOW
from relight_cli.models.tiny import Tiny
from relight_cli.models.tiny_graphs import AnySizeMean

Pictures = tuple[torch.Tensor, ...]


@pytest.fixture(scope="module")
def tiny() -> Tiny:
    network = load_tiny()
    network.view_albedo = load_albedo()
    return network


def by_tiles(tiny: Tiny, task: str, picture: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return a picture (1, 3, S, S) in its new light by the network's own interface."""
    intrinsic, own = tiny.delight(tiny.encode(picture))
    if task == "relight":
        light = tiny.adapt_illumination(tiny.delight(tiny.encode(reference))[1], own)
    else:
        light = tiny.map_illumination({"deshadow": "shadow"}.get(task, task), intrinsic, own)
    return tiny.decode(tiny.relight(intrinsic, light))


class Graph:
    """A graph in ONNX Runtime."""

    def __init__(self, data: bytes) -> None:
        self.session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def __call__(self, *pictures: torch.Tensor) -> dict[str, np.ndarray]:
        feeds = {one.name: given.numpy() for one, given in zip(self.session.get_inputs(), pictures, strict=True)}
        names = [one.name for one in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, feeds), strict=True))


def picture(height: int, width: int, seed: int = 1) -> torch.Tensor:
    """A picture (1, 3, H, W) of patches with a darker half."""
    generator = torch.Generator().manual_seed(seed)
    patches = torch.rand(1, 3, -(-height // 8), -(-width // 8), generator=generator) * 0.8 + 0.1
    shown = patches.repeat_interleave(8, 2).repeat_interleave(8, 3)[..., :height, :width].contiguous()
    shown[..., : width // 2] *= 0.4
    return shown


def test_the_package_for_darktable_runs_in_another_runtime(command: Command, tmp_path: Path, tiny: Tiny) -> None:
    done = command("weights", "export", "tiny", "--onnx", "out/relight-tiny.dtmodel")
    assert (done.code, done.err) == (0, "")
    with zipfile.ZipFile(tmp_path / "out" / "relight-tiny.dtmodel") as package:
        names = package.namelist()
        files = {name.removeprefix("relight-tiny/"): package.read(name) for name in names}
    assert names[0] == "relight-tiny/config.json"  # darktable takes the id from the first entry's folder
    assert all(name.startswith("relight-tiny/") for name in names)
    config = json.loads(files["config.json"])
    assert {"id", "name", "description", "task", "backend", "version"} <= set(config)
    assert (config["id"], config["version"], config["backend"]) == ("relight-tiny", relight_cli.__version__, "onnx")
    assert config["model_card"]["license"] == "Apache-2.0"
    assert all(isinstance(text, str) and text for text in config["model_card"].values())
    assert json.loads(files["provenance.json"])["weights_sha256"] == tiny_sha256()
    square, reference, odd = picture(256, 256), picture(256, 256, seed=2), picture(37, 85)
    graphs = {task: Graph(files[f"{task}.onnx"]) for task in ("deshadow", "albedo", "relight")}
    with torch.no_grad():
        for task, graph in graphs.items():
            references = (reference,) if task == "relight" else ()
            if task != "albedo":
                lit = graph(square, *references)["lit"]
                np.testing.assert_allclose(lit, by_tiles(tiny, task, square, reference), atol=1e-5, rtol=0)
            small = graph(odd, *(picture(50, 18) for _ in references))
            assert small["lit"].shape == small["log_light"].shape == odd.shape
        views = tiny.whole_views
        for task, mapper in (("deshadow", SHADOW), ("albedo", ALBEDO)):
            found, change = graphs[task](odd), views.look(mapper, odd).change(mapper)
            wanted = views.settled(change) if mapper == SHADOW else change
            np.testing.assert_allclose(found["log_light"], wanted, atol=1e-5, rtol=0)
            assert np.abs(wanted).max() > 0.1  # there is something to compare
            lit = linear_to_srgb(srgb_to_linear(odd) * wanted.exp())
            np.testing.assert_allclose(found["lit"], lit, atol=1e-4 if mapper == SHADOW else 1e-5, rtol=0)
        one = graphs["relight"](odd, odd)  # a picture in its own light stays
        np.testing.assert_allclose(one["lit"], odd, atol=1e-5)
        assert graphs["albedo"](picture(1, 1))["lit"].shape == (1, 3, 1, 1)
    (tmp_path / "deshadow.onnx").write_bytes(files["deshadow.onnx"])
    with Image.open(ROOT / "examples" / "yard.jpg") as yard:
        yard.reduce(4).save(tmp_path / "yard.jpg")
    (example,) = [block for _, block in code_blocks(ROOT / "docs" / "onnx.md", "py")]
    exec(compile(example, "onnx.md", "exec"), {})  # in the folder of `command`
    with Image.open(tmp_path / "yard_deshadowed.png") as made:
        assert made.size == (120, 80)
    model = onnx.load_from_string(files["relight.onnx"])
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["license"] == PROVENANCE["license"]
    assert (facts["task"], facts["weights_sha256"]) == ("relight", tiny_sha256())
    assert {name for name in facts if name.startswith("tensor.")} == {
        f"tensor.{tensor.name}" for tensor in (*model.graph.input, *model.graph.output)
    }


@pytest.mark.parametrize("sides", [(1, 1), (5, 8), (16, 9), (23, 40)])
def test_means_of_any_size_are_those_of_the_network(sides: tuple[int, int]) -> None:
    maps = torch.rand(2, 3, *sides)
    torch.testing.assert_close(AnySizeMean(8)(maps), torch.nn.AdaptiveAvgPool2d(8)(maps))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("crocodilight", "--onnx", "a.onnx"), 2, "crocodilight: cannot be exported"),
        (("small", "--onnx", "a.onnx"), 2, "small: cannot be exported"),
        (("tiny", "--onnx", "a.txt"), 2, "end the name in .onnx"),
        (("tiny", "--onnx", "a.dtmodel"), 2, "name it relight-tiny.dtmodel"),
        (("tiny", "--onnx", "relight-tiny.dtmodel", "--task", "albedo"), 2, "a package has all tasks"),
        (("tiny", "--onnx", "old.onnx"), 5, "old.onnx: the file exists; pass --overwrite"),
        (("tiny", "--onnx", "old.onnx/a.onnx"), 5, "the folder cannot be created"),
        (("tiny", "--onnx", "folder.onnx", "--overwrite"), 5, "folder.onnx: is a folder"),
    ],
)
def test_what_cannot_be_written_is_refused(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "old.onnx").write_bytes(b"old")
    (tmp_path / "folder.onnx").mkdir()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = command("weights", "export", *arguments)
    assert done.code == code
    assert message in done.err
    assert done.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert (tmp_path / "old.onnx").read_bytes() == b"old"


def test_a_missing_extra_is_named(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    done = command("weights", "export", "tiny", "--onnx", "a.onnx")
    assert (done.code, done.err) == (3, "relight-cli: ONNX files need an extra: pip install 'relight-cli[onnx]'.\n")
    assert not (tmp_path / "a.onnx").exists()


def test_a_failed_export_leaves_the_old_file(command: Command, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "a.onnx").write_bytes(b"old")

    def fail(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.onnx, "export", fail)
    assert command("weights", "export", "tiny", "--onnx", "a.onnx", "--overwrite").code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_bytes() == b"old"
