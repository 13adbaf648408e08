"""The options of the command interpolate-timelapse."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from relight_cli.jobs.options import PhotoCommandOptions
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequencing import Content, Ease, Mode


@dataclass(frozen=True)
class OwnOptions:
    """Options of this command alone."""

    between: Annotated[int | None, typer.Option(min=0, max=10_000, help="New frames between any two.")] = None
    frames: Annotated[
        int | None, typer.Option(min=2, max=1_000_000, help="Frames in all, evenly over the whole (by capture time).")
    ] = None
    duration: Annotated[float | None, typer.Option(min=0.05, help="Seconds in all, at --fps; instead of --frames.")] = (
        None
    )
    fps: Annotated[
        float | None, typer.Option(min=0.1, max=1000, help="Frames a second of a video. Default: the input's, or 25.")
    ] = None
    ease: Annotated[Ease, typer.Option(case_sensitive=False, help="How the light goes from frame to frame.")] = (
        TimelapseOptions.ease
    )
    mode: Annotated[
        Mode,
        typer.Option(
            case_sensitive=False,
            help="latent: interpolate the light; image: cross-fade; auto: cross-fade where little changes.",
        ),
    ] = TimelapseOptions.mode
    content: Annotated[
        Content, typer.Option(case_sensitive=False, help="Things of both frames, or of the first alone as published.")
    ] = TimelapseOptions.content
    deflicker: Annotated[
        int | None, typer.Option(min=3, max=999, metavar="W", help="Smooth the light over W frames.")
    ] = None
    freeze: Annotated[Path | None, typer.Option(metavar="REF", help="Put the light of REF on every frame.")] = None
    redo_keyframes: Annotated[
        bool, typer.Option("--redo-keyframes", help="Make the original frames anew too, like those between.")
    ] = False
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", dir_okay=False, help="Draw brightness and colour over time.")
    ] = None


@dataclass(frozen=True)
class TimelapseCommandOptions(PhotoCommandOptions, OwnOptions):
    """All options of this command, its own first."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR|VIDEO",
            help="A folder for frames, or a .mp4, .webm, .mov or .gif. Default: <name>_interpolated beside the input.",
        ),
    ] = None
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave frames, or a video, that exist; redo them if made otherwise.")
    ] = False
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Take the photos of nested folders too.")] = False
