"""The options of the command interpolate-timelapse."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from relight_cli.jobs.option_types import Codec, Crf, check_output
from relight_cli.jobs.options import PhotoCommandOptions
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequencing import Content, Ease, Mode


@dataclass(frozen=True)
class OwnOptions:
    """Options of interpolate-timelapse alone."""

    between: Annotated[int | None, typer.Option(min=0, max=10_000, help="New frames between every two.")] = None
    frames: Annotated[
        int | None, typer.Option(min=2, max=1_000_000, help="Frames in all, evenly spaced (by capture time).")
    ] = None
    duration: Annotated[float | None, typer.Option(min=0.05, help="Seconds in all, at --fps; instead of --frames.")] = (
        None
    )
    fps: Annotated[
        float | None, typer.Option(min=0.1, max=1000, help="Frames per second of a video. Default: the input's, or 25.")
    ] = None
    codec: Codec = None
    crf: Crf = None
    ease: Annotated[Ease, typer.Option(case_sensitive=False, help="How the light changes from frame to frame.")] = (
        TimelapseOptions.ease
    )
    mode: Annotated[
        Mode,
        typer.Option(
            case_sensitive=False,
            help="latent: interpolate the light; image: cross-fade; auto: the blend that fits frames left out.",
        ),
    ] = TimelapseOptions.mode
    content: Annotated[
        Content,
        typer.Option(case_sensitive=False, help="Show the objects of both frames, or of the first alone as published."),
    ] = TimelapseOptions.content
    deflicker: Annotated[
        int | None, typer.Option(min=3, max=999, metavar="W", help="Smooth the light over W frames.")
    ] = None
    freeze: Annotated[Path | None, typer.Option(metavar="REF", help="Put the light of REF on every frame.")] = None
    redo_keyframes: Annotated[
        bool, typer.Option("--redo-keyframes", help="Make the original frames again too, like those between.")
    ] = False
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", dir_okay=False, help="Plot brightness and colour over time.")
    ] = None


@dataclass(frozen=True)
class TimelapseCommandOptions(PhotoCommandOptions, OwnOptions):
    """All options of interpolate-timelapse, its own first."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            callback=check_output,
            metavar="DIR|VIDEO",
            help="A folder for frames, or a .mp4, .mov, .mkv, .webm or .gif. Default: <name>_interpolated, next to it.",
        ),
    ] = None
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Keep existing frames or videos; redo those made differently.")
    ] = False
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Also take photos from nested folders.")] = False
