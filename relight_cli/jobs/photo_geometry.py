"""Where the geometry of the photos of a command comes from: a depth map, or a network."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relight_cli.photos.depth_files import DepthMap
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.estimated_geometry import SurfaceNetwork
    from relight_cli.relighting.lit_subject import GeometryOf


class GeometrySource:
    """The depth map that --depth names, or else a network that is loaded when a photo needs it."""

    def __init__(self, depth: Path | None, load: "Callable[[], SurfaceNetwork]", device: str, max_pixels: int) -> None:
        """Read the depth map. Raises PhotoUnreadableError, MissingExtraError, UsageError."""
        from relight_cli.photos.depth_files import read_depth_map

        self._path, self._load, self._device = depth, load, device
        self._map: DepthMap | None = read_depth_map(depth, max_pixels=max_pixels) if depth else None

    def of(self, photo: "Photo") -> "GeometryOf":
        """Return a function from a working copy of a photo to its geometry; it raises UsageError if --depth misfits."""
        from relight_cli.relighting.photo_geometry import geometry_of_photo

        source = self._network if self._map is None else self._map
        return geometry_of_photo(photo, source, name=str(self._path), device=self._device)

    @cached_property
    def _network(self) -> "SurfaceNetwork":
        return self._load()
