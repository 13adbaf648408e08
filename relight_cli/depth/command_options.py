"""The options of the command refine-depth."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from relight_cli.depth.options import DepthOptions
from relight_cli.jobs.console import notifier
from relight_cli.jobs.options import CommandOptions, Dtype


class DepthSize(StrEnum):
    """Which Depth Anything V2."""

    SMALL = "small"
    BASE = "base"
    LARGE = "large"


class MapFormat(StrEnum):
    """The format that a map is written in."""

    PNG = "png"
    TIF = "tif"
    EXR = "exr"
    NPZ = "npz"


@dataclass(frozen=True)
class DepthCommandOptions(CommandOptions):
    """Options of refine-depth."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR|-",
            help="A file (.png, .tif, .exr, .npz; one input), a folder, or - for stdout. Default: <name>_depth.png.",
        ),
    ] = None
    dtype: Annotated[
        Dtype,
        typer.Option(
            case_sensitive=False, help="Of denoiser and VAE; auto: bfloat16 where it is fast. The rest is float32."
        ),
    ] = Dtype.AUTO
    ensemble: Annotated[int, typer.Option(min=1, max=1000, help="Runs to average; most of the gain is had by 3.")] = (
        DepthOptions.ensemble
    )
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of a run.", show_default="1000, or 300 with --fast")
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Of all chance; the same seed gives the same runs.")] = (
        DepthOptions.seed
    )
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="What the photo shows.")] = DepthOptions.prompt
    caption: Annotated[bool, typer.Option("--caption", help="Let BLIP say what each photo shows (1 GB).")] = False
    depth_model: Annotated[
        DepthSize,
        typer.Option(
            case_sensitive=False, help="Depth Anything V2; base and large are CC-BY-NC-4.0, small Apache-2.0."
        ),
    ] = DepthSize.SMALL
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="TAESD in place of the VAE, and 300 steps: under a third of the time, refined less."
        ),
    ] = False
    early_stop: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="EPS",
            help="Add no more runs once one moves the mean by less than EPS of its spread; 0: never.",
        ),
    ] = DepthOptions.early_stop
    sky: Annotated[
        str,
        typer.Option(metavar="auto|off|MASK", help="Leave what is infinitely far, or white in MASK, as predicted."),
    ] = DepthOptions.sky
    max_side: Annotated[int, typer.Option(min=14, max=2044, help="Longer side at which the networks see it.")] = (
        DepthOptions.max_side
    )
    run_batch: Annotated[str, typer.Option(metavar="auto|N", help="Runs at a time; auto: by memory, 1 on a CPU.")] = (
        "auto"
    )
    kind: Annotated[
        MapFormat, typer.Option("--format", case_sensitive=False, help="Of outputs whose name does not tell.")
    ] = MapFormat.PNG
    preview: Annotated[bool, typer.Option("--preview", help="Write a coloured PNG too.")] = False
    normals: Annotated[bool, typer.Option("--normals", help="Write the surface normals too.")] = False
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write the standard deviation over the runs too.")
    ] = False
    initial: Annotated[bool, typer.Option("--initial", help="Write the disparity before refinement too.")] = False
    point_cloud: Annotated[
        Path | None, typer.Option(metavar="FILE.ply", dir_okay=False, help="Write coloured points too (one photo).")
    ] = None
    fov: Annotated[
        float | None,
        typer.Option(min=1, max=170, help="Horizontal view in degrees, for --point-cloud; else from EXIF."),
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the runs that an interruption left.")] = False

    def model_arguments(self) -> dict[str, Any]:
        """Return what `checkpoints.depth.load_depth_model` takes of these options."""
        return {
            "size": self.depth_model,
            "fast": self.fast,
            "caption": self.caption,
            "device": self.device,
            "dtype": self.dtype,
            "weights_dir": self.weights_dir,
            "offline": self.offline,
            "progress": not self.quiet,
            "notify": notifier(self.quiet),
        }
