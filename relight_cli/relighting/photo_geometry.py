"""The geometry of a photo's working copy, from a depth map or a network."""

from dataclasses import replace

import numpy as np

from relight_cli.models.depth_anything import DepthNetwork
from relight_cli.photos.depth_files import DepthMap
from relight_cli.photos.focal_length import focal_length
from relight_cli.photos.photo import Photo
from relight_cli.photos.shape import Corners, Shape, cut_window
from relight_cli.relighting.estimated_geometry import (
    SurfaceNetwork,
    depth_map_of,
    estimate_geometry,
    surface_maps,
)
from relight_cli.relighting.geometry import Geometry, geometry_of_depth_map, require_aspect
from relight_cli.relighting.lit_subject import GeometryOf, Map


def geometry_of_photo(
    photo: Photo,
    source: DepthMap | SurfaceNetwork | DepthNetwork,
    *,
    name: str = "the depth map",
    sky: SurfaceNetwork | None = None,
    device: str = "cpu",
) -> GeometryOf:
    """Return a function from a working copy of a photo to its geometry, for `put_on`.

    `source` is a depth map of the photo, called `name` in messages, the geometry network, or Depth Anything V2. The
    network `sky` tells sky that these maps do not know. Networks run on `device`. The focal length is that of
    the photo's EXIF, else that of a 50 mm lens. The function raises UsageError for a depth map of another aspect ratio.
    """

    def geometry_of(picture: Map) -> Geometry:
        """Return the geometry of a working copy (h, w, 3), sRGB."""
        focal = focal_length(photo.metadata.exif, *picture.shape[:2])
        if isinstance(source, DepthMap):
            depth_map = _in_window_of(photo, source)
            height, width = photo.pixels.shape[:2]  # named in the message, not those of the copy
            require_aspect(depth_map.values, height, width, name)
        elif isinstance(source, DepthNetwork):
            depth_map = depth_map_of(source, picture, device=device)
        else:
            return estimate_geometry(source, picture, focal, device=device)
        seen_sky = surface_maps(sky, picture, device=device)[2] if sky else None
        return geometry_of_depth_map(depth_map, name, picture, focal, seen_sky)

    return geometry_of


def _in_window_of(photo: Photo, depth_map: DepthMap) -> DepthMap:
    """Return a depth map of what the photo shows, unknown where an EXR stores none of it.

    An EXR stores its data window, a part of its display window; a photo that is one, too, shows its own data window.
    """
    height, width = photo.pixels.shape[:2]
    data, display = _windows(depth_map.shape, *depth_map.values.shape)
    own_data, own_display = _windows(photo.metadata.shape, height, width)
    wanted = own_data if display == own_display else display
    if wanted == data or (display != own_display and depth_map.values.shape == (height, width)):
        return depth_map
    return replace(depth_map, values=cut_window(depth_map.values, data, wanted, np.nan), shape=None)


def _windows(shape: Shape | None, height: int, width: int) -> tuple[Corners, Corners]:
    """Return data window and display window of a picture."""
    whole = (0, 0, width - 1, height - 1)
    return (shape and shape.data_window) or whole, (shape and shape.display_window) or whole
