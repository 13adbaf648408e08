"""Check the options of --compare before any work."""

import os
from collections.abc import Iterable
from pathlib import Path

from relight_cli.errors import OutputUnwritableError, UnfitOptionError, UsageError
from relight_cli.jobs.file_names import require_short_name
from relight_cli.jobs.inputs import STDIO, file_identity
from relight_cli.jobs.objects import refuse_objects
from relight_cli.jobs.options import CommandOptions
from relight_cli.pages.page import is_untouched_page

SUFFIXES = (".html", ".htm")


def check_compare(options: CommandOptions, others: Iterable[Path]) -> None:
    """Check --compare and --compare-full; `others` are all other files that are read or written.

    Raises UsageError, OutputUnwritableError.
    """
    path = options.compare
    if path is None:
        if options.compare_full:
            raise UnfitOptionError(
                "--compare-full needs --compare PAGE.html: give both, or leave it out.", "--compare-full"
            )
        return
    refuse_objects([path], "a page of --compare")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--compare {path}: a page is an HTML file: end the name in .html.")
    require_short_name(path)
    if file_identity(path) in {file_identity(other) for other in others if other != STDIO}:
        raise UsageError(f"--compare {path} is also an input or an output of this run: name another file.")
    if os.path.lexists(path) and not may_replace_page(path, options):
        own = " and is not as relight-cli wrote it" if options.skip_existing else ""
        remedy = "give --overwrite" if own else "give --overwrite or --skip-existing"
        raise OutputUnwritableError(f"{path} exists{own}: {remedy}, or name another file with --compare.")


def may_replace_page(path: Path, options: CommandOptions) -> bool:
    return options.overwrite or (options.skip_existing and is_untouched_page(path))
