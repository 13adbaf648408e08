"""Parity with the published network's numbers on stand-in weights (reference/), in float32 on any processor.

The published code computed them in float64 and rounded pictures to 8 bits. In float32 that code differs from its own
arrays by 7e-6, and in one of 4,000 values of a picture by one level. The bounds leave room for other processors, but
detect GELU by tanh (5e-4), norms with an eps of 1e-5 (2e-4) and pictures truncated to 8 bits (half of the values).
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Command
from published_pictures import check_picture, crop
from standin import REFERENCE, photo

from relight_cli.checkpoints.crocodilight import load_crocodilight
from relight_cli.models.blocks import RotaryTable, rotate, rotate_joined
from relight_cli.models.crocodilight import IMAGENET_MEAN, IMAGENET_STD, CroCoDiLight

ARRAY_BOUND = 5e-5  # largest difference over largest value


@pytest.fixture(scope="module")
def network(standin: Path) -> CroCoDiLight:
    mappers = {"shadow": standin / "CroCoDiLight_shadow_mapper.pth"}
    return load_crocodilight(standin / "CroCoDiLight.pth", mappers, fused_attention=False)


@torch.inference_mode()
def stages(network: CroCoDiLight, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    latents = network.encode(pictures)
    intrinsic, illumination = network.delight(latents)
    a, (illum_a, illum_b) = intrinsic[:1], illumination.split(1)
    mapped = network.map_illumination("shadow", a, illum_a)
    relit = network.relight(a, illum_b)
    tokens = {"latent": latents, "intrinsic": intrinsic, "relit_latent": relit}
    lights = {"illum_a": illum_a, "illum_b": illum_b, "mapped_illum": mapped}
    pictures_of = {
        "autoencoded": latents[:1],
        "reconstructed": network.relight(a, illum_a),
        "relit": relit,
        "mapped": network.relight(a, mapped),
    }
    found = {k: v[0, ::49] for k, v in tokens.items()} | {k: v[0, 0] for k, v in lights.items()}
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    for name, z in pictures_of.items():
        decoded = network.decode(z)[0]
        found[f"{name}_normalised"] = ((decoded - mean) / std)[:, ::16, ::16]
        clipped = ((decoded < 0) | (decoded > 1)).float().mean()
        found[f"{name}_stats"] = torch.stack((decoded.clamp(0, 1).mean(), decoded.clamp(0, 1).std(), clipped))
    return found


def relative_error(found: torch.Tensor, expected: np.ndarray) -> float:
    return float(np.abs(found.numpy() - expected).max() / np.abs(expected).max())


def test_every_stage_matches_the_published_numbers(network: CroCoDiLight) -> None:
    pictures = torch.from_numpy(np.stack([photo(448, 448, 11), photo(448, 448, 18)])).permute(0, 3, 1, 2) / 255
    found = stages(network, pictures)
    with np.load(REFERENCE / "stages.npz") as expected:
        assert set(expected.files) == set(found)
        errors = {name: relative_error(found[name], expected[name]) for name in expected.files}
    assert {name: error for name, error in errors.items() if not error < ARRAY_BOUND} == {}


def test_rotation_follows_the_formula() -> None:
    """u' = u cos - v sin, v' = v cos + u sin, the first half of a head by row, the second by column."""
    table = RotaryTable(head_width=16, base=100)
    x = torch.randn(1, 1, 7, 16, dtype=torch.float64)
    rotary = table(2, 3, 1, x)
    found = rotate(x, rotary.cos, rotary.sin)[0, 0]
    torch.testing.assert_close(rotate_joined(x.transpose(1, 2), rotary)[0, :, 0], found)
    for n, position in enumerate([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (-1, -1)]):
        for half, p in enumerate(position):
            for j in range(4):
                angle = p * 100 ** (-2 * j / 8)
                u, v = x[0, 0, n, half * 8 + j].item(), x[0, 0, n, half * 8 + 4 + j].item()
                assert found[n, half * 8 + j].item() == pytest.approx(
                    u * math.cos(angle) - v * math.sin(angle), abs=1e-6
                )
                assert found[n, half * 8 + 4 + j].item() == pytest.approx(
                    v * math.cos(angle) + u * math.sin(angle), abs=1e-6
                )


@torch.inference_mode()
def test_fused_attention_is_the_same_formula(standin: Path, network: CroCoDiLight) -> None:
    fused = load_crocodilight(standin / "CroCoDiLight.pth", {})
    x = torch.randn(2, 785, 128)
    rotary = network.rotary(28, 28, 1, x)
    plain = network.delighting.blocks[0](x, rotary)
    torch.testing.assert_close(fused.delighting.blocks[0](x, rotary), plain, rtol=1e-5, atol=1e-5)


PUBLISHED = ("--model", "crocodilight", "--dtype", "float32", "--no-detail", "--quiet")


@pytest.mark.parametrize("size", ["448x448", "900x600"])
def test_relight_returns_the_published_picture(command: Command, standin: Path, tmp_path: Path, size: str) -> None:
    names = [REFERENCE / f"{name}_{size}.png" for name in ("a", "b", "relight_a_light_b")]
    done = command("relight", names[0], "--light", names[1], *PUBLISHED, "--weights-dir", standin, "-o", "x.png")
    assert (done.code, done.out, done.err) == (0, b"", "")
    check_picture(tmp_path / "x.png", names[2])


@pytest.mark.parametrize(("task", "tiles"), [("deshadow", 1), ("deshadow", 2), ("albedo", 1)])
def test_mapping_returns_the_published_picture(
    command: Command, standin: Path, tmp_path: Path, task: str, tiles: int
) -> None:
    """The two stand-in mappers hold the same tensors, so that both tasks return the same picture."""
    size, part = ("448x448", ()) if tiles == 1 else ("900x600", (slice(152), slice(452)))
    picture = crop(REFERENCE / f"a_{size}.png", 448, 448 if tiles == 1 else 806, tmp_path)
    done = command(task, picture, *PUBLISHED, "--weights-dir", standin, "--tile-colour", "free", "-o", "x.png")
    assert (done.code, done.out, done.err) == (0, b"", "")
    check_picture(tmp_path / "x.png", REFERENCE / f"mapper_a_{size}.png", part=part)
