"""Losses and figures of the geometry network."""

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.training.geometry_pictures import Batch

_SCALES = 4  # of the gradients' loss
_LEAST = 1e-3  # disparity per metre


def standardised(values: Tensor, known: Tensor) -> Tensor:
    """Return maps (B, 1, H, W) with the median 0 and the mean absolute deviation 1 over their known pixels.

    That takes away shift and scale (Ranftl et al. 2020, https://arxiv.org/abs/1907.01341, section 5).
    """
    masked = values.masked_fill(~known, torch.nan).flatten(1)
    centre = masked.nanmedian(1).values[:, None, None, None].nan_to_num()
    spread = (values - centre).abs().masked_fill(~known, 0).sum((1, 2, 3)) / known.sum((1, 2, 3)).clamp(min=1)
    return (values - centre) / spread[:, None, None, None].clamp(min=1e-2)


def masked_mean(values: Tensor, known: Tensor) -> Tensor:
    """Return the mean over the known pixels."""
    return (values * known).sum() / known.sum().clamp(min=1)


def gradient_loss(difference: Tensor, known: Tensor) -> Tensor:
    """Return the mean absolute slopes of a difference of maps (B, 1, H, W) at several scales (same paper)."""
    total = difference.new_zeros(())
    for scale in range(_SCALES):
        d, k = difference[..., :: 2**scale, :: 2**scale], known[..., :: 2**scale, :: 2**scale]
        for axis in (-1, -2):
            both = k.narrow(axis, 1, k.shape[axis] - 1) & k.narrow(axis, 0, k.shape[axis] - 1)
            total = total + masked_mean(d.diff(dim=axis).abs(), both)
    return total


def geometry_losses(raw: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Return the losses of the network's raw maps (B, 5, H / 4, W / 4), in the size of the pictures.

    Disparity is compared without scale and shift, and its log without scale, which decides how far things are apart.
    """
    maps = F.interpolate(raw, batch.disparity.shape[-2:], mode="bilinear")
    log, normals, sky = maps.split((1, 3, 1), dim=1)
    known = batch.disparity > 0
    truth = batch.disparity.clamp(min=_LEAST)
    affine = standardised(log.exp(), known) - standardised(truth, known)
    apart = log - truth.log()
    middle = apart.masked_fill(~known, torch.nan).flatten(1).nanmedian(1).values[:, None, None, None].nan_to_num()
    facing = 1 - F.cosine_similarity(normals, batch.normals, dim=1)[:, None]
    return {
        "affine": 0.3 * masked_mean(affine.abs().clamp(max=4), known),
        "log": 0.7 * masked_mean((apart - middle).abs(), known),
        "gradients": 0.3 * gradient_loss(apart, known),
        "normals": 1.5 * masked_mean(facing, known),
        "sky": 0.2 * F.binary_cross_entropy_with_logits(sky, (~known).float()),
    }


def silog(disparity: Tensor, truth: Tensor) -> Tensor:
    """Return the root of the variance of the log ratio of disparities (B, ...), over pixels with a truth."""
    known = truth > 0
    apart = (disparity.clamp(min=1e-6).log() - truth.clamp(min=1e-6).log()).masked_fill(~known, torch.nan)
    mean = apart.flatten(1).nanmean(1)
    return (apart.square().flatten(1).nanmean(1) - mean.square()).clamp(min=0).sqrt()


def angular_error(normals: Tensor, truth: Tensor) -> Tensor:
    """Return the mean angle in degrees (B,) between normals (B, 3, H, W), over pixels with a truth."""
    angle = F.cosine_similarity(normals, truth, dim=1).clamp(-1, 1).acos().rad2deg()
    return angle.masked_fill(truth.square().sum(1) < 0.25, torch.nan).flatten(1).nanmean(1)


def fit_plane(disparity: Tensor) -> Tensor:
    """Return the plane (H, W) that is best for all disparities (B, 1, H, W), each divided by its median first."""
    height, width = disparity.shape[-2:]
    known = (disparity > 0)[:, 0]
    middle = disparity.masked_fill(disparity <= 0, torch.nan).flatten(1).nanmedian(1).values
    relative = disparity[:, 0] / middle[:, None, None]
    places = torch.stack(
        torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"), dim=-1
    )
    design = torch.cat((torch.ones(height, width, 1), places), dim=-1)
    rows, wanted = design.expand(len(disparity), -1, -1, -1)[known], relative[known]
    weights = 1 / wanted.clamp(min=0.2)  # relative errors count
    solution = torch.linalg.lstsq(rows * weights[:, None], (wanted * weights)[:, None]).solution
    return (design @ solution)[..., 0].clamp(min=0.02)
