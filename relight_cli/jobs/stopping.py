"""What stops a run before its last photo: what fails one photo and would fail every later one too."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from relight_cli.devices import is_device_lost
from relight_cli.errors import OutputUnwritableError
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.resuming import resume_command

_NAMES = ("ENOSPC", "EDQUOT", "EROFS", "EIO", "ENODEV", "ENXIO", "ENOTCONN", "ESTALE", "EHOSTDOWN", "EREMOTEIO")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}  # never of an input, but of the temporary copy of one
_LASTING = {getattr(errno, name) for name in _NAMES if hasattr(errno, name)}
# Write-protected, no such unit, not ready, disk full (39 and 112), network gone, device failed or unplugged, quota
# (Windows, System Error Codes).
_LASTING_ON_WINDOWS = {19, 20, 21, 39, 55, 112, 1117, 1167, 1295}


def is_lasting(error: BaseException) -> bool:
    """Return whether an error of one photo would be that of every later one too: no room, a disk or a device gone.

    A file too large for its file system is not: smaller ones fit. A folder that may not be written any more is.
    """
    causes = list(_causes(error))
    of_system = [one for one in causes if isinstance(one, OSError)]
    if not isinstance(error, OutputUnwritableError):
        of_system = [one for one in of_system if one.errno in _FULL]
    lost = any(is_device_lost(one) for one in causes if isinstance(one, Exception))
    return lost or any(_is_lasting_of_system(one) for one in of_system)


def rest_of(options: CommandOptions, *, add: tuple[str, ...] = ("--skip-existing",)) -> str:
    """Return the command line that makes the rest of this run, with `add` in place of --overwrite."""
    more = (*add, *(("--resume",) if hasattr(options, "resume") else ()))
    if add and options.overwrite and "--overwrite" not in sys.argv:  # from a file or the environment
        more = (*more, "--no-overwrite")
    return resume_command(sys.argv[1:], more)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, back to the first."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _is_lasting_of_system(error: OSError) -> bool:
    if error.errno in (errno.EACCES, errno.EPERM) and isinstance(error.filename, str | os.PathLike):
        folder = Path(error.filename).absolute().parent
        if folder.is_dir() and not os.access(folder, os.W_OK):
            return True
    return error.errno in _LASTING or getattr(error, "winerror", None) in _LASTING_ON_WINDOWS
