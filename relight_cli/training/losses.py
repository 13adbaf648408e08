"""The cross-lighting loss (CroCoDiLight section 3.3) and that of the illumination mappers (3.4), with known light."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relight_cli.models.colour import srgb_to_linear
from relight_cli.models.tiny import EPS, Tiny
from relight_cli.training.pairs import Pairs


@dataclass(frozen=True)
class Losses:
    """What the loss consists of, each a scalar."""

    light: Tensor  # log light, relit by the other
    edges: Tensor  # its steps between neighbours
    picture: Tensor  # sRGB, relit by the other
    mapped: Tensor  # log light and its steps, by a mapped illumination latent

    @property
    def total(self) -> Tensor:
        """Weigh the parts."""
        return self.light + self.edges + 3 * self.picture + self.mapped


def log_picture(srgb: Tensor) -> Tensor:
    """Give log(linear + EPS), in which a change of light is a sum."""
    return torch.log(srgb_to_linear(srgb) + EPS)


def log_edges(x: Tensor) -> Tensor:
    """Give the steps to the right and downwards, one after the other."""
    return torch.cat(((x[..., 1:] - x[..., :-1]).flatten(1), (x[..., 1:, :] - x[..., :-1, :]).flatten(1)), dim=1)


def all_losses(model: Tiny, pairs: Pairs, mapper: str) -> Losses:
    """Relight a by b and b by a, and both by their own illumination latents mapped by `shadow` or `albedo`.

    The paper trains the mappers last with all else frozen; here they are trained along, since light that has to be
    found to be taken away is found for the other tasks too. Light counts where the picture is neither black nor
    clipped: elsewhere the camera has not recorded it.
    """
    pictures, target = torch.cat((pairs.a, pairs.b)), torch.cat((pairs.b, pairs.a))
    intrinsic, illumination = model.delight(model.encode(pictures))
    seen = ((pictures < 0.995) & (pictures > 0.02)).float()
    before = log_picture(pictures)

    def change(light: Tensor) -> tuple[Tensor, Tensor]:
        relit = model.decode(model.relight(intrinsic, light))
        return relit, log_picture(relit.clamp(min=0)) - before

    relit, found = change(illumination.roll(len(pairs.a), dims=0))
    error = (found - torch.cat((pairs.to_other, -pairs.to_other))).clamp(-4, 4) * seen
    truth = (pairs.to_free if mapper == "shadow" else pairs.to_white).flatten(0, 1)
    known = seen * ~truth.isnan()
    _, mapped = change(model.map_illumination(mapper, intrinsic, illumination))
    mapped_error = (mapped - truth.nan_to_num()).clamp(-4, 4) * known
    share = known.mean().clamp(min=0.1) / seen.mean().clamp(min=0.1)
    return Losses(
        light=error.abs().mean(),
        edges=log_edges(error).abs().mean(),
        picture=F.l1_loss(relit.clamp(-0.1, 1.1), target),
        mapped=(mapped_error.abs().mean() + log_edges(mapped_error).abs().mean()) / share,
    )
