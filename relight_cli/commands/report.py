"""relight-cli report: the reports of several runs as one."""

from pathlib import Path
from typing import Annotated

import typer

from relight_cli.errors import ExitCode, UsageError
from relight_cli.jobs.console import notifier, printable
from relight_cli.jobs.option_types import Quiet, Verbose
from relight_cli.jobs.streams import reserve_stdout

report_app = typer.Typer(no_args_is_help=True, help="Join the reports of several runs.")


@report_app.command(short_help="Join reports, and say what failed, is missing or was made twice.")
def merge(
    reports: Annotated[list[Path], typer.Argument(metavar="REPORT", help="Files that --report wrote, in their order.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE.jsonl|-", help="Also write one line for each photo; - for stdout."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Join the REPORTs of several runs, such as the shares of --shard.

    The last line about a photo counts, and success more than failure. Prints what failed, what is missing (shares
    without a line, photos that a share had and has no line of) and what was made twice. Ends with 23 if a photo
    failed or is missing.
    """
    from relight_cli.jobs.inputs import STDIO, file_identity
    from relight_cli.jobs.report_merging import MergedReports
    from relight_cli.jobs.report_summary import summary_lines
    from relight_cli.jobs.streams import write_stdout
    from relight_cli.photos.atomic_files import atomic_file
    from relight_cli.places.objects import kept, place_of

    reports, output = [kept(place_of(report)) for report in reports], output and place_of(output)
    if output and output != STDIO and file_identity(output) in map(file_identity, reports):
        raise UsageError(f"--output {output} is one of the reports: choose another file.")
    with reserve_stdout():
        merged = MergedReports(reports)
        for report, lines in merged.damaged.items():
            notifier(quiet)(f"{report}: lines that are about no photo, or damaged, are left out ({lines}).")
        if output == STDIO:
            for line in merged.lines():
                write_stdout(line)
        elif output:
            with atomic_file(output, overwrite=overwrite) as temporary, temporary.open("wb") as file:
                file.writelines(merged.lines())
        told, is_complete = summary_lines(merged)
        for text in told if output != STDIO else []:
            write_stdout(f"{printable(text)}\n".encode())
    if not is_complete:
        raise typer.Exit(ExitCode.SOME_FAILED)
