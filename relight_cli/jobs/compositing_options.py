"""The options for compositing: layers in one file, and the working space of linear light."""

from dataclasses import dataclass
from typing import Annotated

import typer


@dataclass(frozen=True)
class CompositingOptions:
    """Options of relight, deshadow and albedo for compositing; None where an option is not given."""

    layers: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.exr|DIR",
            help="Also write an OpenEXR with layers: the result as R, G, B; photo, albedo, shading, gain, shadow, "
            "shadow_probability, depth and normals. DIR: one file per photo.",
        ),
    ] = None

    def check_compositing(self) -> None:
        """Raise UsageError or MissingExtraError for options that cannot be done."""
        if self.layers is not None:
            from relight_cli.jobs.layer_files import check_layers

            check_layers(self.layers)
