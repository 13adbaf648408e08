"""The geometry of a photo's working copy, from a depth map or a network."""

from relight_cli.models.depth_anything import DepthNetwork
from relight_cli.photos.depth_files import DepthMap
from relight_cli.photos.focal_length import focal_length
from relight_cli.photos.photo import Photo
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
            height, width = photo.pixels.shape[:2]  # named in the message, not those of the copy
            require_aspect(source.values, height, width, name)
            depth_map = source
        elif isinstance(source, DepthNetwork):
            depth_map = depth_map_of(source, picture, device=device)
        else:
            return estimate_geometry(source, picture, focal, device=device)
        seen_sky = surface_maps(sky, picture, device=device)[2] if sky else None
        return geometry_of_depth_map(depth_map, name, picture, focal, seen_sky)

    return geometry_of
