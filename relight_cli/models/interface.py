"""The interface between the package and any relighting network.

CroCoDiLight (ICLR 2026, https://openreview.net/forum?id=GKvb3HCyNk), section 3: a picture's latents are split into one
illumination latent and intrinsic latents, the illumination latent is swapped, mapped or interpolated, and the decoder
turns both into a picture.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

SHADOW, ALBEDO = "shadow", "albedo"  # names of illumination mappers


class View(Protocol):
    """N pictures as the network has seen them, as wholes."""

    def change(self, mapper: str, lit: "Tensor | None" = None) -> "Tensor":
        """Return the change of log light (N, 3, H, W), natural, float32, to mapped light.

        For ALBEDO, `lit` are the same pictures without their cast shadows, as far as these are known.
        """
        ...


@dataclass(frozen=True)
class TileBlock:
    """R rows of K tiles, T in all, that a window of H x W pixels touches, and how they blend there."""

    top: list[int]  # first row of each row of tiles, from the top of the window; may be negative
    left: list[int]  # first column of each column of tiles
    down: "Tensor"  # (R, H), the share of each row of tiles at each row of pixels; they sum to 1
    across: "Tensor"  # (K, W), the same of columns
    intrinsic: "Tensor"  # (T, C', n, n)
    own: "Tensor"  # (T, 1, C''), their illumination latents


class WholeViews(Protocol):
    """The part of a relighting network that sees pictures of any shape: no border of a tile shows in their light."""

    mapper_names: Collection[str]  # that it computes, SHADOW among them; other light goes tile by tile
    sides: tuple[int, ...]  # longer sides of smaller copies in which it looks for shadows too; changes are averaged
    largest: int  # longer side of the largest copy that it may be shown
    stride: int  # windows and the tiles that tell their light begin and end at multiples of it

    def look(self, mapper: str, pictures: "Tensor") -> View:
        """Look at sRGB pictures (N, 3, H, W) in [0, 1]. What is seen serves this mapper, and SHADOW."""
        ...

    def sky(self, pictures: "Tensor") -> "Tensor":
        """Return where sRGB pictures (N, 3, H, W) in [0, 1] surely show the sky, on which no shadow falls.

        That is (N, 1, H, W), 0 to 1; 0 where it is not known.
        """
        ...

    def see_tiles(self, tiles: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return intrinsic maps (T, C', n, n) of sRGB tiles (T, 3, S, S) and their illumination latents (T, 1, C'')."""
        ...

    def relit(self, window: "Tensor", tiles: TileBlock, wanted: "Tensor") -> "Tensor":
        """Return the change of log light (1, 3, H, W), natural, float32, of an sRGB window (1, 3, H, W) in [0, 1].

        It leads from the tiles' own light to that of `wanted`, adapted illumination latents (T, 1, C'') for them.
        """
        ...

    def settled(self, change: "Tensor") -> "Tensor":
        """Return the mean (N, 3, H, W) of changes that remove shadows without what is too small to be believed."""
        ...


class RelightingModel(Protocol):
    """A network that separates the light from a tile and replaces it.

    T tiles of S x S pixels, S = `tile_size`; N tokens of C channels. Channels have no fixed meaning. Illumination
    latents may have another number of channels; they may be interpolated and averaged.
    """

    tile_size: int
    lossless: bool  # a tile in its own light comes back unchanged, so that it need not be computed
    # Longer side of the copy of a photo that gives the best gain; 0: full size.
    max_side: int  # for mapped light, and for light between frames
    reference_side: int  # for the light of a reference

    @property
    def whole_views(self) -> WholeViews | None:
        """The network as it sees whole pictures; None if it sees tiles alone."""
        ...

    @property
    def mapper_names(self) -> Collection[str]:
        """Names of the loaded illumination mappers: `shadow`, `albedo`."""
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
        """Combine intrinsic latents and an illumination latent into the latents of the relit picture (T, N, C''')."""
        ...

    def decode(self, latents: "Tensor") -> "Tensor":
        """Return the sRGB-encoded picture (T, 3, S, S), float32, nominally [0, 1], not clipped."""
        ...


@dataclass(frozen=True)
class ModelInfo:
    """The identity of a model, without its network."""

    name: str
    revision: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Model:
    """A relighting network that is ready to run, and its source."""

    network: RelightingModel
    name: str  # "tiny", "crocodilight", or the name of a trained file
    revision: str | None  # of the repository it was published in
    sha256: str | None  # of its file, if it is known
    device: str = "cpu"  # where it runs: "cpu", "cuda", "cuda:1", "mps"
    tile_batch: int = 2  # tiles at a time that use the device well
    workers: int = 1  # batches of tiles at a time, each on one thread of torch; 1: one batch on all threads
