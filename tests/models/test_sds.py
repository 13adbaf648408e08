"""Score distillation compared with the published step's numbers, from the disparity to its gradient."""

from pathlib import Path

import numpy as np
import pytest
import torch
from redepth_reference import REFERENCE, light_of, relative_error
from torch import Tensor
from torch.nn import functional as F

from relight_cli.models.sds import add_noise, draw_timestep, guided_noise, sds_gradient, sds_loss, smoothness
from relight_cli.models.shading import blinn_phong, letterbox, orthographic_depth, surface_normals


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    with np.load(Path(REFERENCE)) as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


def pooled(image: Tensor) -> Tensor:
    """Return latents from the stand-in for the VAE that the published numbers use."""
    latents = F.avg_pool2d(image, 8) * 2 - 1
    return torch.cat((latents, latents.mean(dim=1, keepdim=True)), dim=1)


def test_each_term_matches_the_published_numbers(published: dict[str, Tensor]) -> None:
    gradient = sds_gradient(guided_noise(published["eps_text"], published["eps_uncond"]), published["noise"])
    assert relative_error(gradient, published["sds_grad"]) < 1e-5
    assert relative_error(sds_loss(published["latents"], published["sds_grad"]), published["sds_loss"]) < 1e-5
    assert relative_error(smoothness(published["raw_disparity"]), published["smoothness"]) < 1e-5


def test_the_whole_step_matches_the_published_loss_and_gradients(published: dict[str, Tensor]) -> None:
    disparity = published["raw_disparity"].clone().requires_grad_()
    offset = published["scale_offset"][None].clone().requires_grad_()
    depth = orthographic_depth(disparity, offset)
    relit = blinn_phong(published["image_srgb"], surface_normals(depth), light_of(published))
    latents = pooled(letterbox(relit))
    assert relative_error(latents, published["latents"]) < 1e-5
    loss = (sds_loss(latents, published["sds_grad"]) + smoothness(disparity)).sum()
    assert relative_error(loss, published["total_loss"]) < 1e-5
    loss.backward()
    assert relative_error(disparity.grad, published["grad_raw_disparity"]) < 1e-5
    # This is one sum over all pixels: its terms cancel to a 7000th of themselves, and the published float32 sum differs
    # by 8e-5 from the one in float64.
    assert float(offset.grad) == pytest.approx(float(published["grad_scale_offset"]), rel=2e-4)


def test_the_losses_derivative_is_the_gradient_over_the_size() -> None:
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(3, 4, 8, 8, generator=generator).requires_grad_()
    gradient = torch.randn(3, 4, 8, 8, generator=generator)
    sds_loss(latents, gradient).sum().backward()
    assert torch.allclose(latents.grad, gradient / (4 * 8 * 8), atol=1e-7)


def test_nan_has_no_gradient() -> None:
    assert sds_gradient(torch.tensor([float("nan"), 1.0]), torch.zeros(2)).tolist() == [0, 1]


def test_noise_grows_with_the_timestep() -> None:
    kept = torch.linspace(0.999, 0.01, 1000)
    latents, noise = torch.full((2, 1, 1, 1), 3.0), torch.full((2, 1, 1, 1), -1.0)
    first, last = add_noise(latents, noise, torch.tensor([0, 999]), kept).flatten()
    assert first == pytest.approx(0.999**0.5 * 3 - 0.001**0.5)
    assert last == pytest.approx(0.1 * 3 - 0.99**0.5)


def test_timesteps_are_those_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([draw_timestep(generator) for _ in range(4000)])
    assert (int(drawn.min()), int(drawn.max())) == (20, 600)


def test_smoothness_does_not_depend_on_the_scale() -> None:
    disparity = torch.rand(2, 9, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(smoothness(disparity), smoothness(5 * disparity + 2), atol=1e-5)
    assert torch.isfinite(smoothness(torch.zeros(1, 4, 4))).all()
