"""Damaged, foreign and malicious checkpoints end with exit code 6 and one line; variants of good ones load."""

import contextlib
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_line import Command, Run

from relight_cli.checkpoints.crocodilight import load_crocodilight
from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.errors import ModelUnavailableError

KEY = "croco.enc_blocks.3.mlp.fc1.weight"
Spoil = Callable[[Path], None]


def rewrite(path: Path, change: Callable[[dict], object]) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def missing(path: Path) -> None:
    rewrite(path, lambda c: c["model"].pop(KEY))


def surplus(path: Path) -> None:
    rewrite(path, lambda c: c["model"].update({"croco.surprise.weight": torch.zeros(2)}))


def misshaped(path: Path) -> None:
    rewrite(path, lambda c: c["model"].update({KEY: torch.zeros(7, 128)}))


class Code:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("owned"),))


def code(path: Path) -> None:
    path.write_bytes(pickle.dumps({"croco_kwargs": {}, "model": Code()}))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def web_page(path: Path) -> None:
    path.write_text("<!doctype html><title>404</title><p>Entry not found")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_network(path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}}, path)


def absurd_sizes(path: Path) -> None:
    rewrite(path, lambda c: c["croco_kwargs"].update(enc_num_heads=0))


def odd_heads(path: Path) -> None:
    rewrite(path, lambda c: c["croco_kwargs"].update(enc_num_heads=3))


def odd_tiles(path: Path) -> None:
    rewrite(path, lambda c: c["croco_kwargs"].update(img_size=112))


def negative_width(path: Path) -> None:
    rewrite(path, lambda c: c["croco_kwargs"].update(enc_embed_dim=-1))


SPOILT = [
    (missing, KEY),
    (surplus, "croco.surprise.weight"),
    (misshaped, KEY),
    (code, "CroCoDiLight.pth"),
    (truncated, "CroCoDiLight.pth"),
    (web_page, "CroCoDiLight.pth"),
    (empty, "CroCoDiLight.pth"),
    (other_network, "croco_kwargs"),
    (absurd_sizes, "CroCoDiLight.pth"),
    (odd_heads, "CroCoDiLight.pth"),
    (odd_tiles, "multiples of 32"),
    (negative_width, "CroCoDiLight.pth"),
]


@pytest.fixture
def weights(small_standin: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "CroCoDiLight.pth").write_bytes((small_standin / "CroCoDiLight.pth").read_bytes())
    return folder


@pytest.mark.parametrize(("spoil", "named"), SPOILT, ids=lambda x: getattr(x, "__name__", ""))
def test_a_spoilt_checkpoint_is_refused(weights: Path, spoil: Spoil, named: str) -> None:
    path = weights / "CroCoDiLight.pth"
    spoil(path)
    with pytest.raises(ModelUnavailableError) as caught:
        load_crocodilight(path, {})
    message = str(caught.value)
    assert named in message
    assert str(path) in message
    assert "weights fetch" in message
    assert "\n" not in message


@pytest.mark.parametrize("model", ["auto", "crocodilight"])
@pytest.mark.parametrize("spoil", [misshaped, code, web_page])
def test_the_command_line_prints_one_line(
    command: Command, scene: Path, weights: Path, spoil: Spoil, model: str
) -> None:
    spoil(weights / "CroCoDiLight.pth")
    done = command(
        "relight",
        "photo.png",
        "--light",
        "reference.png",
        "--reference",
        "latents",
        "--weights-dir",
        weights,
        "--model",
        model,
    )
    assert done.code == 6
    assert done.err.count("\n") == 1
    assert "CroCoDiLight.pth" in done.err
    assert sorted(p.name for p in scene.iterdir() if p.is_file()) == ["photo.png", "reference.png"]


def test_mapper_tensors_may_have_a_prefix(small_standin: Path, tmp_path: Path) -> None:
    tensors = torch.load(small_standin / "CroCoDiLight_shadow_mapper.pth", weights_only=True)
    torch.save({f"latent_mapper.{k}": v for k, v in tensors.items()}, tmp_path / "prefixed.pth")
    mappers = {"shadow": small_standin / "CroCoDiLight_shadow_mapper.pth", "albedo": tmp_path / "prefixed.pth"}
    network = load_crocodilight(small_standin / "CroCoDiLight.pth", mappers)
    states = [network.mappers[name].state_dict() for name in mappers]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_spoilt_mapper_is_named(small_standin: Path, tmp_path: Path) -> None:
    tensors = torch.load(small_standin / "CroCoDiLight_shadow_mapper.pth", weights_only=True)
    tensors.pop("base_blocks.2.norm1.bias")
    torch.save(tensors, tmp_path / "mapper.pth")
    with pytest.raises(ModelUnavailableError, match=r"mapper\.pth.*missing: base_blocks\.2\.norm1\.bias"):
        load_crocodilight(small_standin / "CroCoDiLight.pth", {"shadow": tmp_path / "mapper.pth"})


