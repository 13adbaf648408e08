"""The networks of depth refinement, ready to run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from relight_cli.models.diffusion_prior import DiffusionPrior


class DisparityNetwork(Protocol):
    """A depth network in two parts: the encoder runs once a photo (feature maps W), the decoder (theta) many times."""

    @property
    def decoder(self) -> "nn.Module":
        """Returns disparity (B, h, w), never negative, from feature maps (B, ...) and the size (h, w) of a picture."""
        ...

    def features(self, image: "Tensor") -> "tuple[Tensor, ...]":
        """Return the feature maps W, each (1, ...), of an sRGB picture (1, 3, h, w) of a size that fits."""
        ...

    def sky(self, features: "tuple[Tensor, ...]", size: tuple[int, int]) -> "Tensor | None":
        """Return the share of sky (1, h, w), 0 to 1, of a picture; None if the network says it by a disparity of 0."""
        ...

    def fitted_size(self, height: int, width: int, longer_side: int) -> tuple[int, int]:
        """Return the size of the copy of a photo that the network sees."""
        ...

    def parameters(self) -> "Iterator[nn.Parameter]":
        """Yield all weights."""
        ...


@dataclass(frozen=True)
class DiffusionJudge:
    """The diffusion model that judges the relit photo."""

    prior: "DiffusionPrior"
    embed: Callable[[str], "Tensor"]  # returns the embedding of a text, (1, L, C), float32 on the CPU


@dataclass(frozen=True)
class DepthModel:
    """A depth network, the diffusion model that judges the relit photo, and their sources."""

    network: "DisparityNetwork"
    judge: "DiffusionJudge | None"  # None: the network's own disparity is wanted
    caption: Callable[[Any], str] | None  # returns a caption of an sRGB picture (H, W, 3) float32
    name: str
    revision: str | None
    sha256: str | None
    sources: tuple[str, ...]  # repository @ revision of everything that affects the result
    device: str  # "cpu", "cuda", "cuda:1", "mps"
    dtype: "torch.dtype"  # of denoiser and encoder; the rest is float32

    @property
    def identity(self) -> list[str]:
        """The depth network with its hash, and the sources: models that differ in it give other depths."""
        return [f"{self.name} {self.sha256}", *self.sources]

    @property
    def weights_bytes(self) -> int:
        """The memory of the networks' weights."""
        own = sum(parameter.nbytes for parameter in self.network.parameters())
        return own + (sum(parameter.nbytes for parameter in self.judge.prior.parameters()) if self.judge else 0)
