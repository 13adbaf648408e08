"""The stages of the training: what each learns, from which pictures, with which losses."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from relight_cli.models.blocks import Block
from relight_cli.models.croco import CroCo, DecoderBlock, normalised_patches
from relight_cli.models.crocodilight import CroCoDiLight
from relight_cli.models.dpt import Fusion
from relight_cli.training.crocodilight.losses import (
    ImageLoss,
    hidden_and_visible,
    latent_mse,
    masked_patch_mse,
    psnr,
)

Losses = dict[str, Tensor]


class Stage(nn.Module):
    """A network and the losses of one stage; `forward` returns the losses, of which "total" is minimised."""

    network: nn.Module
    learns: tuple[str, ...]  # what the names of the parameters that it trains start with

    def freeze(self) -> None:
        """Let gradients reach only what the stage trains."""
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name.startswith(self.learns))

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the parameters that the stage trains, by name."""
        return {name: p for name, p in self.network.named_parameters() if name.startswith(self.learns)}

    @torch.no_grad()
    def results(self, pictures: Tensor, seeds: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Return pictures (B, 3, S, S) for a sheet, and figures in dB, of a batch (B, V, 3, S, S)."""
        raise NotImplementedError


class CroCoStage(Stage):
    """Stage 0: cross-view completion. The hidden patches of the first view are predicted, normalised (section 3)."""

    learns = ("",)

    def __init__(self, network: CroCo, share: float) -> None:
        super().__init__()
        self.network: CroCo = network
        self.share = share

    def forward(self, pictures: Tensor, seeds: Tensor) -> Losses:
        """Return the loss of views (B, 2, 3, S, S)."""
        view, other = pictures.unbind(1)
        hidden, visible = (x.to(view.device) for x in self._masks(seeds))
        predicted = self.network(view, other, visible).float()
        return {"total": masked_patch_mse(predicted, normalised_patches(self.network.patches(view)), hidden)}

    def _masks(self, seeds: Tensor) -> tuple[Tensor, Tensor]:
        return hidden_and_visible(seeds, self.network.grid**2, self.share)

    @torch.no_grad()
    def results(self, pictures: Tensor, seeds: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Return the first views, what is seen of them, the second views, and the views completed."""
        view, other = pictures.unbind(1)
        hidden, visible = (x.to(view.device) for x in self._masks(seeds))
        patches = self.network.patches(view)
        predicted = self.network(view, other, visible).float()
        # What the network leaves open, the mean and the spread of a patch, is taken from the truth.
        mean, spread = patches.mean(-1, keepdim=True), patches.std(-1, keepdim=True)
        places = hidden[..., None].expand(-1, -1, patches.shape[-1])
        completed = patches.scatter(1, places, (predicted * spread + mean).gather(1, places))
        grey = patches.scatter(1, places, torch.full_like(patches, 0.5))
        sheet = [view, self.network.picture(grey), other, self.network.picture(completed)]
        return sheet, {"completed_db": psnr(sheet[3], view).mean().item()}


class DecoderStage(Stage):
    """Stage 1: the single-view decoder by auto-encoding, the encoder frozen."""

    learns = ("decoder.", "head.")

    def __init__(self, network: CroCoDiLight, loss: ImageLoss) -> None:
        super().__init__()
        self.network: CroCoDiLight = network
        self.loss = loss

    def forward(self, pictures: Tensor, seeds: Tensor) -> Losses:
        """Return the losses of pictures (B, 1, 3, S, S)."""
        truth = pictures[:, 0]
        return self.loss(self.network.decode(self.network.encode(truth)), truth)

    @torch.no_grad()
    def results(self, pictures: Tensor, seeds: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Return the pictures, and decoded from their latents."""
        truth = pictures[:, 0]
        made = self.network.decode(self.network.encode(truth))
        return [truth, made], {"decoded_db": psnr(made, truth).mean().item()}


class LightStage(Stage):
    """Stage 2: the delighting and the relighting transformer by cross-lighting both ways (section 3.3)."""

    learns = ("delighting.", "relighting.")

    def __init__(self, network: CroCoDiLight, loss: ImageLoss, intrinsic: float) -> None:
        super().__init__()
        self.network: CroCoDiLight = network
        self.loss, self.intrinsic = loss, intrinsic

    def forward(self, pictures: Tensor, seeds: Tensor) -> Losses:
        """Return the losses of pairs (B, 2, 3, S, S): A in B's light against B, B in A's light against A."""
        made, intrinsic = self._swapped(pictures)
        ways = [self.loss(one, truth) for one, truth in zip(made, pictures.flip(1).unbind(1), strict=True)]
        losses = {name: ways[0][name] + ways[1][name] for name in ways[0]}
        losses["intrinsic"] = latent_mse(*intrinsic)
        losses["total"] = losses["total"] + self.intrinsic * losses["intrinsic"]
        return losses

    def _swapped(self, pictures: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return A in B's light and B in A's light, and the intrinsic latents of both."""
        count = len(pictures)
        both = pictures.transpose(0, 1).flatten(0, 1)  # (2 B, 3, S, S): all A, then all B
        intrinsic, light = self.network.delight(self.network.encode(both))
        made = self.network.decode(self.network.relight(intrinsic, light.roll(count, 0)))
        return made.split(count), intrinsic.split(count)

    @torch.no_grad()
    def results(self, pictures: Tensor, seeds: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Return A, B, and A in B's light."""
        a, b = pictures.unbind(1)
        (made, _), _ = self._swapped(pictures)
        return [a, b, made], {"relit_db": psnr(made, b).mean().item(), "untouched_db": psnr(a, b).mean().item()}


class MapperStage(Stage):
    """Stage 3: an illumination mapper, from the relighting transformer's weights, the rest frozen."""

    def __init__(self, network: CroCoDiLight, name: str) -> None:
        super().__init__()
        self.network: CroCoDiLight = network
        self.name = name
        self.learns = (f"mappers.{name}.",)

    def forward(self, pictures: Tensor, seeds: Tensor) -> Losses:
        """Return the MSE between the mapped latent of pictures and that of their truth, of (B, 2, 3, S, S)."""
        intrinsic, own, wanted = self._latents(pictures)
        return {"total": latent_mse(self.network.map_illumination(self.name, intrinsic, own), wanted)}

    def _latents(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        count = len(pictures)
        intrinsic, light = self.network.delight(self.network.encode(pictures.transpose(0, 1).flatten(0, 1)))
        return intrinsic[:count], light[:count], light[count:]

    @torch.no_grad()
    def results(self, pictures: Tensor, seeds: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Return the pictures, with mapped light, with the latent of the truth, and the truth."""
        photo, truth = pictures.unbind(1)
        intrinsic, own, wanted = self._latents(pictures)
        mapped = self.network.map_illumination(self.name, intrinsic, own)
        made, oracle, plain = (
            self.network.decode(self.network.relight(intrinsic, one)) for one in (mapped, wanted, own)
        )
        named = {"mapped_db": made, "oracle_db": oracle, "no_mapper_db": plain}
        return [photo, made, oracle, truth], {name: psnr(one, truth).mean().item() for name, one in named.items()}


def checkpoint_activations(network: nn.Module) -> None:
    """Compute the activations within blocks again in the backward pass instead of keeping them."""
    for module in network.modules():
        if isinstance(module, Block | DecoderBlock | Fusion):
            module.forward = partial(_recomputed, module.forward)  # type: ignore[method-assign]


def _recomputed(forward: Callable[..., Any], *arguments: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*arguments)
    return checkpoint(forward, *arguments, use_reentrant=False, preserve_rng_state=False)
