"""The networks of one run of a command, which is told once which ones it may use and where they come from."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relight_cli.checkpoints import models, surfaces
from relight_cli.checkpoints.weights import LookUp

if TYPE_CHECKING:
    from relight_cli.checkpoints.models import ModelInfo
    from relight_cli.models.geometry import GeometryNetwork
    from relight_cli.models.interface import Model


@dataclass(frozen=True)
class Networks:
    """A relighting model by the name under which it is loaded, and the networks that tell the surfaces of photos."""

    name: str
    look_up: LookUp
    device: str
    dtype: str
    notify: Callable[[str], None]

    @classmethod
    def of(cls, *, name: str, device: str, dtype: str, notify: Callable[[str], None], **look_up: Any) -> "Networks":
        """Return those of the arguments of `load_model`."""
        return cls(name, LookUp(**look_up), device, dtype, notify)

    @property
    def weights_dir(self) -> Path | None:
        """The folder that is searched before the Hub's cache."""
        return self.look_up.weights_dir

    def expected_model(self, tasks: Collection[str]) -> "ModelInfo":
        """Return the model for some tasks that would be loaded without the Hub; see `models.expected_model`."""
        return models.expected_model(self.name, tasks, self.weights_dir)

    def load_model(self, tasks: Collection[str]) -> "Model":
        """Load the model for some tasks; see `models.load_model`."""
        return models.load_model(
            self.name, tasks=tasks, device=self.device, dtype=self.dtype, notify=self.notify, **vars(self.look_up)
        )

    def with_mappers(self, model: "Model") -> "Model":
        """Return a model of this name with the mappers of deshadow and albedo; see `models.with_mappers`."""
        return models.with_mappers(model, self.name, self.look_up, self.notify)

    def expected_surfaces(self, *, estimated: bool) -> dict[str, str | None]:
        """Return the hashes that outputs record of the networks of surfaces; see `surfaces.expected_networks`."""
        return surfaces.expected_networks(self.name, self.weights_dir, estimated=estimated)

    def find_surfaces(self, model: "Model", *, device: str) -> surfaces.SurfaceSource:
        """Return the network that estimates surfaces next to a loaded model; see `surfaces.find_surfaces`."""
        return surfaces.find_surfaces(self.name, model, self.look_up, device=device, notify=self.notify)

    def load_sky(self, *, device: str) -> "GeometryNetwork":
        """Load the network that tells the sky of photos whose depth map is given."""
        return surfaces.load_geometry(device=device)
