"""What --layers writes of each photo of a command."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from relight_cli.jobs.options import LightCommandOptions, subset
from relight_cli.jobs.photo_geometry import GeometrySource, SurfaceNetworks

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.light_change import ChangeResult

Result = TypeVar("Result", bound="ChangeResult")

TASKS = ("deshadow", "albedo")  # the tasks whose mappers the layers need


def tasks_with_layers(task: str, options: LightCommandOptions) -> list[str]:
    """Return the tasks that the model of a command is loaded for."""
    return list(dict.fromkeys((task, *TASKS))) if options.layers is not None else [task]


@dataclass(frozen=True)
class PhotoLayers:
    """Adds layers to the results of a command, if --layers asks for them."""

    geometry: GeometrySource | None  # None: no layers

    @classmethod
    def of_command(cls, depth: Path | None, options: LightCommandOptions, networks: SurfaceNetworks) -> "PhotoLayers":
        """Return those of the options of a command, and read the depth map, if they need one."""
        return cls(None if options.layers is None else GeometrySource.of_command(depth, options, networks))

    def find_surfaces(self, model: "Model", networks: SurfaceNetworks) -> dict[str, str | None]:
        """Find the network that estimates surfaces, if layers need it; return what `Recipe.more` says of it."""
        if self.geometry is None or self.geometry.is_given:
            return {}
        return self.geometry.find(model, networks)

    def added(
        self, result: Result, model: "Model", photo: "Photo", options: LightCommandOptions, tile_batch: int
    ) -> Result:
        """Return the result of a photo with its layers; the model has the mappers of TASKS."""
        if self.geometry is None:
            return result
        from relight_cli.relighting.options import MappingOptions
        from relight_cli.relighting.photo_layers import find_parts, layered_photo

        parts = find_parts(
            model, photo, self.geometry.of(photo), subset(options, MappingOptions, tile_batch=tile_batch)
        )
        return replace(result, layered=layered_photo(photo, result.photo, parts, options.space))
