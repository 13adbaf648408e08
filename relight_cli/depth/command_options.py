"""The options of the command refine-depth."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from relight_cli.depth.options import MOST_SIDE, DepthOptions
from relight_cli.errors import UnfitOptionError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.engines.engine_options import EngineOptions
from relight_cli.jobs.option_types import Dtype, check_output
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.weights_look_up import look_up_arguments


class DepthSize(StrEnum):
    """The network of the first disparity: the embedded one, or Depth Anything V2 in a size."""

    TINY = "tiny"
    SMALL = "small"
    BASE = "base"
    LARGE = "large"


class MapFormat(StrEnum):
    """The file format of a map."""

    PNG = "png"
    TIF = "tif"
    EXR = "exr"
    NPZ = "npz"


# Options that say how runs are made, or what is done with them.
_OF_RUNS = ("fast", "caption", "prompt", "ensemble", "seed", "early_stop", "run_batch", "uncertainty", "resume")


@dataclass(frozen=True)
class DepthCommandOptions(EngineOptions, CommandOptions):
    """Options of refine-depth."""

    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            callback=check_output,
            metavar="FILE|DIR|-",
            help="A file (.png, .tif, .exr, .npz; one input), a folder, or - for stdout. Default: <name>_depth.png.",
        ),
    ] = None
    dtype: Annotated[
        Dtype,
        typer.Option(
            case_sensitive=False, help="Of denoiser and VAE; the rest is float32. auto: bfloat16 where it is fast."
        ),
    ] = Dtype.AUTO
    ensemble: Annotated[int, typer.Option(min=1, max=1000, help="Runs to average; 3 give most of the gain.")] = (
        DepthOptions.ensemble
    )
    steps: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Steps per run; 0: do not refine, which needs no Stable Diffusion.",
            show_default="1000, or 300 with --fast",
        ),
    ] = None
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same runs.")] = (
        DepthOptions.seed
    )
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="What the photo shows.")] = DepthOptions.prompt
    caption: Annotated[bool, typer.Option("--caption", help="Let BLIP describe each photo (1 GB).")] = False
    depth_model: Annotated[
        DepthSize,
        typer.Option(
            case_sensitive=False,
            help="tiny: the network in the package, no download. Else Depth Anything V2: small is Apache-2.0, base and "
            "large are CC-BY-NC-4.0.",
        ),
    ] = DepthSize.SMALL
    fast: Annotated[
        bool,
        typer.Option(
            "--fast", help="TAESD instead of the VAE, and 300 steps: under a third of the time, less refined."
        ),
    ] = False
    early_stop: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="EPS",
            help="Stop adding runs when one moves the mean by less than EPS of its spread; 0: never stop early.",
        ),
    ] = DepthOptions.early_stop
    sky: Annotated[
        str,
        typer.Option(
            metavar="auto|off|MASK",
            help="Do not refine what is infinitely far away, as tiny finds the sky, or what is white in MASK.",
        ),
    ] = DepthOptions.sky
    max_side: Annotated[
        int, typer.Option(min=14, max=MOST_SIDE, help="Longer side of the copy that the networks see.")
    ] = DepthOptions.max_side
    run_batch: Annotated[str, typer.Option(metavar="auto|N", help="Runs at a time; auto: by memory, 1 on a CPU.")] = (
        "auto"
    )
    kind: Annotated[
        MapFormat, typer.Option("--format", case_sensitive=False, help="Format where -o names no suffix.")
    ] = MapFormat.PNG
    preview: Annotated[bool, typer.Option("--preview", help="Also write a coloured PNG.")] = False
    normals: Annotated[bool, typer.Option("--normals", help="Also write the surface normals.")] = False
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Also write the standard deviation over the runs.")
    ] = False
    initial: Annotated[bool, typer.Option("--initial", help="Also write the disparity before refinement.")] = False
    plot: Annotated[
        bool, typer.Option("--plot", help="Also draw how much each run changed the mean: are the runs enough?")
    ] = False
    point_cloud: Annotated[
        Path | None, typer.Option(metavar="FILE.ply", dir_okay=False, help="Also write coloured points (one photo).")
    ] = None
    fov: Annotated[
        float | None,
        typer.Option(min=1, max=170, help="Horizontal field of view in degrees, for --point-cloud; else from EXIF."),
    ] = None
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the runs that an interruption left.")] = False

    def __post_init__(self) -> None:
        """Raise UsageError for options that contradict each other."""
        self.check_engine()
        given = [name for name in _OF_RUNS if getattr(self, name) != getattr(DepthCommandOptions, name)]
        if self.sky != DepthCommandOptions.sky and not (self.sky == "off" and self.depth_model == DepthSize.TINY):
            given.append("sky")  # off also says that the sky of tiny is not infinitely far
        if given and not self.is_refined:
            name = f"--{given[0].replace('_', '-')}"
            raise UnfitOptionError(
                f"{name} is about the refinement, which --steps 0 leaves out: give only one of them.", name, "--steps"
            )

    @property
    def is_refined(self) -> bool:
        """Whether the first disparity is refined."""
        return self.steps != 0

    def model_arguments(self) -> dict[str, Any]:
        """Return the arguments of `checkpoints.depth.load_depth_model`."""
        chosen = {
            "size": self.depth_model,
            "fast": self.fast,
            "caption": self.caption,
            "refined": self.is_refined,
            "device": self.device,
            "dtype": self.dtype,
            "notify": notifier(self.quiet),
        }
        return chosen | look_up_arguments(self, download=not self.dry_run)
