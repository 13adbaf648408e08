"""Where the geometry of the photos of a command comes from: a depth map, or a network."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from relight_cli.jobs.console import notifier
from relight_cli.jobs.options import LightCommandOptions

if TYPE_CHECKING:
    from relight_cli.models.depth_anything import DepthNetwork
    from relight_cli.models.interface import Model
    from relight_cli.photos.depth_files import DepthMap
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.estimated_geometry import SurfaceNetwork
    from relight_cli.relighting.lit_subject import GeometryOf

    Load = Callable[[], SurfaceNetwork | DepthNetwork]


# Notes on depth maps that do not say what their numbers are, by what they are taken for.
_ASSUMED = {
    "disparity": "whole numbers are read as disparity, larger is nearer; for distances give an npz with an array depth",
    "depth": "floats are read as distances, larger is further away; for disparity give an npz with an array disparity",
}


class FoundSurfaces(Protocol):
    """A network that estimates surfaces, found and not loaded yet."""

    @property
    def sha256(self) -> str | None:
        """The hash of its file."""
        ...

    @property
    def load(self) -> "Load":
        """Loads it."""
        ...


class LoadSky(Protocol):
    """Loads the network that tells the sky of photos whose depth map is given."""

    def __call__(self, *, device: str) -> "SurfaceNetwork": ...


class SurfaceNetworks(Protocol):
    """The networks that give surfaces to the photos of a run; see `checkpoints.networks`."""

    def expected_surfaces(self, *, estimated: bool) -> dict[str, str | None]: ...
    def find_surfaces(self, model: "Model", *, device: str) -> FoundSurfaces: ...
    def load_sky(self, *, device: str) -> "SurfaceNetwork": ...


class GeometrySource:
    """The depth map that --depth names, and networks that are loaded when a picture needs them."""

    @classmethod
    def of_command(
        cls, depth: Path | None, options: LightCommandOptions, networks: SurfaceNetworks
    ) -> "GeometrySource":
        """Return that of the options of a command."""
        from relight_cli.devices import choose

        source = cls(depth, choose(options.device, options.dtype).device, options.max_pixels, networks.load_sky)
        if source._map and not source._map.stated:
            notifier(options.quiet)(f"{depth}: {_ASSUMED[source._map.quantity]}")
        return source

    def __init__(self, depth: Path | None, device: str, max_pixels: int, load_sky: LoadSky) -> None:
        """Read the depth map. Raises PhotoUnreadableError, MissingExtraError, UsageError."""
        from relight_cli.photos.depth_files import read_depth_map

        self._path, self.device, self._lock = depth, device, Lock()
        self._map: DepthMap | None = read_depth_map(depth, max_pixels=max_pixels) if depth else None
        self._load: Load | None = None
        self._load_sky = load_sky

    @property
    def is_given(self) -> bool:
        """Whether --depth gives the surfaces of photos."""
        return self._map is not None

    def use(self, found: FoundSurfaces) -> dict[str, str | None]:
        """Take a network for pictures without a depth map; return what `Recipe.more` says of it."""
        self._load = found.load
        return {"geometry": found.sha256}

    def find(self, model: "Model", networks: SurfaceNetworks) -> dict[str, str | None]:
        """Find a network for pictures without a depth map; return what `Recipe.more` says of it."""
        return self.use(networks.find_surfaces(model, device=self.device))

    def of(self, photo: "Photo") -> "GeometryOf":
        """Return a function from a working copy of a photo to its geometry; it raises UsageError if --depth misfits."""
        from relight_cli.relighting.photo_geometry import geometry_of_photo

        if self._map is None:
            return self.estimated(photo)
        with self._lock:
            sky = self._sky
        return geometry_of_photo(photo, self._map, name=str(self._path), sky=sky, device=self.device)

    def estimated(self, picture: "Photo") -> "GeometryOf":
        """Return a function from a working copy of a picture that has no depth map to its geometry."""
        from relight_cli.models.depth_anything import DepthNetwork
        from relight_cli.relighting.photo_geometry import geometry_of_photo

        with self._lock:
            network = self._network
            sky = self._sky if isinstance(network, DepthNetwork) else None
        return geometry_of_photo(picture, network, sky=sky, device=self.device)

    @cached_property
    def _network(self) -> "SurfaceNetwork | DepthNetwork":
        assert self._load is not None
        return self._load()

    @cached_property
    def _sky(self) -> "SurfaceNetwork":
        return self._load_sky(device=self.device)
