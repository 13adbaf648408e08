"""One command of evaluate: check, find, judge, print and write."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from relight_cli._version import __version__
from relight_cli.errors import ExitCode, RelightError, one_line
from relight_cli.evaluation.options import EvaluateOptions, require_extra, require_free, spread
from relight_cli.jobs.console import printable, say, show_traceback
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.progress import begin_progress, current
from relight_cli.jobs.report_file import check_report
from relight_cli.jobs.reports import append_record
from relight_cli.jobs.streams import write_stdout
from relight_cli.photos.atomic_files import write_atomically

if TYPE_CHECKING:
    from relight_cli.evaluation.judging import Failure, Judgement, Scored
    from relight_cli.evaluation.methods import Method
    from relight_cli.evaluation.protocol import Case
    from relight_cli.evaluation.tables import Row

ALL, SOUND = "all", "sound"  # truths of a table


class Evaluation:
    """The work of one command on one data set."""

    def __init__(
        self, task: str, dataset: Path, options: EvaluateOptions, *, outputs: tuple[Path | None, ...] = ()
    ) -> None:
        """Find the pictures. Raises the errors of options and of the data set before any network is loaded."""
        require_extra()
        for path in (options.csv, *outputs):
            require_free(path, overwrite=options.overwrite)
        if options.report:
            check_report(options.report, [path for path in (options.csv, *outputs) if path])
        for path in (options.csv, options.report, *outputs):
            if path:
                make_folder(path.parent)
        begin_progress("evaluate", options)
        from relight_cli.evaluation.judging import find_cases, others_found
        from relight_cli.evaluation.protocols import protocols_of
        from relight_cli.evaluation.unsound import unsound_names

        self.task, self.dataset, self.options = task, dataset, options
        self.protocol, found = find_cases(protocols_of(task), dataset, options.protocol)
        others = [] if options.protocol else others_found(protocols_of(task), dataset, found)
        if others and not options.quiet:
            names = ", ".join(others)
            say(f"{dataset} also has pictures for --protocol {names}; here only {self.protocol.name} is used.")
        self.unsound = unsound_names(dataset, self.protocol.name, options.unsound, found)
        self.cases: list[Case] = spread(found, options.limit)
        self._judged: set[str] = set()
        self._work = ""

    def result_methods(self, read: Callable[[Path], Any] | None = None) -> "list[Method]":
        """Return the folders of --results. Raises PhotoUnreadableError for one that does not exist."""
        from relight_cli.evaluation.methods import results_in

        return [results_in(folder, self.task, read) for folder in self.options.results or ()]

    def judge(self, methods: "list[Method]") -> "Judgement":
        """Judge the methods on all pictures."""
        from relight_cli.evaluation.judging import distinct, judge

        self.begin("")
        return judge(self.protocol, self.cases, distinct(methods), self.after)

    def begin(self, work: str) -> None:
        """Begin to go through all pictures."""
        self._judged, self._work = set(), work
        self._show()

    def after(self, case: "Case", seconds: float, failures: "list[Failure]") -> None:
        """Report one picture."""
        self._judged.add(case.name)
        for failure in failures:
            message = _words_of(failure.error)
            who = f" ({failure.method})" if failure.method else ""
            say(message if message.startswith(str(case.source)) else f"{case.source}{who}: {message}")
            if self.options.verbose:
                show_traceback(failure.error)
        if self.options.report:
            append_record(self.options.report, self._record(case, seconds, failures))
        self._show()

    def _show(self) -> None:
        work = f"{self._work}, " if self._work else ""
        current().stage(f"{work}{len(self._judged)} of {len(self.cases)} pictures are judged")

    def _record(self, case: "Case", seconds: float, failures: "list[Failure]") -> dict[str, Any]:
        error = failures[0].error if failures else None
        return {
            "input": str(case.source),
            "output": None,
            "status": "failed" if failures else "done",
            "error": type(error).__name__ if error else None,
            "message": _words_of(error) if error else None,
            "seconds": round(seconds, 3),
            "protocol": self.protocol.name,
            "work": self._work or None,
            "version": __version__,
        }

    def finish(self, judgement: "Judgement", shown: tuple[str, ...] | None = None) -> None:
        """Print the tables, of the methods `shown` alone if given, and write the CSV.

        Raises typer.Exit with exit code 23 if a picture failed.
        """
        from relight_cli.evaluation.tables import csv_text, table_facts, table_text

        current().pause()
        options, tables, texts = self.options, [], []
        for (part, truths), rows in self._rows(judgement).items():
            tables.append(table_facts(part, truths, rows))
            listed = [row for row in rows if shown is None or row.source or row.method in shown]
            texts.append(table_text(self._title(part, truths), listed))
        if options.as_json:
            write_stdout(f"{json.dumps(self._facts(judgement, tables), indent=2)}\n".encode())
        elif texts:
            lines = "\n\n".join(texts).split("\n")
            write_stdout("".join(f"{printable(line)}\n" for line in lines).encode())
        if options.csv:
            scored = [
                ((*self._keys(one), ("part", part)), scores)
                for one in judgement.scored
                for part, scores in one.parts.items()
            ]
            write_atomically(options.csv, csv_text(scored).encode(), overwrite=options.overwrite)
        if judgement.failures:
            failed = {failure.case.name for failure in judgement.failures}
            say(f"{len(failed)} of {len(self.cases)} pictures failed; the means are over the others.")
            raise typer.Exit(ExitCode.SOME_FAILED)

    def _rows(self, judgement: "Judgement") -> "dict[tuple[str, str], list[Row]]":
        """Return the lines of each table, by part and truths: of all pictures, then of those with a sound truth."""
        from relight_cli.evaluation.tables import rows_of

        resamples, seed = self.options.resamples, self.options.seed
        tables = {(part, ALL): rows_of(judgement, part, resamples, seed) for part in judgement.parts}
        if self.unsound:
            sound = judgement.without(self.unsound)
            own = {(part, SOUND): rows_of(sound, part, resamples, seed) for part in sound.parts}
            tables |= {key: [row for row in rows if not row.source] for key, rows in own.items()}
        return tables

    def _keys(self, scored: "Scored") -> tuple[tuple[str, str], ...]:
        """Return what a line of the CSV begins with."""
        truth = (("truth", "unsound" if scored.case in self.unsound else SOUND),) if self.unsound else ()
        return (("picture", scored.case), *truth, ("method", scored.method))

    def _title(self, part: str, truths: str) -> str:
        names = [case.name for case in self.cases]
        count = len(names if truths == ALL else [name for name in names if name not in self.unsound])
        counted = f"{count} picture{'s' * (count != 1)}{' with a sound truth' * (truths == SOUND)}"
        interval = ", mean ± half the 95 % interval" if self.options.resamples else ", mean"
        return f"{self.protocol.name}{f', {part}' if part else ''}: {counted}{interval}"

    def _facts(self, judgement: "Judgement", tables: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "task": self.task,
            "protocol": self.protocol.name,
            "dataset": str(self.dataset),
            "pictures": len(self.cases),
            "unsound": [case.name for case in self.cases if case.name in self.unsound],
            "failed": [
                {
                    "picture": f.case.name,
                    "method": f.method,
                    "error": type(f.error).__name__,
                    "message": _words_of(f.error),
                }
                for f in judgement.failures
            ],
            "tables": tables,
            "resamples": self.options.resamples,
            "seed": self.options.seed,
            "version": __version__,
        }


def _words_of(error: Exception) -> str:
    """Return the message of an error; of one that is not ours, whose words may be a number alone, with its kind."""
    return str(error) if isinstance(error, RelightError) else f"unexpected {type(error).__name__}: {one_line(error)}"
