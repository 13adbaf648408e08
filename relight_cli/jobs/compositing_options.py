"""The options for compositing: layers in one file, and the working space of linear light."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.errors import UnfitOptionError, UsageError
from relight_cli.paths import is_folder
from relight_cli.places.objects import place_of

if TYPE_CHECKING:
    from relight_cli.jobs.outputs import Outputs
    from relight_cli.photos.working_space import WorkingSpace


@dataclass(frozen=True)
class CompositingOptions:
    """Options of relight, deshadow and albedo for compositing; None where an option is not given."""

    layers: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.exr|DIR",
            help="Also write an OpenEXR with layers: the result as R, G, B; photo, albedo, shading, gain, shadow, "
            "shadow_probability, sky, depth and normals. DIR: one file per photo.",
        ),
    ] = None
    working_space: Annotated[
        str | None,
        typer.Option(
            metavar="acescg|NAME",
            help="Write EXR or TIFF in this colour space, and read EXR and float TIFF that state no colours as in it: "
            "acescg, aces2065-1, linear-srgb, linear-p3, linear-rec2020, linear-adobergb, or one of OpenColorIO.",
        ),
    ] = None
    ocio_config: Annotated[
        str | None,
        typer.Option(
            "--ocio-config",
            metavar="FILE",
            show_default="$OCIO, else ocio://default",
            help="OpenColorIO configuration with the name of --working-space.",
        ),
    ] = None

    def compositing(self) -> dict[str, object]:
        """Return these options, which videos and sequences have no use for."""
        return {"--layers": self.layers, "--working-space": self.working_space}

    @property
    def space(self) -> "WorkingSpace | None":
        """The colour space that --working-space names. Raises UsageError, MissingExtraError."""
        if self.working_space is None:
            return None
        from relight_cli.photos.working_space import working_space

        return working_space(self.working_space, self.ocio_config)

    def outputs(self, extras: tuple[str, ...] = (), possible_extras: tuple[str, ...] = ()) -> "Outputs":
        """Return the files that a command makes from a photo; in a working space these are EXR and TIFF."""
        from relight_cli.jobs.outputs import Outputs
        from relight_cli.photos.formats import LINEAR_FORMATS, SUFFIXES, linear_suffix

        if self.working_space is None:
            return Outputs(extras=extras, possible_extras=possible_extras, layers=self.layers)
        suffixes = tuple(suffix for suffix, kind in SUFFIXES.items() if kind in LINEAR_FORMATS)
        return Outputs(suffixes, None, extras, possible_extras, linear_suffix, self.layers)

    def config_files(self) -> dict[str, Path]:
        """Return the file of the OpenColorIO configuration, if one is read, in the form of `Recipe.files`."""
        if self.working_space is None:
            return {}
        from relight_cli.photos.working_space import config_file

        path = config_file(self.working_space, self.ocio_config)
        return {"ocio_config": path} if path else {}

    def check_compositing(self, output: str | None) -> None:
        """Raise UsageError or MissingExtraError for options that cannot be done; `output` is --output."""
        if self.ocio_config is not None and self.working_space is None:
            raise UnfitOptionError("--ocio-config is for --working-space: give both.", "--ocio-config")
        if self.working_space is not None and output:
            from relight_cli.photos.formats import LINEAR_FORMATS, format_of

            path = place_of(output)
            if format_of(path) not in (None, *LINEAR_FORMATS) and not is_folder(output):
                raise UsageError(f"--output {output} cannot hold {self.working_space}: end the name in .exr or .tif.")
        if self.space and self.layers is not None and not self.space.chromaticities:
            raise UsageError(f"--layers are linear light, which {self.space.name} is not: choose another space.")
        if self.layers is not None:
            from relight_cli.jobs.layer_files import check_layers

            check_layers(self.layers)
