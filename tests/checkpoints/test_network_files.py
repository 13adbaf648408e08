"""How the networks of this project are stored."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import relight_cli
from relight_cli.checkpoints.network_files import LONG, read_tensors, to_store

DATA = Path(relight_cli.__file__).parent / "data"


def stored(tensors: dict[str, torch.Tensor], file: Path) -> dict[str, torch.Tensor]:
    save_file(to_store(tensors), file)
    with safe_open(file, "pt") as opened:
        return read_tensors(opened)


def test_each_row_keeps_its_values_within_half_a_step_of_int8(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(5, LONG // 4, 2, 2, generator=generator) * torch.tensor([1e-6, 1e-3, 1, 1e3, 0]).view(5, 1, 1, 1)
    short, bias = torch.randn(3, LONG - 1, generator=generator), torch.randn(4 * LONG, generator=generator)
    found = stored({"rows": rows, "short": short, "bias": bias}, tmp_path / "network.safetensors")
    assert set(found) == {"rows", "short", "bias"}
    step = rows.abs().amax((1, 2, 3), keepdim=True) / 127
    assert ((found["rows"] - rows).abs() <= 0.501 * step).all()
    torch.testing.assert_close(found["short"], short.half())
    torch.testing.assert_close(found["bias"], bias.half())
    again = stored(found, tmp_path / "again.safetensors")
    torch.testing.assert_close(again["rows"], found["rows"])
    assert load_file(tmp_path / "network.safetensors")["rows"].dtype == torch.int8


@pytest.mark.parametrize("name", ["tiny", "albedo", "geometry"])
def test_the_networks_in_the_package_are_stored_small(name: str) -> None:
    tensors = load_file(DATA / f"{name}.safetensors")
    assert sum(tensor.numel() for tensor in tensors.values() if tensor.dtype == torch.int8) > 9 * sum(
        tensor.numel() for tensor in tensors.values() if tensor.dtype != torch.int8
    )


def test_the_package_brings_at_most_20_megabytes_of_weights() -> None:
    assert sum(file.stat().st_size for file in DATA.rglob("*.safetensors")) <= 20e6
