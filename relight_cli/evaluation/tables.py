"""Tables of means with their confidence and published figures; the same as JSON; each picture's scores as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from relight_cli.evaluation.judging import Judgement
from relight_cli.evaluation.protocol import Protocol, Scores

CONFIDENCE = 95  # percent
PUBLISHED = "published"


@dataclass(frozen=True)
class Mean:
    """A mean over pictures, and the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    method: str
    pictures: int | None  # None: published
    scores: dict[str, Mean]
    source: str | None = None  # of published figures


def mean_of(values: Sequence[float], resamples: int, seed: int) -> Mean:
    """Return the mean of values that are not NaN, with its percentile bootstrap (Efron 1979) over the pictures."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return Mean(float("nan"), float("nan"), float("nan"))
    mean = float(known.mean())
    if not resamples or len(known) == 1:
        return Mean(mean, float("nan"), float("nan"))
    generator = np.random.default_rng(seed)
    means = known[generator.integers(len(known), size=(resamples, len(known)))].mean(axis=1)
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Mean(mean, float(low), float(high))


def rows_of(judgement: Judgement, part: str, resamples: int, seed: int) -> list[Row]:
    """Return the lines of a part: the methods that have scores, then all published figures of the protocol."""
    columns, rows = judgement.columns(part), []
    for method in judgement.methods:
        scores = judgement.of(method, part)
        if scores:
            means = {name: mean_of([one.get(name, np.nan) for one in scores], resamples, seed) for name in columns}
            rows.append(Row(method, len(scores), means))
    return [*rows, *published_rows(judgement.protocol)]


def published_rows(protocol: Protocol) -> list[Row]:
    """Return published figures as lines of a table."""
    nan = float("nan")
    return [
        Row(known.method, None, {name: Mean(value, nan, nan) for name, value in known.scores.items()}, known.source)
        for known in protocol.published
    ]


def table_text(title: str, rows: Sequence[Row]) -> str:
    """Return a table for people, in Markdown: means, and half the width of their interval."""
    columns = list(dict.fromkeys(name for row in rows for name in row.scores))
    cells = [["", "pictures", *columns]]
    for row in rows:
        name = f"{row.method} ({PUBLISHED})" if row.source else row.method
        scores = [_shown(row.scores.get(column)) for column in columns]
        cells.append([name, "" if row.pictures is None else str(row.pictures), *scores])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line([cell.ljust(width) for cell, width in zip(line, widths, strict=True)]) for line in cells]
    lines.insert(1, _line(["-" * width for width in widths]))
    sources = dict.fromkeys(row.source for row in rows if row.source)
    notes = [f"{PUBLISHED}, not measured here: {source}." for source in sources]
    return "\n".join([title, "", *lines, *([""] if notes else []), *notes])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _shown(mean: Mean | None) -> str:
    if mean is None or np.isnan(mean.mean):
        return "-"
    digits = 2 if abs(mean.mean) >= 1.5 else 3
    shown = f"{mean.mean:.{digits}f}"
    return shown if np.isnan(mean.low) else f"{shown} ± {(mean.high - mean.low) / 2:.{digits}f}"


def table_facts(part: str, truths: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return a table for programs; `truths` are "all", or the "sound" ones alone."""
    return {
        "part": part,
        "truths": truths,
        "rows": [
            {
                "method": row.method,
                "pictures": row.pictures,
                PUBLISHED: row.source,
                "scores": {name: _facts(mean) for name, mean in row.scores.items()},
            }
            for row in rows
        ],
    }


def _facts(mean: Mean) -> dict[str, float | None]:
    numbers = {"mean": mean.mean, "low": mean.low, "high": mean.high}
    return {name: None if np.isnan(number) else number for name, number in numbers.items()}


def csv_text(scored: Sequence[tuple[Sequence[tuple[str, str]], Scores]]) -> str:
    """Return a CSV: for each line its keys, such as picture and method, and its scores."""
    keys = list(dict.fromkeys(name for pairs, _ in scored for name, _ in pairs))
    columns = list(dict.fromkeys(name for _, scores in scored for name in scores))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*keys, *columns])
    for pairs, scores in scored:
        values = (scores.get(name, float("nan")) for name in columns)
        writer.writerow([*(value for _, value in pairs), *("" if np.isnan(v) else repr(float(v)) for v in values)])
    return text.getvalue()
