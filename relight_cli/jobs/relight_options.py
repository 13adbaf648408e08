"""The options of relight."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from relight_cli.errors import UnfitOptionError, UsageError
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
        bool | None,
        typer.Option(
            "--keep-exposure/--no-keep-exposure",
            help="Keep the photo's brightness, or take that of the light. Default: keep it, but follow a reference of "
            "another scene or a light fitted to one.",
        ),
    ] = None
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
        int | None, typer.Option(min=2, max=100_000, help="Frames of a --sun-at that is a range, 06:00..21:00; 120.")
    ] = None
    fps: Annotated[float | None, typer.Option(min=0.1, max=1000, help="Frames per second of such a video; 25.")] = None


@dataclass(frozen=True)
class RelightCommandOptions(OwnOptions, LightOptions, MaskedCommandOptions):
    """All options of relight."""

    @property
    def may_show_surfaces(self) -> bool:
        """Whether the light of a reference may need the surfaces of photos: of another scene, or outside an overlap."""
        kinds = (ReferenceKind.AUTO, ReferenceKind.MOVED, ReferenceKind.SCENE)
        return self.detail and self.reference in kinds

    @property
    def may_be_same_view(self) -> bool:
        """Whether a reference may be compared with photos, cell by cell."""
        return self.detail and self.reference not in (ReferenceKind.SCENE, ReferenceKind.LATENTS)

    def unfit_for_videos(self) -> dict[str, object]:
        """Return what is given of the options that videos have no use for."""
        names = ("depth", "save_light", "save_shading", "frames", "fps")
        return {f"--{name.replace('_', '-')}": getattr(self, name) for name in names} | self.compositing()

    def depth_file(self) -> dict[str, Path]:
        """Return the depth map, if any, in the form of `Recipe.files`."""
        return {"depth": self.depth} if self.depth else {}

    def idle(self, *, partial: bool) -> list[str]:
        """Return the options that are given and have no effect on a photo whose view the reference shows, or a part."""
        given = {
            "--rotate": self.rotate,
            "--exposure": self.exposure,
            "--keep-exposure": self.keep_exposure,
            "--no-keep-exposure": self.keep_exposure is False,
            "--depth": not partial and self.layers is None and self.depth,
        }
        return [name for name, value in given.items() if value]

    def unused_light(self, *, partial: bool) -> str | None:
        """Return a sentence for a light that is written though a photo that its reference shows is not lit by it."""
        if self.save_light is None:
            return None
        use = "outside the overlap at most" if partial else "not at all"
        return f"The light in {self.save_light} is the one fitted to the reference; this photo gets it {use}."

    def check(self) -> None:
        """Raise UsageError for options of a light without a photo that contradict each other."""
        if self.reference != ReferenceKind.AUTO:
            raise UnfitOptionError(
                f"--reference {self.reference} needs a photo as --light: leave it out.", "--reference"
            )
        if not self.detail:
            raise UnfitOptionError(
                "--no-detail is the picture of the network, which makes no such light: leave it out.", "--no-detail"
            )
        self._check_save_light()
        if (self.frames or self.fps) and not self.is_timelapse:
            raise UnfitOptionError(
                "--frames and --fps need a range of times: --sun-at 06:00..21:00.", "--frames", "--fps"
            )
        if self.date and self.sun_at is None:
            raise UnfitOptionError("--date needs --sun-at: a time, such as 19:30.", "--date")
        if self.is_timelapse and self.budget is not None:
            raise UnfitOptionError("--budget is for photos, not for a moving sun: give --max-side.", "--budget")
        if self.is_timelapse and (self.keyframes or self.sequence):
            raise UnfitOptionError(
                "--keyframes and --sequence are for videos and not for a moving sun: leave them out.",
                "--keyframes",
                "--sequence",
            )
        if self.is_timelapse and (self.save_light or self.save_shading):
            raise UnfitOptionError(
                "--save-light and --save-shading need a single time: give --sun-at without a range.",
                "--save-light",
                "--save-shading",
            )
        if self.is_timelapse and (given := [name for name, value in self.compositing().items() if value is not None]):
            raise UnfitOptionError(f"{given[0]} needs a single time: give --sun-at without a range.", given[0])

    def check_reference(self) -> None:
        """Raise UsageError for options that a reference photo leaves without effect, or that contradict each other."""
        if not self.detail and self.reference not in (ReferenceKind.AUTO, ReferenceKind.LATENTS):
            raise UnfitOptionError(
                f"--reference {self.reference} and --no-detail contradict each other: give only one of them.",
                "--reference",
                "--no-detail",
            )
        moving = {"--date": self.date, "--frames": self.frames, "--fps": self.fps}
        if used := [name for name, value in moving.items() if value]:
            raise UnfitOptionError(
                f"{used[0]} is for a light that is no photo: leave it out, or give another --light.", used[0]
            )
        kind = self.reference if self.detail else ReferenceKind.LATENTS
        saved = ["--save-light"] if self.save_light else []
        unused = []
        if kind not in (ReferenceKind.AUTO, ReferenceKind.SCENE):
            unused = [*self.idle(partial=kind == ReferenceKind.MOVED), *saved]
        if unused:
            raise UnfitOptionError(
                f"{unused[0]} is for the light of another scene: leave it out, or give --reference scene.", unused[0]
            )
        if self.save_shading and kind != ReferenceKind.SCENE:
            raise UnfitOptionError(
                "--save-shading is for the light of another scene: leave it out, or give --reference scene.",
                "--save-shading",
            )
        self._check_save_light()

    def _check_save_light(self) -> None:
        if self.save_light and self.save_light.suffix.lower() != ".toml":
            raise UsageError(f"--save-light {self.save_light}: a light is written as TOML; end the name in .toml.")

    @property
    def is_timelapse(self) -> bool:
        """Whether the sun moves."""
        return self.sun_at is not None and ".." in self.sun_at
