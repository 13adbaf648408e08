"""The options of deshadow and albedo."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from relight_cli.errors import UnfitOptionError
from relight_cli.jobs.options import MaskedCommandOptions
from relight_cli.relighting.options import MappingOptions, TileColour


@dataclass(frozen=True)
class MappingCommandOptions(MaskedCommandOptions):
    """Options of deshadow and albedo."""

    tile_colour: Annotated[
        TileColour,
        typer.Option(
            case_sensitive=False,
            help="agree: tiles adjust their colours to each other. free: they do not, as published.",
        ),
    ] = MappingOptions.tile_colour
    depth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Depth map of the photo for --layers: PNG, TIFF, EXR or npz. Default: estimated."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Raise UsageError for options that contradict each other."""
        super().__post_init__()
        if self.depth is not None and self.layers is None:
            raise UnfitOptionError("--depth is for the depth and the normals of --layers: give both.", "--depth")

    def files(self) -> dict[str, Path]:
        """Return what is read besides photos, in the form of `Recipe.files`."""
        return self.mask_files() | self.config_files() | ({"depth": self.depth} if self.depth else {})
