"""What lies at a path that a user names, which may be any text.

`pathlib.Path` raises OSError for a name that is longer than the file system takes (before Python 3.14).
"""

import os


def is_file(path: str | os.PathLike[str]) -> bool:
    """Return whether there is a file; False for a name that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether there is a folder; False for a name that no folder can have."""
    return os.path.isdir(path)  # noqa: PTH112
