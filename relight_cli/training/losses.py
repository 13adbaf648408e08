"""The cross-lighting loss (CroCoDiLight section 3.3) and that of the illumination mappers (3.4), with known light."""

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb
from relight_cli.models.log_light import EPS, log_light_change, log_linear
from relight_cli.models.tiny import Tiny
from relight_cli.training.pairs import Pairs

Losses = dict[str, Tensor]
"""What the loss consists of, each a weighted scalar."""
UNSHADOWED = 3.0  # weight of a pixel in no shadow, where one in shadow counts 1
NEAREST = 1e-4  # mean square of sRGB (40 dB): an albedo nearer than that has little left to learn
SHADOWED = 0.1  # of log light that shadows take, from which a pixel is in shadow


def steps(x: Tensor) -> Tensor:
    """Give the mean absolute step to the right and downwards."""
    return (x[..., 1:] - x[..., :-1]).abs().mean() / 2 + (x[..., 1:, :] - x[..., :-1, :]).abs().mean() / 2


def seen(pictures: Tensor) -> Tensor:
    """Tell where the picture is neither black nor clipped: elsewhere the camera has not recorded its light."""
    return ((pictures < 0.995) & (pictures > 0.02)).float()


def shadow_losses(model: Tiny, pairs: Pairs) -> Losses:
    """Find a's and b's own cast shadows, by mean squares of log light and of sRGB.

    Mean absolute error, whose best guess under doubt is the median, held on to "no shadow" for thousands of steps.
    What is not in shadow counts `UNSHADOWED` times: made pictures hold more shadow than photos do.
    """
    pictures, truth = torch.cat((pairs.a, pairs.b)), pairs.to_free.flatten(0, 1)
    guide = log_linear(pictures)
    maps, _ = model.split(*model.features(pictures, guide))
    known, truth = seen(pictures) * ~truth.isnan(), truth.nan_to_num()
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
    """Take all the light off a and b, but for one factor a picture, which nothing in a picture tells.

    In log light, and the albedo in sRGB at the scale that serves it best, each picture by the logarithm of its mean
    square, as PSNR has it: a picture in even light is to be left as it is, however doubtful others are.
    """
    pictures, truth = torch.cat((pairs.a, pairs.b)), pairs.to_white.flatten(0, 1)
    guide = log_linear(pictures)
    maps, illumination = model.split(*model.features(pictures, guide))
    known, truth = (~truth.isnan()).float(), truth.nan_to_num()
    recorded = seen(pictures) * known
    count = known.mean().clamp(min=1e-3)
    lights = torch.cat((illumination, model.mappers["albedo"](maps[2], illumination).to(illumination)))
    own, mapped = model.light(*(m.repeat(2, 1, 1, 1) for m in maps), lights).float().chunk(2)
    shadows, rest = (part.float() for part in model.shading(*maps))
    change, linear = log_light_change(guide, mapped - own - shadows - rest), (guide.exp() - EPS) * known
    error = (change - truth).clamp(-4, 4)
    offset = (error * recorded).mean((1, 2, 3), keepdim=True) / recorded.mean((1, 2, 3), keepdim=True).clamp(min=1e-3)
    error = (error - offset) * recorded
    wanted, albedo = (linear * truth.exp()).clamp(max=1), linear * change.clamp(-12, 12).exp()
    scale = (albedo * wanted).mean((1, 2, 3), keepdim=True) / albedo.square().mean((1, 2, 3), keepdim=True).clamp(1e-6)
    off = linear_to_srgb((scale * albedo).clamp(max=1.2)) - linear_to_srgb(wanted)
    return {
        "albedo": (error.abs().mean() / 2 + error.square().mean()) / (2 * count),
        "albedo edges": steps(error) / (2 * count),
        "albedo scale": 0.1 * offset.abs().mean() / count,
        "albedo picture": 0.3 * (off.square().mean((1, 2, 3)) / NEAREST + 1).log().mean(),
    }


def light_losses(model: Tiny, pairs: Pairs) -> Losses:
    """Relight a by b and b by a, and both by their own illumination latents without cast shadows.

    The paper trains the mapper last with all else frozen; here it is trained along, since light that has to be found to
    be taken away is found for the other tasks too.
    """
    pictures, target = torch.cat((pairs.a, pairs.b)), torch.cat((pairs.b, pairs.a))
    guide = log_linear(pictures)
    maps, illumination = model.split(*model.features(pictures, guide))
    other, mapped = illumination.roll(len(pairs.a), dims=0), model.mappers["shadow"](maps[2], illumination)
    lights = torch.cat((illumination, other, mapped.to(other)))
    own, other, mapped = model.light(*(m.repeat(3, 1, 1, 1) for m in maps), lights).float().chunk(3)
    shadows = model.shading(*maps)[0].float()
    linear, recorded = guide.exp() - EPS, seen(pictures)

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
        "edges": steps(error),
        "picture": 3 * F.l1_loss(relit.clamp(max=1.1), target),
        "mapped": (mapped_error.abs().mean() / 2 + mapped_error.square().mean()) / share,
        "mapped edges": steps(mapped_error) / share,
        "mapped picture": 3 * off.abs().mean() / share,
    }
