"""The chart that says how many runs of an ensemble are enough."""

from collections.abc import Sequence

from relight_cli.pages.views import Chart, Line


def ensemble_chart(moves: Sequence[float], early_stop: float) -> Chart:
    """Return how much each further run moved the mean, and where --early-stop stops if it is set.

    `moves` are those of the second run on, as shares of the spread of the mean; there is at least one.
    """
    runs = [float(count) for count in range(2, len(moves) + 2)]
    shares = [100 * move for move in moves]
    lines = [Line("Change of the mean", "strong", runs, shares, dots=True)]
    if early_stop:
        lines.append(Line("--early-stop", "pale-red", [runs[0], runs[-1]], [100 * early_stop] * 2))
    return Chart("Change by each run", "runs in the ensemble", "change of the mean, % of its spread", lines, True, True)
