"""Join the reports of several runs, as those of the shares of --shard: one line a photo, and what is missing."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from relight_cli.errors import PhotoUnreadableError

SHOWN = 20  # lines of each kind in a summary
_SCHEMA = """
CREATE TABLE photos (
    input TEXT PRIMARY KEY, status TEXT, output TEXT, message TEXT, share TEXT,
    report INTEGER, offset INTEGER, length INTEGER
);
CREATE TABLE twice (input TEXT, first INTEGER, second INTEGER);
CREATE TABLE shares (share TEXT, report INTEGER, photos INTEGER, PRIMARY KEY (share));
"""
_ADD = "INSERT INTO photos VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_REPLACE = "UPDATE photos SET status=?, output=?, message=?, share=?, report=?, offset=?, length=? WHERE input=?"


@dataclass
class MergedReports:
    """The last word on every photo in several reports; in a database on disk, since there may be millions."""

    reports: Sequence[Path]
    damaged: dict[Path, int] = field(default_factory=dict)  # lines that say nothing about a photo
    empty: list[Path] = field(default_factory=list)  # reports without a line, as of a share without photos

    def __post_init__(self) -> None:
        """Read the reports. Raises PhotoUnreadableError."""
        self._database = sqlite3.connect("")  # a temporary file, removed when it is closed
        self._database.executescript(f"PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; {_SCHEMA}")
        for number, report in enumerate(self.reports):
            self._read(number, report)

    @property
    def counts(self) -> dict[str, int]:
        """How many photos have each status."""
        return dict(self._database.execute("SELECT status, count(*) FROM photos GROUP BY status ORDER BY status"))

    def failed(self) -> Iterator[tuple[str, str]]:
        """Yield the photos that failed, and why."""
        yield from self._database.execute("SELECT input, message FROM photos WHERE status='failed' ORDER BY rowid")

    def twice(self) -> Iterator[str]:
        """Yield a text for each photo that two reports say is made, and for each output that two photos have."""
        for name, first, second in self._database.execute("SELECT * FROM twice"):
            yield f"{name}: in {self.reports[first]} and in {self.reports[second]}"
        clashes = (
            "SELECT output, min(input), max(input) FROM photos WHERE output IS NOT NULL AND output != '-' "
            "GROUP BY output HAVING count(*) > 1"
        )
        for output, first, second in self._database.execute(clashes):
            yield f"{output}: the output of {first} and of {second}"

    def missing(self) -> Iterator[str]:
        """Yield a text for each share that has no line, or fewer photos than it said it had.

        A share without photos leaves an empty report: as many shares without a line as there are such reports are well.
        """
        count = max((int(share.split("/")[1]) for (share,) in self._shares("share")), default=0)
        seen = {share for (share,) in self._shares("share")}
        absent = [one for one in (f"{number}/{count}" for number in range(1, count + 1)) if one not in seen]
        if len(absent) > len(self.empty):
            yield from (f"share {share}: no line" for share in absent)
        for share, photos in self._shares("share, photos"):
            (found,) = self._database.execute("SELECT count(*) FROM photos WHERE share=?", (share,)).fetchone()
            if found < photos:
                yield f"share {share}: {photos - found} of its {photos} photos have no line"

    def lines(self) -> Iterator[bytes]:
        """Yield the line that holds for each photo, in the order of the reports."""
        files: dict[int, BinaryIO] = {}
        try:
            for number, offset, length in self._database.execute(
                "SELECT report, offset, length FROM photos ORDER BY rowid"
            ):
                if number not in files:
                    files[number] = self.reports[number].open("rb")
                files[number].seek(offset)
                yield files[number].read(length) + b"\n"
        finally:
            for file in files.values():
                file.close()

    def _shares(self, columns: str) -> list[tuple[Any, ...]]:
        return self._database.execute(f"SELECT {columns} FROM shares ORDER BY share").fetchall()

    def _read(self, number: int, report: Path) -> None:
        offset = lines = 0
        try:
            with report.open("rb") as file:
                for line in file:
                    lines += bool(line.strip())
                    if line.strip() and not self._add(number, offset, line.rstrip(b"\r\n")):
                        self.damaged[report] = self.damaged.get(report, 0) + 1
                    offset += len(line)
        except OSError as error:
            reason = error.strerror or error
            raise PhotoUnreadableError(f"{report}: the report cannot be read ({reason}); check its name.") from error
        if not lines:
            self.empty.append(report)

    def _add(self, number: int, offset: int, line: bytes) -> bool:
        """Take a line if it is about a photo: the later one of a report counts, and success more than failure."""
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(entry, dict) or not isinstance(entry.get("input"), str) or "status" not in entry:
            return False
        name, share = entry["input"], entry.get("share")
        values = (entry["status"], entry.get("output"), entry.get("message"), share, number, offset, len(line))
        if isinstance(share, str) and isinstance(entry.get("photos"), int):
            self._database.execute("INSERT OR REPLACE INTO shares VALUES (?, ?, ?)", (share, number, entry["photos"]))
        known = self._database.execute("SELECT status, report FROM photos WHERE input=?", (name,)).fetchone()
        if known is None:
            self._database.execute(_ADD, (name, *values))
            return True
        status, before = known
        if before != number and status == entry["status"] == "done":
            self._database.execute("INSERT INTO twice VALUES (?, ?, ?)", (name, before, number))
        if before == number or entry["status"] != "failed" or status == "failed":
            self._database.execute(_REPLACE, (*values, name))
        return True
