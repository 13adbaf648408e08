"""The steps that deshadow and albedo share: check, plan, load, and make photos, videos or sequences."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from relight_cli.jobs.mapping_options import MappingCommandOptions
from relight_cli.jobs.masks import MaskFile
from relight_cli.jobs.outputs import Outputs
from relight_cli.jobs.photo_command import PhotoCommand
from relight_cli.jobs.photo_geometry import SurfaceNetworks
from relight_cli.jobs.photo_layers import PhotoLayers, Result, tasks_with_layers
from relight_cli.jobs.reports import ModelIdentity
from relight_cli.sequences.command import command_for
from relight_cli.sequences.video_command import VideoCommand

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo


class MappingNetworks(SurfaceNetworks, Protocol):
    """The networks of a run; see `checkpoints.networks`."""

    def expected_model(self, tasks: Collection[str]) -> ModelIdentity: ...
    def load_model(self, tasks: Collection[str]) -> "Model": ...


@dataclass(frozen=True)
class Task:
    """What a call of deshadow or albedo makes of each photo."""

    name: str  # of the task: "deshadow"
    made: str  # as in output names: "deshadowed"
    outputs: Outputs
    more: Mapping[str, object]  # as in `Recipe.more`
    unfit: Mapping[str, object]  # options, by name, that videos and sequences have no use for


@dataclass(frozen=True)
class MappingCommand:
    """A call of deshadow or albedo that is planned, with its model, mask and layers."""

    command: PhotoCommand | VideoCommand
    model: "Model"
    mask: MaskFile
    layers: PhotoLayers

    @classmethod
    def prepare(
        cls, photos: list[str], task: Task, options: MappingCommandOptions, networks: MappingNetworks
    ) -> "MappingCommand | None":
        """Check everything, then load the model; return None if there is nothing to do here."""
        tasks = tasks_with_layers(task.name, options)
        recorded: dict[str, object] = dict(task.more)
        if options.layers is not None:
            recorded |= networks.expected_surfaces(estimated=not options.depth)
        unfit = {**task.unfit, **options.compositing()}
        command = command_for(
            photos, task.made, networks.expected_model(tasks), options, options.files(), recorded, unfit
        )
        if not command.plan(photos, task.outputs):
            return None
        mask, layers = command.read_mask(options), PhotoLayers.of_command(options.depth, options, networks)
        if command.is_made_elsewhere():
            return None
        model = networks.load_model(tasks)
        command.record(layers.find_surfaces(model, networks))
        return cls(command, model, mask, layers)

    def with_layers(self, result: Result, model: "Model", photo: "Photo", tile_batch: int) -> Result:
        """Return the result of a photo with its layers, if there are to be any."""
        return self.layers.added(result, model, photo, self.command.options, tile_batch)
