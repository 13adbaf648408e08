"""The cross-lighting loss (CroCoDiLight, section 3.3) and the mappers' losses (section 3.4), with known light."""

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.log_light import EPS, log_light_change, log_linear
from relight_cli.models.tiny import Tiny
from relight_cli.training.pairs import Pairs

Losses = dict[str, Tensor]
"""The weighted terms of a loss, scalars by name."""
UNSHADOWED = 3.0  # weight of a pixel outside shadows; inside it is 1
NEAREST = 1e-4  # mean square of sRGB (40 dB) below which an albedo has little left to learn
SHADOWED = 0.1  # log light removed by a shadow above which a pixel counts as in shadow


def edge_loss(x: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours to the right and below."""
    return (x[..., 1:] - x[..., :-1]).abs().mean() / 2 + (x[..., 1:, :] - x[..., :-1, :]).abs().mean() / 2


def recorded_mask(pictures: Tensor) -> Tensor:
    """Return 1 where a picture is neither black nor clipped, else 0: there the camera has not recorded the light."""
    return ((pictures < 0.995) & (pictures > 0.02)).float()


def shadow_losses(model: Tiny, pairs: Pairs) -> Losses:
    """Return the losses of the cast shadows found in a and b: mean squares of log light and of sRGB.

    With the mean absolute error, whose best estimate is the median, the network kept to "no shadow" for thousands of
    steps. Pixels outside shadows weigh `UNSHADOWED`: synthetic pictures have more shadow than photos.
    """
    pictures, truth = torch.cat((pairs.a, pairs.b)), pairs.to_free.flatten(0, 1)
    guide = log_linear(pictures)
    maps, _ = model.split(*model.features(pictures, guide))
    known, truth = recorded_mask(pictures) * ~truth.isnan(), truth.nan_to_num()
    known = known * torch.where(truth.mean(1, keepdim=True) < SHADOWED, UNSHADOWED, 1.0)
    change, linear = log_light_change(guide, -model.shading(*maps)[0].float()), guide.exp() - EPS
    wanted = linear_to_srgb((linear * truth.exp()).clamp(max=1))
    off = linear_to_srgb((linear * change.clamp(max=12).exp()).clamp(max=1.2)) - wanted
    count = known.sum().clamp(min=1)
    return {
        "shadows": ((change - truth).clamp(-4, 4).square() * known).sum() / count,
        "shadows picture": 20 * (off.square() * known).sum() / count,
    }


def albedo_losses(model: Tiny, pairs: Pairs) -> Losses:
    """Return the losses of the albedo of a and b; see `albedo_terms`."""
    pictures, truth = torch.cat((pairs.a, pairs.b)), pairs.to_white.flatten(0, 1)
    guide = log_linear(pictures)
    maps, illumination = model.split(*model.features(pictures, guide))
    lights = torch.cat((illumination, model.mappers["albedo"](maps[2], illumination).to(illumination)))
    own, mapped = model.light(*(m.repeat(2, 1, 1, 1) for m in maps), lights).float().chunk(2)
    shadows, rest = (part.float() for part in model.shading(*maps))
    return albedo_terms(log_light_change(guide, mapped - own - shadows - rest), pictures, guide, truth)


def albedo_terms(change: Tensor, pictures: Tensor, guide: Tensor, truth: Tensor, scales: int = 1) -> Losses:
    """Return the losses of changes of log light (B, 3, H, W) to albedo, except for one factor per picture.

    No picture determines that factor. The true changes are NaN where they are not known. The losses compare log light,
    its edges at some scales, and the albedo in sRGB at its best scale. The latter takes the logarithm of each picture's
    mean square, as PSNR does, so that pictures in even light stay unchanged, whatever the errors of others.
    """
    known, truth = (~truth.isnan()).float(), truth.nan_to_num()
    recorded = recorded_mask(pictures) * known
    count = known.mean().clamp(min=1e-3)
    linear = (guide.exp() - EPS) * known
    error = (change - truth).clamp(-4, 4)
    offset = (error * recorded).mean((1, 2, 3), keepdim=True) / recorded.mean((1, 2, 3), keepdim=True).clamp(min=1e-3)
    error = (error - offset) * recorded
    wanted, albedo = (linear * truth.exp()).clamp(max=1), linear * change.clamp(-12, 12).exp()
    scale = (albedo * wanted).mean((1, 2, 3), keepdim=True) / albedo.square().mean((1, 2, 3), keepdim=True).clamp(1e-6)
    off = linear_to_srgb((scale * albedo).clamp(max=1.2)) - linear_to_srgb(wanted)
    edges = sum((edge_loss(F.avg_pool2d(error, 2**k)) for k in range(scales)), start=error.new_zeros(()))
    return {
        "albedo": (error.abs().mean() / 2 + error.square().mean()) / (2 * count),
        "albedo edges": edges / (2 * count),
        "albedo scale": 0.1 * offset.abs().mean() / count,
        "albedo picture": 0.3 * (off.square().mean((1, 2, 3)) / NEAREST + 1).log().mean(),
    }


def light_losses(model: Tiny, pairs: Pairs) -> Losses:
    """Return the losses of a relit by b, of b relit by a, and of both without cast shadows.

    The paper trains the mapper last with the rest frozen. Here it is trained with the rest, since the light that it
    needs to find helps the other tasks too.
    """
    pictures, target = torch.cat((pairs.a, pairs.b)), torch.cat((pairs.b, pairs.a))
    guide = log_linear(pictures)
    maps, illumination = model.split(*model.features(pictures, guide))
    other, mapped = illumination.roll(len(pairs.a), dims=0), model.mappers["shadow"](maps[2], illumination)
    lights = torch.cat((illumination, other, mapped.to(other)))
    own, other, mapped = model.light(*(m.repeat(3, 1, 1, 1) for m in maps), lights).float().chunk(3)
    shadows = model.shading(*maps)[0].float()
    linear, recorded = guide.exp() - EPS, recorded_mask(pictures)

    change = log_light_change(guide, other - own - shadows)
    error = (change - torch.cat((pairs.to_other, -pairs.to_other))).clamp(-4, 4) * recorded
    relit = linear_to_srgb(linear * change.clamp(max=12).exp())

    change, truth = log_light_change(guide, mapped - own - shadows), pairs.to_free.flatten(0, 1)
    known, truth = recorded * ~truth.isnan(), truth.nan_to_num()
    mapped_error = (change - truth).clamp(-4, 4) * known
    wanted = linear_to_srgb((linear * truth.exp()).clamp(max=1))
    off = (linear_to_srgb((linear * change.clamp(max=12).exp()).clamp(max=1.2)) - wanted) * known
    share = known.mean().clamp(min=0.1) / recorded.mean().clamp(min=0.1)
    return {
        "light": error.abs().mean(),
        "edges": edge_loss(error),
        "picture": 3 * F.l1_loss(relit.clamp(max=1.1), target),
        "mapped": (mapped_error.abs().mean() / 2 + mapped_error.square().mean()) / share,
        "mapped edges": edge_loss(mapped_error) / share,
        "mapped picture": 3 * off.abs().mean() / share,
    }
