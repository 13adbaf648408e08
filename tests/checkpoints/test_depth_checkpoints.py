"""Loading from folders with the layout and tensor names of the published ones; errors for damaged ones."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from relight_cli.checkpoints.depth import load_captioner, load_depth_network, load_embedder, load_prior
from relight_cli.errors import ModelUnavailableError

SD, DEPTH = "stable-diffusion-v1-5", "Depth-Anything-V2-Small-hf"


@pytest.fixture
def parts(tiny_parts: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(tiny_parts, tmp_path / "parts")


def test_networks_have_the_tensors_of_the_files(tiny_parts: Path) -> None:
    network = load_depth_network(tiny_parts / DEPTH, device="cpu")
    saved = load_file(tiny_parts / DEPTH / "model.safetensors")
    assert (network.decoder.head.conv1.weight == saved["head.conv1.weight"]).all()
    assert not any(p.requires_grad for p in network.parameters())
    prior = load_prior(
        tiny_parts / SD, None, load_embedder(tiny_parts / SD), "a photo", device="cpu", dtype=torch.float32
    )
    saved = load_file(tiny_parts / SD / "vae" / "diffusion_pytorch_model.fp16.safetensors")
    attention = prior.encoder.autoencoder.encoder.mid_block.attentions[0]
    assert (attention.to_q.weight == saved["encoder.mid_block.attentions.0.query.weight"].float()).all()
    assert (prior.side, prior.latent_shape) == (64, (4, 8, 8))
    assert prior.alphas_cumprod[0] == pytest.approx(1 - 0.00085)
    assert (prior.prompt != prior.unconditional).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("small", [False, True])
def test_the_prior_returns_latents_with_gradients_and_noise(tiny_parts: Path, dtype: torch.dtype, small: bool) -> None:
    taesd = tiny_parts / "taesd" if small else None
    prior = load_prior(tiny_parts / SD, taesd, load_embedder(tiny_parts / SD), "a house", device="cpu", dtype=dtype)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    latents = prior.encode(images, torch.zeros(2, 4, 8, 8))
    assert latents.dtype == torch.float32
    latents.square().sum().backward()
    assert images.grad.abs().max() > 0
    assert images.grad.isfinite().all()
    text, without = prior.predict_noise(latents.detach(), torch.tensor([20, 600]))
    assert text.shape == without.shape == (2, 4, 8, 8)
    assert (text != without).any()


def test_scaled_gradients_are_exact(tiny_parts: Path) -> None:
    prior = load_prior(tiny_parts / SD, None, load_embedder(tiny_parts / SD), "", device="cpu", dtype=torch.float32)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad(prior.encode(images, noise).sum(), images)[0]
    plain = torch.autograd.grad(prior.encoder(images, noise).sum(), images)[0]
    assert (ours == plain).all()


def test_captions_are_text(tiny_parts: Path) -> None:
    caption = load_captioner(tiny_parts / "blip-image-captioning-base", device="cpu")
    assert caption(np.full((30, 40, 3), 0.5, np.float32))


def test_a_file_that_lacks_a_tensor_is_refused(parts: Path) -> None:
    path = parts / SD / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    state = load_file(path)
    del state["conv_in.weight"]
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(ModelUnavailableError, match=r"conv_in\.weight.*weights fetch"):
        load_prior(parts / SD, None, load_embedder(parts / SD), "", device="cpu", dtype=torch.float32)


@pytest.mark.parametrize("damage", [b"", b"not tensors", b"\xff" * 100])
def test_a_damaged_file_is_named(parts: Path, damage: bytes) -> None:
    (parts / DEPTH / "model.safetensors").write_bytes(damage)
    with pytest.raises(ModelUnavailableError, match=DEPTH):
        load_depth_network(parts / DEPTH, device="cpu")


def test_networks_of_another_kind_are_refused(parts: Path) -> None:
    config = parts / DEPTH / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"depth_estimation_type": "metric", "max_depth": 20}))
    with pytest.raises(ModelUnavailableError, match="metric"):
        load_depth_network(parts / DEPTH, device="cpu")
    scheduler = parts / SD / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps(json.loads(scheduler.read_text()) | {"prediction_type": "v_prediction"}))
    with pytest.raises(ModelUnavailableError, match="v_prediction"):
        load_prior(parts / SD, None, load_embedder(parts / SD), "", device="cpu", dtype=torch.float32)
