"""The list of a data set's pictures whose truth is wrong, such as one that holds a shadow of its own."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.evaluation.protocol import Case


def unsound_names(dataset: Path, protocol: str, named: Path | None, cases: Iterable[Case]) -> frozenset[str]:
    """Return the names of the cases whose truth a list calls unsound; none without a list.

    The list is `named`, or unsound-PROTOCOL.txt in the data set. Each line is a name as in the CSV, or a pattern with
    * and ?; empty lines and those that begin with # are skipped. Raises PhotoUnreadableError for a list that cannot be
    read, UsageError for a line that fits no picture.
    """
    path = named or dataset / f"unsound-{protocol}.txt"
    if not named and not path.is_file():
        return frozenset()
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except OSError as error:
        raise PhotoUnreadableError(f"{path}: the list cannot be read ({error.strerror}): check its name.") from error
    except UnicodeDecodeError as error:
        raise PhotoUnreadableError(f"{path}: is no list of names in UTF-8: write one name a line.") from error
    patterns = [line for line in lines if line and not line.startswith("#")]
    names = [case.name for case in cases]
    fitting = {pattern: [name for name in names if fnmatchcase(name, pattern)] for pattern in patterns}
    if idle := next((pattern for pattern, found in fitting.items() if not found), None):
        raise UsageError(f"{path}: {idle!r} fits no picture of {dataset}, for instance {names[0]!r}: correct the line.")
    return frozenset(name for found in fitting.values() for name in found)
