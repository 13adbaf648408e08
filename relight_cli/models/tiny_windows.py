"""`tiny` on a window of a picture whose light differs from tile to tile: one decoder pass, so that nothing meets.

What a tile tells is blended before the decoder, not after it: its intrinsic maps, the field of its light, and the
scales and shifts of every layer (FiLM, Perez et al. 2018).
"""

from typing import TYPE_CHECKING

from torch import Tensor

from relight_cli.models.interface import TileBlock
from relight_cli.models.log_light import log_light_change, log_linear
from relight_cli.models.tile_blend import Blend, BlendedLatents
from relight_cli.models.tiny_layers import SHARES, with_shares

if TYPE_CHECKING:
    from relight_cli.models.tiny import Tiny


def see_tiles(network: "Tiny", tiles: Tensor) -> tuple[Tensor, Tensor]:
    """Return the intrinsic maps (T, w16, S/16, S/16) of sRGB tiles (T, 3, S, S) and their illumination latents."""
    (_, _, f16), light = network.split(*network.features(tiles, log_linear(tiles)))
    return f16, with_shares(light)


def relit_change(network: "Tiny", window: Tensor, tiles: TileBlock, wanted: Tensor) -> Tensor:
    """Return the change of log light (1, 3, H, W) of an sRGB window (1, 3, H, W) to light wanted of its tiles.

    `wanted` are illumination latents (T, 1, L) of other pictures, adapted to the tiles.
    """
    guide, blend = log_linear(window), Blend(tiles)
    f4, f8, f16 = network.features(window, guide)

    def light(illumination: Tensor) -> Tensor:
        latents = illumination[..., :-SHARES].to(f16)
        entering = blend.maps(network.light.entering(tiles.intrinsic.to(f16), latents), f16.shape[2:])
        return network.light.decode(f4, f8, entering, BlendedLatents(latents, blend)).float()

    shadows, _ = network.shading(f4, f8, blend.maps(tiles.intrinsic.to(f16), f16.shape[2:]))
    gone = 1 - blend.values(wanted[:, 0, -SHARES, None].float(), f4.shape[2:])
    return log_light_change(guide, light(wanted) - light(tiles.own) - gone * shadows.float())
