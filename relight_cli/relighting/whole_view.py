"""Map the light of a picture that the network sees as a whole: no tiles, so no borders between them.

For shadows the network looks at the picture in several sizes. A large copy shows borders, a small one what is a shadow
in the view; the mean of their changes is nearer the truth than either, the more so the more it trusts those whose
shadows have the borders of the picture. The sky has no shadows. Albedo is found once they are known.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.models.interface import ALBEDO, SHADOW, RelightingModel, View, WholeViews
from relight_cli.rasters.resizing import fit_within, resized
from relight_cli.rasters.rows import Raster
from relight_cli.relighting.found_shadows import find_shadows
from relight_cli.relighting.gain import apply_log_gain, change_gain
from relight_cli.relighting.guided import fit_guided
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.options import ChangeOptions, TileOptions
from relight_cli.relighting.parallel import in_order
from relight_cli.relighting.shadow_borders import ShadowBorders
from relight_cli.relighting.shadow_profile import even_umbra, fit_penumbra

Maps = NDArray[np.float32]
Size = tuple[int, int]  # height, width

# Shadows less probable stay by default. Of pictures held out of the fit of the probabilities, that makes grounds 2.1 dB
# better (in shadow .03 worse), photos under made light 1.7 (.09) and rendered views 3.0 (.07); real shots with a sound
# truth stay as they are, .1 better outside their shadows. At .5 .1 to .2 more is lost in shadows, .05 on real shots.
THRESHOLD = 0.4
_TRUST = 4  # power of the share of the borders that agree, by which a look is weighted
_WHITE = 99.5  # percentile of an albedo that is not above 1


def whole_views(network: RelightingModel, mapper: str, change: ChangeOptions, tiling: TileOptions) -> WholeViews | None:
    """Return the part of a network that maps this light in whole pictures; None if tiles do it.

    Tiles do it for the raw output of the decoder, and where they need not agree on colours, as published.
    """
    views = network.whole_views if change.detail and tiling.agree else None
    return views if views and mapper in views.mapper_names else None


def view_sizes(views: WholeViews, picture: Raster, max_side: int) -> list[Size]:
    """Return the sizes of the copies of a picture that the network sees, the finest first, within `max_side`."""
    height, width = picture.shape[:2]
    finest = fit_within(height, width, min(max_side or views.largest, views.largest))
    return [finest, *(fit_within(*finest, side) for side in views.sides if side < max(finest))]


def view_tiles(network: RelightingModel, views: WholeViews, mapper: str, picture: Raster, max_side: int) -> int:
    """Return the number of tiles that take as long as all passes over a picture."""
    sizes = view_sizes(views, picture, max_side)
    return sum(_tiles(network, size) for size in ([*sizes, sizes[0]] if mapper == ALBEDO else sizes))


def map_whole(
    network: RelightingModel,
    views: WholeViews,
    picture: Raster,
    mapper: str,
    change: ChangeOptions,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> Raster:
    """Return an sRGB picture (H, W, 3) with its own pixels under its mapped light, not clipped.

    The gain is that of the finest copy, enlarged along the picture's edges. Rows are computed when they are read.
    """
    stops, working = whole_gain(network, views, picture, mapper, tiling, progress)
    threshold = THRESHOLD if change.threshold is None else change.threshold
    if threshold and mapper == SHADOW:
        stops = stops * find_shadows(stops, working).share_kept(threshold)
    stops = stops * np.float32(change.strength)
    if working.shape[:2] == picture.shape[:2]:
        return apply_log_gain(picture, lambda rows, own: stops[rows])
    guided = fit_guided(stops, working)
    return apply_log_gain(picture, lambda rows, own: guided.rows(own, rows.start, picture.shape[0]))


def whole_gain(
    network: RelightingModel,
    views: WholeViews,
    picture: Raster,
    mapper: str,
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> tuple[Maps, Maps]:
    """Return the gain (h, w, 3) in stops of the finest copy of an sRGB picture (H, W, 3), and the copy (h, w, 3).

    That of shadows is even inside them and has the level and the profile that their borders ask for; that of albedo
    leaves no surface brighter than white.
    """
    sizes = view_sizes(views, picture, tiling.max_side)
    working = np.ascontiguousarray(resized(picture, *sizes[0]), np.float32)
    borders = ShadowBorders(working)
    view, stops, sky = _shadows(network, views, mapper, working, borders, sizes, tiling, progress)
    stops = even_umbra(stops)
    stops = borders.level(stops).applied(stops)
    stops = stops + (1 - sky) * (fit_penumbra(stops, np.nan_to_num(working).clip(0, 1)) - stops)
    if mapper == SHADOW:
        return stops, working
    stops = stops * find_shadows(stops, working).share_kept(THRESHOLD)
    # On one thread as the shadows are: more would round differently.
    (stops,) = in_order(lambda shadows: _albedo(view, working, shadows, tiling.device), [stops], tiling.workers)
    progress(_tiles(network, sizes[0]))
    return _below_white(stops, working), working


@torch.inference_mode()
def _albedo(view: View, working: Maps, shadows: Maps, device: str) -> Maps:
    """Return the gain (h, w, 3) in stops to the albedo of a copy (h, w, 3), sRGB, whose cast shadows are known."""
    own = _batch(np.nan_to_num(working).clip(0, 1), device)
    without = linear_to_srgb(srgb_to_linear(own) * torch.exp2(_batch(shadows, device))).clamp(0, 1)
    change = view.change(ALBEDO, without)
    level = change.mean()  # its scale is free: a gain is limited from there
    stops = change_gain(change - level, own)
    return _array(stops + level / math.log(2))


def _below_white(stops: Maps, working: Maps) -> Maps:
    """Return the gain (h, w, 3) to an albedo, lowered by one number where more would be reflected than arrives.

    The scale of an albedo is not known, but it is not larger. Highlights may be above white.
    """
    reflected = (to_linear(np.nan_to_num(working).clip(0, 1)) * np.exp2(stops)).max(axis=-1)
    return stops - np.float32(max(0.0, math.log2(max(float(np.percentile(reflected, _WHITE)), 1e-6))))


class _Look(NamedTuple):
    """One pass over a copy, in one of its sizes."""

    view: View
    change: Tensor  # (1, 3, h, w) of log light, in the size of the copy
    trust: float  # its weight
    sky: Tensor | None  # (1, 1, h, w); told with the smallest pass, next to the least work


def _shadows(
    network: RelightingModel,
    views: WholeViews,
    mapper: str,
    working: Maps,
    borders: ShadowBorders,
    sizes: list[Size],
    tiling: TileOptions,
    progress: Callable[[int], None] = lambda tiles: None,
) -> tuple[View, Maps, Maps]:
    """Return what is seen in a copy (h, w, 3), sRGB, the gain (h, w, 3) in stops against its shadows, and the sky.

    The gain is the mean of passes over the copy in `sizes`, its own first, where the network looks for `mapper`; the
    more of a pass's borders agree with those of the copy, the more it counts. The sky is (h, w, 1), in [0, 1]; where it
    is 1 the gain is 0.
    """
    seen = np.nan_to_num(working).clip(0, 1)
    own = _batch(seen, tiling.device)

    @torch.inference_mode()
    def look(size: Size) -> _Look:
        finest = size == sizes[0]
        copy = seen if finest else cv2.resize(seen, size[::-1], interpolation=cv2.INTER_AREA)
        view = views.look(mapper if finest else SHADOW, _batch(np.asarray(copy, np.float32), tiling.device))
        change = F.interpolate(view.change(SHADOW), sizes[0], mode="bilinear")
        trust = borders.share_agreed(_array(change) / np.float32(math.log(2))) ** _TRUST
        return _Look(view, change, trust, views.sky(own) if size == sizes[-1] else None)

    looks = []
    for size, one in zip(sizes, in_order(look, sizes, tiling.workers), strict=True):
        looks.append(one)
        progress(_tiles(network, size))
    sky = looks[-1].sky
    assert sky is not None
    with torch.inference_mode():
        mean = torch.stack([x.trust * x.change for x in looks]).sum(dim=0) / sum(x.trust for x in looks)
        log_light = views.settled(mean) * (1 - sky)
        return looks[0].view, _array(change_gain(log_light, own)), _array(sky)


def _tiles(network: RelightingModel, size: Size) -> int:
    return math.ceil(size[0] * size[1] / network.tile_size**2)


def _batch(picture: Maps, device: str) -> Tensor:
    """Return a picture (h, w, 3) as a batch (1, 3, h, w) on the device."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].to(device)


def _array(maps: Tensor) -> Maps:
    """Return maps (1, C, h, w) as an array (h, w, C)."""
    return np.ascontiguousarray(maps[0].permute(1, 2, 0).float().cpu().numpy())
