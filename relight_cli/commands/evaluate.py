"""relight-cli evaluate: results against known truths, by named protocols."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relight_cli.depth.command_options import DepthSize
from relight_cli.depth.options import DepthOptions
from relight_cli.errors import ModelUnavailableError, UnfitOptionError, UsageError
from relight_cli.evaluation.options import Dataset, EvaluateOptions
from relight_cli.jobs.console import notifier
from relight_cli.jobs.option_tree import variable_of
from relight_cli.jobs.option_types import check_model
from relight_cli.jobs.options import with_options
from relight_cli.jobs.weights_look_up import look_up_arguments
from relight_cli.relighting.options import ReferenceKind

if TYPE_CHECKING:
    from relight_cli.evaluation.run import Evaluation
    from relight_cli.models.interface import Model
    from relight_cli.models.lpips import LPIPS

evaluate_app = typer.Typer(no_args_is_help=True, help="Judge results by the protocols of the literature.")
STUDIES = ("targets", "ensemble", "prior")
FAST_STEPS = 300  # of a study with --fast, as in refine-depth


@dataclass(frozen=True)
class NetworkOptions(EvaluateOptions):
    """Options of the commands that judge a relighting network."""

    model: Annotated[
        str | None,
        typer.Option(
            metavar="auto|crocodilight|tiny|FILE",
            help="Network to judge, as in the other commands.",
            show_default="$RELIGHT_MODEL, else auto; none with --results",
        ),
    ] = None

    def load(self, *tasks: str) -> "Model | None":
        """Load the network to judge; None if results are judged alone."""
        from relight_cli.checkpoints.models import load_model

        if self.results and self.model is None:
            return None
        name = check_model(self.model or os.environ.get(variable_of("model")) or "auto")
        return load_model(name, tasks=tasks, **self.model_arguments())


@dataclass(frozen=True)
class DepthStudyOptions(EvaluateOptions):
    """Options of evaluate depth."""

    study: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(STUDIES),
            help="A study of Re-Depth Anything instead. targets: optimise W, theta, both, or all weights. ensemble: "
            "the mean of N runs. prior: the published prior against a random one.",
        ),
    ] = None
    depth_model: Annotated[
        DepthSize | None,
        typer.Option(
            case_sensitive=False,
            help="Network to judge, as in refine-depth.",
            show_default="small; none with --results",
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Steps of refinement per run; 0: the network alone.",
            show_default="0; of a study 1000, or 300 with --fast",
        ),
    ] = None
    ensemble: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Runs to average.")] = (
        DepthOptions.ensemble
    )
    fast: Annotated[bool, typer.Option("--fast", help="TAESD instead of the VAE.")] = False
    max_side: Annotated[int, typer.Option(min=14, max=2044, help="Longer side of the copy that the networks see.")] = (
        DepthOptions.max_side
    )
    runs_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, help="Keep finished runs here, and go on from them when started again."
        ),
    ] = None
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", dir_okay=False, help="Plot the scores of a study over N.")
    ] = None

    def __post_init__(self) -> None:
        """Raise UsageError for options that contradict each other."""
        if self.study is not None and self.study not in STUDIES:
            raise UsageError(f"--study {self.study} is unknown: choose {', '.join(STUDIES)}.")
        if self.study and (self.results or self.steps == 0):
            name = "--results" if self.results else "--steps 0"
            raise UnfitOptionError(f"--study refines depth, which {name} excludes: give only one of them.", "--steps")
        if self.plot and not self.study:
            raise UnfitOptionError("--plot draws the curve of a study: give --study, too.", "--plot")
        if self.results and self.depth_model is None and self.steps:
            raise UsageError("--steps refines the depth of a network: name it with --depth-model, too.")
        given = [name for name in ("ensemble", "fast", "runs_dir") if getattr(self, name) != getattr(type(self), name)]
        if given and not self.refinement().steps:
            name = f"--{given[0].replace('_', '-')}"
            raise UnfitOptionError(f"{name} is about the refinement: give --steps or --study, too.", name)

    def refinement(self) -> DepthOptions:
        """Return the options of the refinement; with 0 steps there is none."""
        usual = (FAST_STEPS if self.fast else DepthOptions.steps) if self.study else 0
        steps = usual if self.steps is None else self.steps
        return DepthOptions(self.ensemble, steps, self.seed, max_side=self.max_side)


@evaluate_app.command(short_help="Judge the removal of cast shadows.")
@with_options(NetworkOptions)
def shadow(dataset: Dataset, options: NetworkOptions) -> None:
    """Judge the removal of cast shadows by PSNR, SSIM and LAB error, in the shadow, outside, and of all.

    Protocols: istd+, srd, uiuc (each at 256 x 256 and at full size), wsrd+, multishot. 'relight-cli evaluate protocols
    NAME' says how each resizes, masks and averages.
    """
    _evaluate("shadow", "deshadow", dataset, options)


@evaluate_app.command(short_help="Judge the albedo of photos.")
@with_options(NetworkOptions)
def albedo(dataset: Dataset, options: NetworkOptions) -> None:
    """Judge albedo by people's judgements (WHDR), LMSE, measured colours, or true albedo.

    Protocols: iiw, iiw-test, mit, sintel, arap, maw. 'relight-cli evaluate protocols NAME' says how each resizes, masks
    and averages.
    """
    _evaluate("albedo", "albedo", dataset, options)


@evaluate_app.command(short_help="Judge a view in the light of another picture of it.")
@with_options(NetworkOptions)
def relight(
    dataset: Dataset,
    options: NetworkOptions,
    reference: Annotated[
        str,
        typer.Option(
            metavar="latents|aligned",
            help="How the light of the truth is taken; aligned: a quotient, which can copy the truth.",
        ),
    ] = ReferenceKind.LATENTS,
) -> None:
    """Judge pictures that are lit by another picture of the same view, which is the truth.

    Protocols: multishot-pairs, wildrelight. 'relight-cli evaluate protocols NAME' says how each pairs, exposes and
    averages.
    """
    if reference not in (ReferenceKind.LATENTS, ReferenceKind.ALIGNED):
        raise UsageError(f"--reference {reference} is unknown: choose latents or aligned.")
    evaluation = _evaluation("relight", dataset, options)
    methods = evaluation.result_methods()
    if model := options.load("relight"):
        from relight_cli.evaluation.methods import relit_by

        methods.insert(0, relit_by(model, ReferenceKind(reference)))
    _finish(evaluation, methods)


@evaluate_app.command(short_help="Judge interpolated frames of a timelapse.")
@with_options(NetworkOptions)
def timelapse(
    dataset: Dataset,
    options: NetworkOptions,
    lpips: Annotated[
        str | None,
        typer.Option(
            metavar="vgg|FILE",
            help="Also LPIPS and FloLPIPS: vgg fetches VGG-16 (553 MB); FILE: AlexNet with the names of torchvision.",
        ),
    ] = None,
) -> None:
    """Judge frames of a timelapse that are left out and made from their neighbours.

    Protocol: leave-one-out. 'relight-cli evaluate protocols leave-one-out' says how it weighs and averages.
    """
    evaluation = _evaluation("timelapse", dataset, options)
    methods = evaluation.result_methods()
    if lpips is not None:
        from relight_cli.evaluation.learned_distance import distances_by
        from relight_cli.evaluation.protocols.leave_one_out import with_distances

        name = "VGG" if lpips == "vgg" else "AlexNet"
        evaluation.protocol = with_distances(name, distances_by(_lpips(lpips, options)))
    if model := options.load("interpolate-timelapse"):
        from relight_cli.evaluation.methods import between_by
        from relight_cli.timelapse.sequencing import Mode

        methods = [between_by(model, mode) for mode in (Mode.IMAGE, Mode.LATENT, Mode.AUTO)] + methods
    _finish(evaluation, methods)


@evaluate_app.command(short_help="Judge depth, or run the studies of its refinement.")
@with_options(DepthStudyOptions)
def depth(dataset: Dataset, options: DepthStudyOptions) -> None:
    """Judge disparity by affine-invariant AbsRel, SIlog, delta and others, or run a study of its refinement.

    Protocols: kitti, eth3d, nyu, co3d. 'relight-cli evaluate protocols NAME' says how each masks and aligns. Refinement
    needs Stable Diffusion 1.5 (2.2 GB) and is made for a GPU.
    """
    from relight_cli.evaluation.run import Evaluation

    evaluation = Evaluation("depth", dataset, options, outputs=(options.plot,))
    from relight_cli.evaluation.depth_methods import network_alone, read_disparity, refined

    methods, work = evaluation.result_methods(read_disparity), options.refinement()
    if options.results and options.depth_model is None:
        evaluation.finish(evaluation.judge(methods))
        return
    from relight_cli.checkpoints.depth import load_depth_model

    size = str(options.depth_model or DepthSize.SMALL)
    model = load_depth_model(size, fast=options.fast, refined=work.steps > 0, **options.model_arguments())
    if options.study:
        from relight_cli.evaluation.study_run import run_and_finish

        run_and_finish(evaluation, model, work, options.study, options.runs_dir, options.plot)
        return
    own = [network_alone(model, work), *([refined(model, work, options.runs_dir)] if work.steps else [])]
    evaluation.finish(evaluation.judge([*own, *methods]))


@evaluate_app.command(short_help="Say what each protocol does.")
def protocols(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One protocol, in full.")] = None,
) -> None:
    """List the protocols with the layout of their data, or print one in full: source, sizes, colours, masks, means."""
    from relight_cli.evaluation.options import require_extra

    require_extra()
    from relight_cli.evaluation.protocols import PROTOCOLS

    known = {protocol.name: protocol for protocol in PROTOCOLS}
    if name is None:
        for protocol in PROTOCOLS:
            typer.echo(f"{protocol.name:16} {protocol.task:10} {protocol.layout}")
    elif name.lower() in known:
        typer.echo(known[name.lower()].text.strip())
    else:
        raise UsageError(f"protocol {name!r} is unknown: choose {', '.join(known)}.")


def _lpips(name: str, options: NetworkOptions) -> "LPIPS":
    """Load LPIPS on VGG, or on the AlexNet in a file. Raises ModelUnavailableError."""
    from relight_cli.checkpoints.lpips import REMEDY, load_lpips
    from relight_cli.checkpoints.weights import LookUp

    look_up = LookUp(**look_up_arguments(options))
    file = None if name == "vgg" else Path(name)
    try:
        return load_lpips("vgg" if file is None else "alex", file, look_up, notifier(options.quiet))
    except ModelUnavailableError as error:
        remedy = "name a file of AlexNet with --lpips, or leave it out"
        raise ModelUnavailableError(str(error).replace(REMEDY, remedy)) from error


def _evaluation(task: str, dataset: Path, options: NetworkOptions) -> "Evaluation":
    """Find the pictures of a data set, before any network is loaded."""
    from relight_cli.evaluation.run import Evaluation

    return Evaluation(task, dataset, options)


def _evaluate(task: str, command: str, dataset: Path, options: NetworkOptions) -> None:
    """Judge the pictures that one of the mappers makes."""
    evaluation = _evaluation(task, dataset, options)
    methods = evaluation.result_methods()
    if model := options.load(command):
        from relight_cli.evaluation.methods import mapped_by

        methods.insert(0, mapped_by(model, task))
    _finish(evaluation, methods)


def _finish(evaluation: "Evaluation", methods: list[Any]) -> None:
    """Judge methods next to the pictures as they are, and print the tables."""
    from relight_cli.evaluation.methods import untouched

    evaluation.finish(evaluation.judge([untouched(), *methods]))
