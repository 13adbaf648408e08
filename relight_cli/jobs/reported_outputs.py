"""What an earlier report says of outputs that say nothing themselves, such as those of --strip."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from relight_cli.jobs.inputs import sha256_of

Facts = Mapping[str, object]
"""What a report says of one photo beside what it says of every one."""


def output_facts(output: Path, parameters: str) -> Facts:
    """Give what a report says of a file that was written, by which it is known again; see `Provenance.parameters`."""
    return {"output": str(output), "output_sha256": sha256_of(output), "made": json.loads(parameters)}


class ReportedOutputs:
    """The outputs that a report has entries of; it is read when it is first asked."""

    def __init__(self, report: Path | None) -> None:
        self._report = report

    def parameters(self, output: Path) -> str | None:
        """Tell how an output was made, if it is still the file that the report speaks of."""
        if not self._made:
            return None
        return self._made.get((str(output), sha256_of(output)))

    @cached_property
    def _made(self) -> dict[tuple[str, str | None], str]:
        """Give the parameters by name and hash; of several entries the last counts, as reports are added to."""
        found: dict[tuple[str, str | None], str] = {}
        for entry in self._entries():
            name, sha256, made = (entry.get(key) for key in ("output", "output_sha256", "made"))
            if isinstance(name, str) and isinstance(sha256, str) and isinstance(made, dict):
                found[name, sha256] = json.dumps(made)
        return found

    def _entries(self) -> Iterator[Facts]:
        """Yield the entries, and those of further files in them; damaged lines are passed over."""
        if self._report is None or not self._report.is_file():  # to read a pipe would wait for ever
            return
        try:
            with self._report.open(encoding="ascii", errors="replace") as lines:
                for line in lines:
                    entry = _parsed(line)
                    yield entry
                    more = entry.get("more_outputs")
                    yield from (one for one in (more if isinstance(more, list) else []) if isinstance(one, dict))
        except OSError:  # which is said when a line is to be added
            return


def _parsed(line: str) -> Facts:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
