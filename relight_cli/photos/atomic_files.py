"""Files that appear whole or not at all."""

import atexit
import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from relight_cli.errors import OutputUnwritableError
from relight_cli.interruption import watch_writing
from relight_cli.photos.leftovers import remove_leftovers, temporary_path_for
from relight_cli.places.copies import new_file, remove_file
from relight_cli.places.objects import ObjectPath

_REMEDIES = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some of your disk quota",
    errno.EFBIG: "choose another folder with --output",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "name a folder, not a file, before the last slash",
    errno.ENAMETOOLONG: "choose a shorter name with --output",
}
_temporary: set[Path] = set()  # temporary files of this process that may exist
_swept: set[Path] = set()  # folders searched for what killed runs left
_NO_HARD_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES, errno.EXDEV}


def write_atomically(target: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a file through a hidden temporary one, as `atomic_file` does. Raises OutputUnwritableError."""
    with atomic_file(target, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        file.write(data)


@contextlib.contextmanager
def atomic_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a hidden temporary file next to the target; after the block, flush it to disk and rename it to the target.

    For an object the temporary file is elsewhere, and is uploaded, so that the object appears when it is whole.

    A new file gets the mode of the umask, a replaced one keeps its mode; a symbolic link is itself replaced, never
    followed. Without `overwrite` an existing file is never replaced, not even one that another writer creates
    meanwhile (if the file system has hard links). Raises OutputUnwritableError for any OSError, also one of the block.
    The temporary file is always removed; after a SIGKILL the next run that writes into the folder removes it.
    """
    if isinstance(target, ObjectPath):
        with _uploaded(target, overwrite=overwrite) as temporary:
            yield temporary
        return
    if "\0" in str(target):
        raise OutputUnwritableError(f"{target}: a file name cannot contain a null character; choose another name")
    temporary = temporary_path_for(target)
    try:
        _check_target(target, overwrite=overwrite)
        _sweep_once(target.parent)
        _temporary.add(temporary)
        try:
            temporary.open("xb").close()  # "x" creates with 0666 minus the umask, mkstemp with 0600
            yield temporary
            _flush(temporary)
            if overwrite:
                _keep_mode(temporary, target)
                os.replace(temporary, target)  # noqa: PTH105  the documented atomic call
            else:
                _take_free_name(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
            _temporary.discard(temporary)
        _sync_folder(target.parent)
    except FileExistsError as error:
        raise OutputUnwritableError(f"{target}: the file exists; pass --overwrite or choose another name") from error
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "choose another folder with --output")
        raise OutputUnwritableError(f"{target}: cannot be written ({error.strerror or error}); {remedy}") from error


@contextlib.contextmanager
def _uploaded(target: ObjectPath, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary file; after the block, write it to an object. Raises OutputUnwritableError."""
    temporary = new_file(target.name)
    _temporary.add(temporary)
    try:
        yield temporary
        target.upload(temporary, overwrite=overwrite)
    except FileExistsError as error:
        raise OutputUnwritableError(f"{target}: the object exists; pass --overwrite or choose another name") from error
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        remedy = "create the bucket first" if is_missing else "check the name, your credentials and the connection"
        raise OutputUnwritableError(f"{target}: cannot be written ({error.strerror or error}); {remedy}") from error
    finally:
        remove_file(temporary)
        _temporary.discard(temporary)


@atexit.register
def _clear_up() -> None:
    """Remove the temporary files that remain if an interruption hits the cleanup itself."""
    for temporary in list(_temporary):
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


watch_writing(lambda: bool(_temporary), _clear_up)


def _sweep_once(folder: Path) -> None:
    if (absolute := folder.absolute()) not in _swept:
        _swept.add(absolute)
        remove_leftovers(folder, _temporary)


def _check_target(target: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    kind = target.stat().st_mode if target.exists() else stat.S_IFREG  # a dangling link counts as a file
    if stat.S_ISDIR(kind):
        raise OutputUnwritableError(f"{target}: is a folder; name a file in it")
    if not stat.S_ISREG(kind):  # replacing /dev/null would do harm
        raise OutputUnwritableError(f"{target}: is a device or pipe; write to standard output with --output -")
    if not overwrite:
        raise OutputUnwritableError(f"{target}: the file exists; pass --overwrite or choose another name")


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _keep_mode(temporary: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        mode = target.lstat().st_mode
        if stat.S_ISREG(mode):
            temporary.chmod(stat.S_IMODE(mode))


def _take_free_name(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)  # fails if the name is taken, unlike a rename
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # FAT and some network disks: a short race remains, but no torn file.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        temporary.replace(target)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system can open a folder; the file itself is already safe
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
