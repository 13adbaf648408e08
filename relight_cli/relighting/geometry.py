"""Where the surfaces of a photo are and where they face, at the size of a working copy."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.photos.depth_files import DISPARITY, DepthMap
from relight_cli.rasters.holes import filled_from_nearest
from relight_cli.relighting.guided import guided_upsample
from relight_cli.relighting.surfaces import disparity_normals

Map = NDArray[np.float32]

FAR = 0.01  # share of the near disparity (99th percentile) below which a pixel counts as infinitely far away
SHIFT = 0.05  # added to an affine disparity, as a share of the near disparity, before it becomes depth
_DISTANT, _FARTHER_HALF = 0.2, 0.5  # shares of the near disparity below which there may be sky that a network sees
_FURTHEST = 1e-3  # least disparity, as a share of the near disparity
_EDGE = 0.03  # difference, as a share of the local disparity, from which a shrunk pixel lies on an edge
NOISE_OF_FILES = 0.005  # relative error of depth that has the steps of 8 bits, or is a network's
_ASPECT = 0.01  # tolerance of aspect ratios, besides a pixel of rounding


@dataclass(frozen=True)
class Geometry:
    """The surfaces of a picture (H, W): what a light needs to know."""

    depth: Map  # (H, W) along the camera's axis, positive and finite, in any unit
    normals: Map  # (H, W, 3) unit: x right, y up, z towards the viewer; (0, 0, 1) in the sky
    sky: Map  # (H, W) share of sky in [0, 1]
    focal: float  # pixels of this size; the principal point is the middle of the picture
    noise: float = 0.0  # relative error of the depth from pixel to pixel, which must not cast shadows


def infinitely_far(disparity: Map) -> NDArray[np.bool_]:
    """Return where a disparity (h, w) is infinitely far away; nowhere in a picture without depth."""
    return disparity < FAR * np.percentile(disparity, 99)


def geometry_of_disparity(
    disparity: Map,
    picture: Map,
    focal: float,
    *,
    shift: float = SHIFT,
    normals: Map | None = None,
    sky: Map | None = None,
    noise: float = 0.0,
) -> Geometry:
    """Return the geometry of a picture (H, W, 3), sRGB, from a disparity (h, w) of any size and positive scale.

    Depth is z = 1 / (disparity + shift), `shift` a share of the near disparity: 0 for one that is 1 / depth, some for
    one whose zero is unknown; planes stay planes under any shift. NaN is filled from the nearest pixel, 0 is infinitely
    far away. Maps of another size are fitted to the picture along its edges. `normals` (h, w, 3) and `sky` (h, w) come
    from the disparity where they are not given. `focal` is in pixels of the picture, `noise` as in `Geometry`.
    """
    large = fit_to_picture(_in_range(fill_holes(disparity))[..., None], picture)[..., 0]
    large = large - min(float(large.min()), 0.0)
    near = max(float(np.percentile(large, 99)), 1e-12)
    if sky is None:
        sky_share = infinitely_far(large).astype(np.float32)
    else:
        sky_share = fit_to_picture(sky[..., None], picture)[..., 0].clip(0, 1)
    shifted = np.maximum(large + np.float32(shift * near), np.float32(_FURTHEST * near))
    facing = disparity_normals(shifted, focal) if normals is None else fit_to_picture(normals, picture)
    facing = _blend_to_viewer(facing, sky_share)
    return Geometry((1 / shifted).astype(np.float32), facing, np.ascontiguousarray(sky_share), float(focal), noise)


def _in_range(disparity: Map) -> Map:
    """Return a disparity (h, w) in another unit if its squares might overflow or vanish."""
    largest = float(np.abs(disparity).max())
    return disparity if 1e-6 <= largest <= 1e6 or largest == 0 else disparity / np.float32(largest)


def geometry_of_depth_map(
    depth_map: DepthMap, name: str, picture: Map, focal: float, seen_sky: Map | None = None
) -> Geometry:
    """Return the geometry of a picture (H, W, 3), sRGB, from the depth map of a file called `name`.

    `focal` is in pixels of the picture. The sky is what is infinitely far away, and the share of sky `seen_sky` (h, w)
    that a network sees in the picture where the map allows it. Raises UsageError for another aspect ratio.
    """
    require_aspect(depth_map.values, len(picture), picture.shape[1], name)
    affine = depth_map.quantity == DISPARITY
    disparity, sky = depth_map.disparity, None
    if seen_sky is not None:
        filled = fill_holes(disparity)
        filled = filled - min(float(filled.min()), 0.0)
        may_be_sky = np.isnan(disparity) | _is_far(filled, affine)
        maps = infinitely_far(filled).astype(np.float32), may_be_sky.astype(np.float32), seen_sky
        far, allowed, seen = (fit_to_picture(one[..., None], picture) for one in maps)
        sky = np.maximum(far, allowed * seen)[..., 0]
    shift = SHIFT if affine else 0.0
    return geometry_of_disparity(disparity, picture, focal, shift=shift, sky=sky, noise=NOISE_OF_FILES)


def _is_far(disparity: Map, affine: bool) -> NDArray[np.bool_]:
    """Return where (h, w) the sky that a network sees in a picture may be, by its disparity, 0 or more.

    Of an `affine` one, whose zero is unknown, that is the farther half, unless it has infinitely far pixels of its own.
    """
    least, near = 0.0, float(np.percentile(disparity, 99))
    share = _DISTANT
    if affine and not infinitely_far(disparity).any():
        least, share = float(disparity.min()), _FARTHER_HALF
    return disparity - least < share * (near - least)


def _blend_to_viewer(normals: Map, sky: Map) -> Map:
    """Return unit normals that face the viewer where there is sky."""
    viewer = np.array((0, 0, 1), np.float32)
    mixed = normals * (1 - sky[..., None]) + viewer * sky[..., None]
    length = np.linalg.norm(mixed, axis=-1, keepdims=True)
    return np.where(length > 1e-3, mixed / length.clip(min=1e-6), viewer).astype(np.float32)


def fill_holes(values: Map) -> Map:
    """Replace NaN in a map (h, w) by the nearest known value. Raises UsageError if nothing is known."""
    unknown = np.isnan(values)
    if unknown.all():
        raise UsageError("the depth map holds no depth: give another one.")
    return filled_from_nearest(values, unknown) if unknown.any() else values


def require_aspect(values: Map, height: int, width: int, name: str) -> None:
    """Raise UsageError if a map (h, w), called `name` in the message, cannot be a photo's (height, width)."""
    high, wide = values.shape[:2]
    slack = _ASPECT * max(high * width, wide * height) + max(height, width, high, wide)
    if abs(high * width - wide * height) > slack:
        raise UsageError(
            f"{name} is {wide} x {high} pixels and the photo {width} x {height}, which is another aspect ratio: give a "
            "depth map of the whole photo, in any size."
        )


