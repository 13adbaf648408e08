"""relight-cli train: a CroCoDiLight network of one's own, stage by stage, from one's own pairs of photos."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli.jobs.console import notifier, printable
from relight_cli.jobs.option_types import Device, Offline, Quiet, Verbose, WeightsDir, Yes
from relight_cli.jobs.options import with_options
from relight_cli.paths import is_folder

if TYPE_CHECKING:
    from torch import nn

    from relight_cli.checkpoints.weights import LookUp
    from relight_cli.training.crocodilight.config import TrainConfig
    from relight_cli.training.crocodilight.data import Data

train_app = typer.Typer(no_args_is_help=True, help="Train a network of your own on pairs of photos.")

Config = Annotated[
    Path, typer.Argument(metavar="CONFIG.toml", help="What to train on and how; the rest is as in the paper.")
]


@dataclass(frozen=True)
class TrainOptions:
    """Options of every stage."""

    device: Device = "auto"
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Print the whole configuration and what is found; train nothing.")
    ] = False
    quiet: Quiet = False
    verbose: Verbose = False

    def look_up(self) -> "LookUp":
        """Return where weights are looked for; a stage that needs none has no options for them."""
        from relight_cli.checkpoints.weights import LookUp

        return LookUp()


@dataclass(frozen=True)
class ImageTrainOptions(TrainOptions):
    """Options of the stages whose loss compares pictures, for which LPIPS needs weights of its own."""

    weights_dir: WeightsDir = None
    offline: Offline = False
    yes: Yes = False

    def look_up(self) -> "LookUp":
        """Return where the weights of LPIPS are looked for."""
        from relight_cli.checkpoints.weights import LookUp
        from relight_cli.jobs.questions import terminal_question

        return LookUp(self.weights_dir, self.offline, not self.quiet, self.yes, terminal_question())


@train_app.command("croco", short_help="Stage 0: an encoder, by cross-view completion.")
@with_options(TrainOptions)
def train_croco(config: Config, options: TrainOptions) -> None:
    """Stage 0: train an encoder from scratch by cross-view completion, in the layout of CroCo v2's file.

    Only needed for a network without CroCo v2's weights, which are for non-commercial use. A run that was stopped is
    resumed by the same command, exactly.
    """
    _train("croco", config, options)


@train_app.command("decoder", short_help="Stage 1: the decoder, by auto-encoding.")
@with_options(ImageTrainOptions)
def train_decoder(config: Config, options: ImageTrainOptions) -> None:
    """Stage 1: train the single-view decoder by auto-encoding; the encoder, from a CroCo file, is frozen."""
    _train("decoder", config, options)


@train_app.command("light", short_help="Stage 2: the delighting and relighting transformers.")
@with_options(ImageTrainOptions)
def train_light(config: Config, options: ImageTrainOptions) -> None:
    """Stage 2: train the delighting and relighting transformers by cross-lighting pairs of one view both ways."""
    _train("light", config, options)


@train_app.command("shadow", short_help="Stage 3: the mapper of deshadow.")
@with_options(TrainOptions)
def train_shadow(config: Config, options: TrainOptions) -> None:
    """Stage 3: train the illumination mapper of deshadow on pictures with and without cast shadows."""
    _train("shadow", config, options)


@train_app.command("albedo", short_help="Stage 3: the mapper of albedo.")
@with_options(TrainOptions)
def train_albedo(config: Config, options: TrainOptions) -> None:
    """Stage 3: train the illumination mapper of albedo on pictures with their albedo."""
    _train("albedo", config, options)


@train_app.command(short_help="Check folders of pairs: scenes, sizes, alignment.")
def check(
    places: Annotated[
        list[str],
        typer.Argument(metavar="FOLDER|CONFIG.toml", help="Folder of pairs, or a configuration that names some."),
    ],
    layout: Annotated[
        str, typer.Option(metavar="auto|LAYOUT", help="Layout of the folders: views, mit, bigtime, triplets ...")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array, for programs.")] = False,
    verbose: Verbose = False,
) -> None:
    """Read every picture of the folders and say how many scenes there are, of which sizes, and what is misaligned.

    Exits with 23 if a picture cannot be read, or if pictures of one view have different sizes or are not aligned.
    """
    from relight_cli.errors import ExitCode
    from relight_cli.training.crocodilight.checks import check as check_folder
    from relight_cli.training.crocodilight.data import find_pairs

    reports = [check_folder(found) for found in find_pairs(_named(places, layout))]
    if as_json:
        typer.echo(json.dumps([report.facts() for report in reports], indent=2))
    else:
        for report in reports:
            for line in report.lines():
                typer.echo(printable(line))
    if any(report.faults for report in reports):
        raise typer.Exit(ExitCode.SOME_FAILED)


def _named(places: list[str], layout: str) -> tuple:
    from relight_cli.errors import UsageError
    from relight_cli.toml_files import read_toml
    from relight_cli.training.crocodilight.config import PairsConfig
    from relight_cli.training.crocodilight.layouts import LAYOUTS
    from relight_cli.training.crocodilight.reading import pairs_of

    if layout not in ("auto", *LAYOUTS):
        raise UsageError(f"unknown --layout '{layout}': choose auto, {', '.join(LAYOUTS)}.")
    found: list[PairsConfig] = []
    for place in places:
        path = Path(place)
        if path.suffix.lower() == ".toml" and not is_folder(path):
            found += pairs_of(read_toml(path), path)
        else:
            found.append(PairsConfig(path, layout))
    return tuple(found)


def _train(stage: str, path: Path, options: TrainOptions) -> None:
    """Run a stage; without --dry-run until its last step."""
    from relight_cli.devices import choose
    from relight_cli.training.crocodilight.data import data_of
    from relight_cli.training.crocodilight.reading import load_config

    config, notify = load_config(path, stage), notifier(options.quiet or not _is_first())
    chosen = _device(choose(options.device).device)
    data = data_of(config, notify)
    if options.dry_run:
        _describe(config, data)
        return
    from relight_cli.training.crocodilight.learning import learn
    from relight_cli.training.crocodilight.run import Run
    from relight_cli.training.crocodilight.start import start_of
    from relight_cli.training.workers import process_group

    look_up = options.look_up()

    def load_lpips(name: str) -> "nn.Module":
        from relight_cli.checkpoints.lpips import load_lpips as load

        return load(name, config.loss.backbone, look_up, notify)

    if chosen.startswith("cuda:"):
        import torch

        torch.cuda.set_device(chosen)
    with process_group("nccl" if chosen.startswith("cuda") else "gloo") as rank:
        run = Run(config, data, start_of(config), load_lpips, chosen)
        notify(f"{config.run}: step {run.step} of {run.steps}, {len(data.train)} samples, on {chosen}")
        learn(run, rank, notify, lambda step, losses: notify(_progress(step, run.steps, losses)))
        notify(f"{config.run / run.output}: written")


def _progress(step: int, steps: int, losses: dict[str, float]) -> str:
    return f"step {step} of {steps}: " + ", ".join(f"{name} {value:.4f}" for name, value in losses.items())


def _is_first() -> bool:
    """Return whether this is the only process of a training, or the first that torchrun has started."""

    return os.environ.get("RANK", "0") == "0"


def _device(device: str) -> str:
    """Return the device of this process among those that torchrun has started."""

    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _describe(config: "TrainConfig", data: "Data") -> None:
    """Print the configuration with all defaults, as TOML, and the number of samples and steps."""
    import math

    from relight_cli.jobs.streams import write_stdout
    from relight_cli.training.crocodilight.reading import TABLES

    schedule = config.schedule
    steps = schedule.steps or max(1, math.ceil(schedule.epochs * len(data.train) / schedule.batch))
    lines = [f"# train {config.stage}: {len(data.train)} samples, {len(data.held_out)} scenes held out, {steps} steps"]
    for name in TABLES:
        lines += ["", f"[{name}]"]
        for key, value in asdict(getattr(config, name)).items():
            if value is not None:
                lines.append(f"{key} = {json.dumps(str(value) if isinstance(value, Path) else value)}")
    write_stdout("".join(f"{line}\n" for line in lines).encode())