def test_the_two_view_decoder_is_not_in_memory(small_standin: Path) -> None:
    network = load_crocodilight(small_standin / "CroCoDiLight.pth", {}, dtype=torch.bfloat16)
    saved = torch.load(small_standin / "CroCoDiLight.pth", weights_only=True)["model"]
    parts = ("encoder", "delighting", "relighting", "decoder", "head", "patch_embedding", "mappers")
    assert {name.partition(".")[0] for name in network.state_dict()} <= set(parts)
    assert sum(p.numel() for p in network.parameters()) < sum(t.numel() for t in saved.values())
    assert all(p.dtype == torch.bfloat16 and p.device.type == "cpu" for p in network.parameters())


def test_flipped_bytes_raise_only_model_errors(weights: Path) -> None:
    path, rng = weights / "CroCoDiLight.pth", random.Random(0)
    good = path.read_bytes()
    for _ in range(40):
        spoilt = bytearray(good)
        where = rng.choice([rng.randrange(2000), len(good) - 1 - rng.randrange(60000)])
        spoilt[where : where + 8] = rng.randbytes(8)
        path.write_bytes(bytes(spoilt))
        with contextlib.suppress(ModelUnavailableError):  # a flipped weight still loads
            load_crocodilight(path, {})


def test_unused_tensors_take_no_memory(small_standin: Path, tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    content = torch.load(small_standin / "CroCoDiLight.pth", weights_only=True)
    content["model"]["croco.dec_blocks.7.unused"] = torch.zeros(100_000_000)  # 400 MB of the two-view decoder
    torch.save(content, path)
    program = """
import resource, sys
from pathlib import Path
from relight_cli.checkpoints.crocodilight import load_crocodilight
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_crocodilight(Path(sys.argv[1]), {})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200_000  # kB


def test_the_default_config_has_the_published_parameter_count() -> None:
    from relight_cli.models.crocodilight import BlockStack, CroCoDiLight, CroCoDiLightConfig

    with torch.device("meta"):
        network, config = CroCoDiLight(CroCoDiLightConfig()), CroCoDiLightConfig()
        mapper = BlockStack(config, 8, config.heads, config.mlp_ratio)
    unused_unit = 2 * (256 * 256 * 9 + 256)  # the deepest fusion's skip unit, in the file but never run
    assert round((sum(p.numel() for p in network.parameters()) + unused_unit) / 1e6, 1) == round(674.6 - 114.8, 1)
    assert round(sum(p.numel() for p in mapper.parameters()) / 1e6, 1) == 67.2


def test_tiny_loads_in_every_dtype() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        network = load_tiny(dtype=dtype)
        assert {p.dtype for p in network.parameters()} == {dtype}


@torch.inference_mode()
def test_a_converted_file_is_the_same_network_and_belongs_to_its_source(
    run: Run, small_standin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "published"
    shutil.copytree(small_standin, weights)
    mappers = {"shadow": weights / "CroCoDiLight_shadow_mapper.pth"}
    before = load_crocodilight(weights / "CroCoDiLight.pth", mappers, dtype=torch.bfloat16).state_dict()
    done = run("weights", "convert", "--weights-dir", weights, "--dtype", "bfloat16")
    assert (done.returncode, done.stderr) == (0, b"")
    written = [Path(line) for line in done.stdout.decode().split()]
    assert written[0] == weights / "CroCoDiLight.bfloat16.safetensors"
    assert written[0].stat().st_size < (weights / "CroCoDiLight.pth").stat().st_size / 2
    with monkeypatch.context() as patched:
        patched.setattr("relight_cli.checkpoints.crocodilight.read_pickle", None)  # nothing is unpickled
        after = load_crocodilight(weights / "CroCoDiLight.pth", mappers, dtype=torch.bfloat16).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    missing(weights / "CroCoDiLight.pth")
    with pytest.raises(ModelUnavailableError, match="missing"):
        load_crocodilight(weights / "CroCoDiLight.pth", {}, dtype=torch.bfloat16)


def test_a_damaged_converted_file_is_ignored(weights: Path) -> None:
    (weights / "CroCoDiLight.float32.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}" + bytes(20))
    load_crocodilight(weights / "CroCoDiLight.pth", {})


def test_building_a_network_imports_no_compiler() -> None:
    program = """
import sys
from relight_cli.checkpoints.tiny import load_tiny
load_tiny()
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
