"""What the rest of the package needs of a relighting network, whichever one it is.

CroCoDiLight (ICLR 2026, https://openreview.net/forum?id=GKvb3HCyNk), section 3: a picture's latents are split into one
illumination latent and intrinsic latents; the illumination latent is swapped, mapped or interpolated; the rest decodes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class RelightingModel(Protocol):
    """A network that takes the light out of a tile and puts another in.

    T tiles of S x S pixels, S = `tile_size`; N tokens of C channels. What the channels hold is up to the network; an
    illumination latent may have another number of them. Illumination latents may be interpolated and averaged.
    """

    tile_size: int
    lossless: bool  # a tile under its own light comes back unchanged, so that it need not be computed
    # Longer side of the copy of a photo that gives the best gain; 0: full size.
    max_side: int  # for mapped light, and for light between frames
    reference_side: int  # for the light of a reference

    @property
    def mapper_names(self) -> Collection[str]:
        """The illumination mappers that the network has: `shadow`, `albedo`."""
        ...

    def encode(self, tiles: "Tensor") -> "Tensor":
        """Return the latents (T, N, C) of sRGB-encoded tiles (T, 3, S, S) in [0, 1]."""
        ...

    def delight(self, latents: "Tensor") -> "tuple[Tensor, Tensor]":
        """Split latents (T, N, C) into intrinsic latents (T, N, C') and the illumination latent (T, 1, C'')."""
        ...

    def map_illumination(self, mapper: str, intrinsic: "Tensor", illumination: "Tensor") -> "Tensor":
        """Map the illumination latent (T, 1, C'') to that of the `shadow`-free or `albedo` picture."""
        ...

    def adapt_illumination(self, illumination: "Tensor", own: "Tensor") -> "Tensor":
        """Adapt illumination latents (T, 1, C'') of another picture to tiles with illumination latents of their own."""
        ...

    def relight(self, intrinsic: "Tensor", illumination: "Tensor") -> "Tensor":
        """Join intrinsic latents and an illumination latent to the latents of the relit picture (T, N, C''')."""
        ...

    def decode(self, latents: "Tensor") -> "Tensor":
        """Return the sRGB-encoded picture (T, 3, S, S), float32, nominally [0, 1], not clipped."""
        ...


@dataclass(frozen=True)
class ModelInfo:
    """Which model it is, without the model."""

    name: str
    revision: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Model:
    """A relighting network that is ready to run, and where it comes from."""

    network: RelightingModel
    name: str  # "tiny" or "crocodilight"
    revision: str | None  # of the repository it was published in
    sha256: str | None  # of its file, where it is known
    device: str = "cpu"  # where it runs: "cpu", "cuda", "cuda:1", "mps"
    tile_batch: int = 2  # tiles at a time that use the device well
