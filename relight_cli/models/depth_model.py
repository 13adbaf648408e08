"""The networks of depth refinement, ready to run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from relight_cli.models.depth_anything import DepthNetwork
    from relight_cli.models.diffusion_prior import DiffusionPrior


@dataclass(frozen=True)
class DepthModel:
    """A depth network, the diffusion model that judges the relit photo, and their sources."""

    network: "DepthNetwork"
    prior: "DiffusionPrior"
    embed: Callable[[str], "Tensor"]  # returns the embedding of a text, (1, L, C), float32 on the CPU
    caption: Callable[[Any], str] | None  # returns a caption of an sRGB picture (H, W, 3) float32
    name: str
    revision: str | None
    sha256: str | None
    sources: tuple[str, ...]  # repository @ revision of everything that affects the result
    device: str  # "cpu", "cuda", "cuda:1", "mps"
    dtype: "torch.dtype"  # of denoiser and encoder; the rest is float32

    @property
    def weights_bytes(self) -> int:
        """The memory of the networks' weights."""
        modules = (self.network, self.prior)
        return sum(parameter.nbytes for module in modules for parameter in module.parameters())
