"""Depth networks, and their refinement, as methods that are judged."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relight_cli.depth.finished_runs import FinishedRuns
from relight_cli.depth.options import DepthOptions
from relight_cli.depth.refine_depth import PreparedPhoto, prepare, refine_depth
from relight_cli.depth.refined_depth import RefinedDepth
from relight_cli.depth.refinement import RefineOptions, Run, Targets, ensemble, refine
from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.evaluation.depth_samples import DepthSample
from relight_cli.evaluation.methods import Method
from relight_cli.evaluation.protocol import Case
from relight_cli.models.depth_model import DepthModel
from relight_cli.photos.depth_files import read_depth_map

Disparity = NDArray[np.float32]  # (H, W)


def read_disparity(path: Path) -> Disparity:
    """Return the disparity of anybody's map. Raises PhotoUnreadableError, also for a picture in colours."""
    try:
        return read_depth_map(path).disparity
    except UsageError as error:
        raise PhotoUnreadableError(str(error)) from error


def network_alone(model: DepthModel, options: DepthOptions) -> Method:
    """Return the network's own depth, at the photo's size; it sees a copy of `options.max_side`."""
    unrefined = replace(options, steps=0)

    def make(case: Case, sample: DepthSample) -> Disparity:
        return refine_depth(model, sample.photo, unrefined).disparity

    return Method(model.name, make)


def refined(model: DepthModel, options: DepthOptions, store: Path | None) -> Method:
    """Return the refined depth; runs are kept in the folder `store` and not repeated."""

    def make(case: Case, sample: DepthSample) -> Disparity:
        prepared = prepare(model, sample.photo, options)
        runs = refined_runs(model, prepared, options, store)
        return averaged(prepared, runs)

    return Method(f"{model.name}, refined", make)


def averaged(prepared: PreparedPhoto, runs: list[Run]) -> Disparity:
    """Return the mean disparity of runs, at the photo's size."""
    return RefinedDepth(prepared.scene, ensemble(runs), prepared.picture).disparity


def refined_runs(
    model: DepthModel,
    prepared: PreparedPhoto,
    options: DepthOptions,
    store: Path | None,
    targets: Targets = Targets.BOTH,
    prior: str = "published",
) -> list[Run]:
    """Return the runs of one photo, by number; runs that `store` has of the same photo and options are not repeated."""
    assert model.judge is not None
    settings = {
        "photo": prepared.scene.fingerprint(),
        "model": model.identity,
        "steps": options.steps,
        "seed": options.seed,
        "prompt": prepared.prompt,
        "dtype": str(model.dtype),
        "targets": str(targets),
        "prior": prior,
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    kept = FinishedRuns(store / key) if store else None
    found = kept.open(settings, resume=True) if kept else {}

    def keep(number: int, run: Run) -> None:
        found[number] = run
        if kept:
            kept.keep(number, run)

    work = RefineOptions(options.ensemble, options.steps, options.seed, options.run_batch, targets=targets)
    refine(prepared.scene, model.judge.prior, work, dict(found), keep)
    return [found[number] for number in range(options.ensemble)]
