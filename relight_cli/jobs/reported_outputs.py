"""Read from a report how outputs without a record of their own, such as those of --strip, were made."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from relight_cli.jobs.inputs import sha256_of
from relight_cli.places.appending import copy_of
from relight_cli.places.objects import held, written_sha256

ReportEntry = Mapping[str, object]
"""Keys and values of a report entry."""


def output_entry(output: Path, parameters: str) -> ReportEntry:
    """Return what a report records about a written file; for `parameters` see `Provenance.parameters`."""
    sha256 = written_sha256(output) or sha256_of(output)
    return {"output": str(output), "output_sha256": sha256, "made": json.loads(parameters)}


class ReportedOutputs:
    """The outputs in a report, which is read at the first call."""

    def __init__(self, report: Path | None) -> None:
        self._report = report

    def parameters(self, output: Path) -> str | None:
        """Return how an output was made; None unless the report has an entry with its name and hash."""
        if not self._made:
            return None
        return self._made.get((str(output), sha256_of(output)))

    @cached_property
    def _made(self) -> dict[tuple[str, str | None], str]:
        """The parameters by name and hash; the last entry counts, since reports are appended to."""
        found: dict[tuple[str, str | None], str] = {}
        for entry in self._entries():
            name, sha256, made = (entry.get(key) for key in ("output", "output_sha256", "made"))
            if isinstance(name, str) and isinstance(sha256, str) and isinstance(made, dict):
                found[name, sha256] = json.dumps(made)
        return found

    def _entries(self) -> Iterator[ReportEntry]:
        """Yield the entries and those of extra files in them; a damaged line is an empty entry."""
        report = copy_of(self._report) if self._report else None
        if report is None or not report.is_file():  # reading a pipe would never end
            return
        try:
            with held(report) as copy, copy.open(encoding="ascii", errors="replace") as lines:
                for line in lines:
                    entry = _parse(line)
                    yield entry
                    more = entry.get("more_outputs")
                    yield from (one for one in (more if isinstance(more, list) else []) if isinstance(one, dict))
        except OSError:  # reported when a line is appended
            return


def _parse(line: str) -> ReportEntry:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
