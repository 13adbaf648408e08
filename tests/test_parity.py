"""The published network's numbers on stand-in weights (reference/), met in float32.

These weights make the network chaotic: one part in 10^7 on the input moves `latent` by 1 % and what comes after by up
to 30 %. Another processor's rounding does as much. So the first array, twelve blocks deep, must always be near; where
it is met to the bit the rest has to follow, and where it is not, what can be asked is the network's own sensitivity.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Run
from standin import REFERENCE, photo

from relight_cli.checkpoints import load_crocodilight
from relight_cli.imaging.photo import read_photo
from relight_cli.models.crocodilight import IMAGENET_MEAN, IMAGENET_STD, CroCoDiLight


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


def test_every_stage_meets_the_published_numbers(network: CroCoDiLight) -> None:
    pictures = torch.from_numpy(np.stack([photo(448, 448, 11), photo(448, 448, 18)])).permute(0, 3, 1, 2) / 255
    found = stages(network, pictures)
    with np.load(REFERENCE / "stages.npz") as expected:
        assert set(expected.files) == set(found)
        errors = {name: relative_error(found[name], expected[name]) for name in expected.files}
    assert errors["latent"] < 5e-3
    if errors["latent"] < 1e-6:
        assert max(errors.values()) < 1e-4, errors
    else:  # another processor
        torch.manual_seed(0)
        moved = stages(network, pictures + 1e-7 * torch.randn_like(pictures))
        sensitivity = {name: relative_error(moved[name], found[name].numpy()) for name in found}
        assert all(errors[name] < 2 * sensitivity[name] + 1e-4 for name in errors), (errors, sensitivity)


def test_fused_attention_is_the_same_formula(standin: Path, network: CroCoDiLight) -> None:
    fused = load_crocodilight(standin / "CroCoDiLight.pth", {})
    x = torch.randn(2, 785, 128)
    rotary = network.rotary(28, 28, 1, x)
    plain = network.delighting.blocks[0](x, rotary)
    torch.testing.assert_close(fused.delighting.blocks[0](x, rotary), plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", ["448x448", "900x600"])
def test_relight_gives_the_published_picture(run: Run, standin: Path, tmp_path: Path, size: str) -> None:
    names = [REFERENCE / f"{name}_{size}.png" for name in ("a", "b", "relight_a_light_b")]
    options = ["--model", "crocodilight", "--weights-dir", standin, "--dtype", "float32", "--no-detail"]
    done = run("relight", names[0], "--light", names[1], *options, "-o", tmp_path / "out.png")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    found, expected = (read_photo(p, max_pixels=10**6).pixels.astype(int) for p in (tmp_path / "out.png", names[2]))
    off = np.abs(found - expected)
    if (off > 1).mean() > 1e-3:  # another processor's rounding, see above: the same picture all the same
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.7
        assert _rounds_otherwise(standin)


def _rounds_otherwise(standin: Path) -> bool:
    network = load_crocodilight(standin / "CroCoDiLight.pth", {}, fused_attention=False)
    picture = torch.from_numpy(photo(448, 448, 11)).permute(2, 0, 1)[None] / 255
    with np.load(REFERENCE / "stages.npz") as expected, torch.inference_mode():
        return relative_error(network.encode(picture)[0, ::49], expected["latent"]) > 1e-6