def fit_to_picture(maps: Map, picture: Map) -> Map:
    """Return maps (h, w, C) in the size of a picture (H, W, 3), sRGB, with their edges kept.

    Larger maps are averaged except at their edges, where each pixel keeps one value; smaller ones follow the edges of
    the picture and stay in their own range.
    """
    height, width = picture.shape[:2]
    if maps.shape[:2] == (height, width):
        return np.ascontiguousarray(maps, np.float32)
    if maps.shape[0] * maps.shape[1] > height * width:
        return shrink(maps, height, width)
    small = cv2.resize(picture, (maps.shape[1], maps.shape[0]), interpolation=cv2.INTER_AREA)
    low, high = maps.min(axis=(0, 1)), maps.max(axis=(0, 1))
    return guided_upsample(np.ascontiguousarray(maps, np.float32), np.asarray(small, np.float32), picture).clip(
        low, high
    )


def shrink(maps: Map, height: int, width: int) -> Map:
    """Return maps (h, w, C) in a smaller size: means, but at edges the value of one pixel."""
    maps = np.ascontiguousarray(maps, np.float32)
    mean, middle = (
        np.asarray(cv2.resize(maps, (width, height), interpolation=how)).reshape(height, width, -1)
        for how in (cv2.INTER_AREA, cv2.INTER_NEAREST_EXACT)
    )
    return np.where(np.abs(mean - middle) > _EDGE * np.abs(mean), middle, mean)
