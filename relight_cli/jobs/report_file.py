"""The file of --report: it grows, so it must be new, empty or a report, and nothing else that a run reads or writes."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from relight_cli.errors import OutputUnwritableError, UsageError
from relight_cli.jobs.inputs import STDIO, file_identity
from relight_cli.paths import is_file
from relight_cli.places import appending
from relight_cli.places.objects import ObjectPath

_LONGEST = 1 << 20  # bytes of a first line that are read; that of a share with many outputs takes less
_BEGIN = b'{"input": '


def check_report(report: Path, others: Iterable[Path]) -> None:
    """Raise UsageError for a report that is stdout, one of the `others` of the run, or a file with other content."""
    if report == STDIO:
        raise UsageError("--report - is not possible, since stdout is for the picture: name a file.")
    if file_identity(report) in {file_identity(path) for path in others if path != STDIO}:
        raise UsageError(f"--report {report} is also an input or an output: name another file.")
    if not isinstance(report, ObjectPath):
        _refuse_other_content(report, report)


def begin_report(report: Path) -> None:
    """Create a report and its folder. Raises OutputUnwritableError, and UsageError for an object of other content."""
    try:
        if isinstance(report, ObjectPath):
            appending.begin(report)
            _refuse_other_content(report, appending.copy_of(report))
            return
        report.parent.mkdir(parents=True, exist_ok=True)
        if report.is_fifo():  # which nothing reads: opening it would wait for ever
            os.close(os.open(report, os.O_WRONLY | os.O_NONBLOCK))
        report.open("a").close()
    except OSError as error:
        message = f"{report}: the report cannot be written ({error.strerror}): name another file."
        raise OutputUnwritableError(message) from error


def _refuse_other_content(report: Path, file: Path) -> None:
    """Raise UsageError for a file, not a pipe or a device, whose first line is no entry; it may be cut off."""
    if not is_file(file):
        return
    try:
        with file.open("rb") as opened:
            line = opened.readline(_LONGEST)
    except OSError as error:
        message = f"{report}: the report cannot be read ({error.strerror}): name another file."
        raise OutputUnwritableError(message) from error
    if line and not _is_entry(line):
        raise UsageError(f"--report {report} exists and is not a report, which lines would be added to: name another.")


def _is_entry(line: bytes) -> bool:
    """Return whether a line is an entry about an input, or the beginning of one."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return line.startswith(_BEGIN) or _BEGIN.startswith(line)
    return isinstance(entry, dict) and isinstance(entry.get("input"), str) and "status" in entry
