"""What `report merge` prints about joined reports."""

from collections.abc import Iterator
from itertools import islice

from relight_cli.jobs.report_merging import SHOWN, MergedReports


def summary_lines(merged: MergedReports) -> tuple[list[str], bool]:
    """Return the lines of a summary, and whether no photo failed and none is missing."""
    failed = _shown("failed", (f"{name}: {why}" if why else name for name, why in merged.failed()))
    missing, twice = _shown("missing", merged.missing()), _shown("twice", merged.twice())
    counts = merged.counts
    parts = ", ".join(f"{counts.get(status, 0)} {status}" for status in dict.fromkeys(("done", *counts)))
    total, reports = sum(counts.values()), len(merged.reports)
    first = f"{total} photo{'s' * (total != 1)} in {reports} report{'s' * (reports != 1)}: {parts}"
    return [first, *failed, *missing, *twice], not (failed or missing)


def _shown(word: str, texts: Iterator[str]) -> list[str]:
    """Return a line for each of the first texts, and one that counts the others."""
    lines = [f"{word:8} {text}" for text in islice(texts, SHOWN)]
    more = sum(1 for _ in texts)
    return [*lines, f"{word:8} and {more} more"] if more else lines
