"""The studies of Re-Depth Anything: what is optimised, how many runs are averaged, and what the prior is worth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from torch import nn

from relight_cli.depth.options import DepthOptions
from relight_cli.depth.refine_depth import prepare
from relight_cli.depth.refinement import Targets
from relight_cli.evaluation.depth_methods import averaged, network_alone, refined_runs
from relight_cli.evaluation.depth_samples import DepthSample
from relight_cli.evaluation.judging import After, Judgement, Scored, judge
from relight_cli.evaluation.methods import Method
from relight_cli.evaluation.protocol import Case, Parts, Protocol
from relight_cli.models.depth_model import DepthModel

BEFORE = "not refined"
AGAIN = 1_000_003  # added to the seed for the random prior's weights


class Study(StrEnum):
    """The values of --study."""

    TARGETS = "targets"
    ENSEMBLE = "ensemble"
    PRIOR = "prior"


@dataclass(frozen=True)
class Variant:
    """One curve of a study."""

    name: str
    targets: Targets = Targets.BOTH
    random_prior: bool = False


VARIANTS = {  # a random prior comes last, since it replaces the published one in place
    Study.TARGETS: (
        Variant("W", Targets.FEATURES),
        Variant("theta", Targets.DECODER),
        Variant("W and theta"),
        Variant("all weights", Targets.ALL),
    ),
    Study.ENSEMBLE: (Variant("W and theta"),),
    Study.PRIOR: (Variant("published prior"), Variant("random prior", random_prior=True)),
}


def line_name(variant: Variant, runs: int) -> str:
    """Return the name of the mean of some runs of a variant in tables."""
    return f"{variant.name}, N = {runs}"


def run_study(
    study: Study,
    model: DepthModel,
    protocol: Protocol,
    cases: Sequence[Case],
    options: DepthOptions,
    store: Path | None,
    begin: Callable[[str], None],
    after: After,
) -> Judgement:
    """Score, for each variant, the mean of its first N runs, N = 1 to `options.ensemble`, and the network alone.

    Runs are kept in the folder `store` as soon as they are done; a study that is started again goes on from there.
    `begin` gets the name of each variant.
    """
    begin(BEFORE)
    before = replace(network_alone(model, options), name=BEFORE)
    judgement = judge(protocol, cases, [before], after)
    unreadable = {failure.case.name for failure in judgement.failures}
    sound = [case for case in cases if case.name not in unreadable]
    names, scored, failures = [BEFORE], judgement.scored, judgement.failures
    for variant in VARIANTS[study]:
        begin(variant.name)
        if variant.random_prior:
            assert model.judge is not None
            randomise(model.judge.prior.denoiser, options.seed + AGAIN)
        parts: dict[tuple[str, int], Parts] = {}
        found = judge(_collecting(protocol, parts), sound, [_runs(variant, model, options, store)], after)
        failures += found.failures
        names += [line_name(variant, runs) for runs in range(1, options.ensemble + 1)]
        scored += [Scored(name, line_name(variant, runs), part) for (name, runs), part in parts.items()]
    return Judgement(protocol, tuple(names), scored, failures)


def _runs(variant: Variant, model: DepthModel, options: DepthOptions, store: Path | None) -> Method:
    """Return a method whose results are the disparities of the mean of the first N runs."""

    def make(case: Case, sample: DepthSample) -> Any:
        prepared = prepare(model, sample.photo, options)
        prior = "random" if variant.random_prior else "published"
        runs = refined_runs(model, prepared, options, store, variant.targets, prior)
        return case.name, [averaged(prepared, runs[:count]) for count in range(1, len(runs) + 1)]

    return Method(variant.name, make)


def _collecting(protocol: Protocol, parts: dict[tuple[str, int], Parts]) -> Protocol:
    """Return a protocol that puts the scores of each number of runs into `parts`; its own are those of all runs."""

    def score(sample: DepthSample, result: Any) -> Parts:
        name, disparities = result
        for count, disparity in enumerate(disparities, start=1):
            parts[name, count] = protocol.score(sample, disparity)
        return parts[name, len(disparities)]

    return replace(protocol, score=score)


def randomise(network: nn.Module, seed: int) -> None:
    """Draw every weight of a network anew, as its layers are initialised before any training."""
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    for module in network.modules():
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
    torch.random.set_rng_state(state)
