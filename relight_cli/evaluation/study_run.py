"""A study as a command: run it, print its table, plot its curves."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.depth.options import DepthOptions
from relight_cli.jobs.file_names import make_folder

if TYPE_CHECKING:
    from relight_cli.evaluation.curve_plot import Panel
    from relight_cli.evaluation.judging import Judgement
    from relight_cli.evaluation.run import Evaluation
    from relight_cli.models.depth_model import DepthModel

PLOTTED = {"abs_rel": "AbsRel", "silog": "SIlog"}


def run_and_finish(
    evaluation: "Evaluation", model: "DepthModel", work: DepthOptions, name: str, store: Path | None, plot: Path | None
) -> None:
    """Run a study on the pictures of a data set.

    The table has the network alone and each variant's mean of all runs (of the study `ensemble` of each N); JSON and
    CSV have every N.
    """
    from relight_cli.evaluation.study import BEFORE, VARIANTS, Study, line_name, run_study

    study = Study(name)
    if store:
        make_folder(store)
    judgement = run_study(
        study, model, evaluation.protocol, evaluation.cases, work, store, evaluation.begin, evaluation.after
    )
    counts = range(1, work.ensemble + 1) if study == Study.ENSEMBLE else [work.ensemble]
    shown = (BEFORE, *(line_name(variant, runs) for variant in VARIANTS[study] for runs in counts))
    if plot and any(line_name(VARIANTS[study][0], work.ensemble) == one.method for one in judgement.scored):
        from relight_cli.evaluation.curve_plot import plot_curves
        from relight_cli.photos.photo import Photo
        from relight_cli.photos.writing import write_photo

        panels = [_panel(judgement, study, work.ensemble, column) for column in PLOTTED]
        write_photo(Photo(plot_curves(panels)), plot, overwrite=evaluation.options.overwrite)
    evaluation.finish(judgement, shown)


def _panel(judgement: "Judgement", study: str, runs: int, column: str) -> "Panel":
    """Return the curves of one score."""
    from relight_cli.evaluation.curve_plot import Curve, Panel
    from relight_cli.evaluation.protocol import WHOLE
    from relight_cli.evaluation.study import BEFORE, VARIANTS, Study, line_name
    from relight_cli.evaluation.tables import mean_of

    def mean(method: str) -> float:
        return mean_of([scores[column] for scores in judgement.of(method, WHOLE)], 0, 0).mean

    curves = tuple(
        Curve(variant.name, tuple(mean(line_name(variant, count)) for count in range(1, runs + 1)))
        for variant in VARIANTS[Study(study)]
    )
    return Panel(
        PLOTTED[column], tuple(curve for curve in curves if all(map(math.isfinite, curve.values))), mean(BEFORE)
    )
