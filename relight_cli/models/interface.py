"""What a pipeline needs of a network, whichever one it holds.

CroCoDiLight (ICLR 2026, https://openreview.net/forum?id=GKvb3HCyNk), section 3: a picture's latents are split into one
illumination latent and intrinsic latents; the illumination latent is swapped, mapped or interpolated; the rest decodes.
"""

from typing import Protocol

from torch import Tensor


class RelightingModel(Protocol):
    """A network that takes the light out of a tile and puts another in.

    T tiles of S x S pixels, S = `tile_size`; N tokens of C channels. What is inside C is the network's own affair; the
    illumination latent's channels need not be the tokens'. Illumination latents may be interpolated and averaged.
    """

    tile_size: int
    lossless: bool  # a tile under its own light comes back as it is, which then need not be computed
    # Longer side of the copy of a photo that serves best, where the gain is all that is wanted; 0: any.
    max_side: int  # for mapped light, and for light between frames
    reference_side: int  # for the light of a reference

    def encode(self, tiles: Tensor) -> Tensor:
        """Give the latents (T, N, C) of sRGB-encoded tiles (T, 3, S, S) in [0, 1]."""
        ...

    def delight(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Split latents (T, N, C) into intrinsic latents (T, N, C') and the illumination latent (T, 1, C'')."""
        ...

    def map_illumination(self, mapper: str, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        """Map the illumination latent (T, 1, C'') to that of the `shadow`-free or `albedo` picture."""
        ...

    def lend(self, illumination: Tensor, own: Tensor) -> Tensor:
        """Give illumination latents (T, 1, C'') of elsewhere as they light tiles with latents of their own."""
        ...

    def relight(self, intrinsic: Tensor, illumination: Tensor) -> Tensor:
        """Join intrinsic latents and an illumination latent to the latents of the relit picture (T, N, C''')."""
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Give the sRGB-encoded picture (T, 3, S, S), float32, nominally [0, 1], not clipped."""
        ...
