"""Files that systems, galleries and developers put next to photos, and that are no photos themselves."""

from pathlib import Path

_NAMES = frozenset(
    (
        *(".ds_store", ".localized", ".volumeicon.icns", "icon\r"),  # macOS
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "folder.ini"),  # Windows
        *(".picasa.ini", "picasa.ini", ".directory", ".nomedia", ".comments"),
    )
)
_FOLDERS = frozenset(
    (
        *("__macosx", ".appledouble", ".spotlight-v100", ".trashes", ".fseventsd", ".temporaryitems"),  # macOS
        *("$recycle.bin", "system volume information", "recycler"),  # Windows
        *("@eadir", "#recycle", ".@__thumb", "@recycle", "#snapshot", "lost+found"),  # network storage
        *(".thumbnails", ".trash", ".picasaoriginals", ".dtrash"),
    )
)
_SUFFIXES = frozenset(
    (
        *(".xmp", ".aae", ".thm", ".lrv", ".pp3", ".dop", ".cos", ".cop", ".cot", ".on1", ".rpp", ".nksc", ".xmpmm"),
        *(".tmp", ".part", ".crdownload", ".lnk", ".url"),
    )
)
_APPLE_DOUBLE = bytes.fromhex("00051607")


def is_companion(path: Path) -> bool:
    """Return whether a file lies next to photos without being one: `._NAME`, .DS_Store, Thumbs.db, NAME.xmp, ...

    `._NAME` holds what macOS knows about NAME on disks of other systems (AppleDouble, RFC 1740).
    """
    name = path.name.casefold()
    return name.startswith("._") or name in _NAMES or path.suffix.casefold() in _SUFFIXES


def is_named_companion(path: Path) -> bool:
    """Return whether an existing file that was given by name is a companion, as where a shell expanded `*`."""
    if not is_companion(path):
        return False
    try:
        with path.open("rb") as file:
            return not path.name.startswith("._") or file.read(4) == _APPLE_DOUBLE
    except (OSError, ValueError):
        return False


def is_of_system(path: Path) -> bool:
    """Return whether a file, by its path below a folder of photos, is in a bin or among thumbnails of a system."""
    return any(part.casefold() in _FOLDERS or part.casefold().startswith(".trash-") for part in path.parts[:-1])
