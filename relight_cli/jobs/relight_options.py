"""The options of relight."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from relight_cli.errors import UsageError
from relight_cli.jobs.light_options import LightOptions
from relight_cli.jobs.options import MaskedCommandOptions
from relight_cli.relighting.options import ReferenceKind, RelightOptions

MAPPERS = ("deshadow", "albedo")  # the tasks whose mappers find a photo's own light


@dataclass(frozen=True)
class OwnOptions:
    """Options of relight alone; None where an option is not given."""

    date: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="Date of a --sun-at that is a time only. Default: the photo's own."),
    ] = None
    reference: Annotated[
        ReferenceKind,
        typer.Option(
            case_sensitive=False,
            help="What REF shows. auto: found out. aligned: the same view. moved: the same view from a little "
            "elsewhere. scene: another scene. latents: the same view, by the network alone, as published.",
        ),
    ] = RelightOptions.reference
    depth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Depth map of the photo: PNG, TIFF, EXR or npz. Default: estimated."),
    ] = None
    keep_exposure: Annotated[
        bool, typer.Option("--keep-exposure/--no-keep-exposure", help="Keep the brightness, or take that of the light.")
    ] = True
    save_light: Annotated[
        Path | None, typer.Option("--save-light", metavar="FILE.toml", help="Also write the light, for --light.")
    ] = None
    save_shading: Annotated[
        bool,
        typer.Option(
            "--save-shading",
            help="Also write the new light on the surfaces to <output>_shading.png (16 bits), or .tif (float) for a "
            "TIFF.",
        ),
    ] = False
    frames: Annotated[
        int | None, typer.Option(min=2, max=100_000, help="Frames of a --sun-at that is a range, 06:00..21:00.")
    ] = None
    fps: Annotated[float | None, typer.Option(min=0.1, max=1000, help="Frames per second of such a video; 25.")] = None


@dataclass(frozen=True)
class RelightCommandOptions(OwnOptions, LightOptions, MaskedCommandOptions):
    """All options of relight."""

    @property
    def tasks(self) -> list[str]:
        """The tasks that the model of a reference is loaded for; the light of another scene needs the mappers too."""
        may_be_scene = self.detail and self.reference in (ReferenceKind.AUTO, ReferenceKind.SCENE)
        return ["relight", *(MAPPERS if may_be_scene else ())]

    def check(self) -> None:
        """Raise UsageError for options of a light without a photo that contradict each other."""
        if self.reference != ReferenceKind.AUTO:
            raise UsageError(f"--reference {self.reference} needs a photo as --light: leave it out.")
        if not self.detail:
            raise UsageError("--no-detail is the picture of the network, which makes no such light: leave it out.")
        if self.save_light and self.save_light.suffix.lower() != ".toml":
            raise UsageError(f"--save-light {self.save_light}: a light is written as TOML; end the name in .toml.")
        if (self.frames or self.fps) and not self.is_timelapse:
            raise UsageError("--frames and --fps need a range of times: --sun-at 06:00..21:00.")
        if self.date and self.sun_at is None:
            raise UsageError("--date needs --sun-at: a time, such as 19:30.")
        if self.is_timelapse and (self.save_light or self.save_shading):
            raise UsageError("--save-light and --save-shading need a single time: give --sun-at without a range.")

    def check_reference(self) -> None:
        """Raise UsageError for options that a reference photo of the same view leaves without effect."""
        given = {
            "--rotate": self.rotate,
            "--exposure": self.exposure,
            "--depth": self.depth,
            "--no-keep-exposure": not self.keep_exposure,
            "--save-light": self.save_light,
            "--save-shading": self.save_shading,
            "--date": self.date,
            "--frames": self.frames,
            "--fps": self.fps,
        }
        if not self.detail and self.reference not in (ReferenceKind.AUTO, ReferenceKind.LATENTS):
            raise UsageError(
                f"--reference {self.reference} and --no-detail contradict each other: give only one of them."
            )
        if used := [name for name, value in given.items() if value]:
            raise UsageError(f"{used[0]} is for a light that is no photo: leave it out, or give another --light.")

    @property
    def is_timelapse(self) -> bool:
        """Whether the sun moves."""
        return self.sun_at is not None and ".." in self.sun_at
