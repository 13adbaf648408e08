"""The cross-lighting loss (CroCoDiLight section 3.3) with known light."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import srgb_to_linear
from relight_cli.models.tiny import EPS, Tiny
from relight_cli.training.pairs import Pairs


@dataclass(frozen=True)
class CrossLighting:
    """What the loss consists of, each a scalar."""

    light: Tensor
    edges: Tensor
    picture: Tensor

    @property
    def total(self) -> Tensor:
        """Weigh the parts."""
        return self.light + self.edges + 3 * self.picture


def log_picture(srgb: Tensor) -> Tensor:
    """Give log(linear + EPS), in which a change of light is a sum."""
    return torch.log(srgb_to_linear(srgb) + EPS)


def log_edges(x: Tensor) -> Tensor:
    """Give the steps to the right and downwards, one after the other."""
    return torch.cat(((x[..., 1:] - x[..., :-1]).flatten(1), (x[..., 1:, :] - x[..., :-1, :]).flatten(1)), dim=1)


def cross_lighting(model: Tiny, pairs: Pairs) -> CrossLighting:
    """Relight a with b's illumination latent and b with a's; compare log light with the known, pictures with the other.

    The log light counts where the target is neither black nor clipped: there the camera has not recorded the light.
    """
    pictures = torch.cat((pairs.a, pairs.b))
    target = torch.cat((pairs.b, pairs.a))
    truth = torch.cat((pairs.log_ratio, -pairs.log_ratio))
    intrinsic, illumination = model.delight(model.encode(pictures))
    relit = model.decode(model.relight(intrinsic, illumination.roll(len(pairs.a), dims=0)))
    change = log_picture(relit.clamp(min=0)) - log_picture(pictures)
    seen = ((pictures < 0.995) & (pictures > 0.02)).float()
    error = (change - truth).clamp(-4, 4) * seen
    return CrossLighting(
        light=error.abs().mean(),
        edges=log_edges(error).abs().mean(),
        picture=F.l1_loss(relit.clamp(-0.1, 1.1), target),
    )
