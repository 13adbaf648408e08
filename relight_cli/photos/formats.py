"""Picture formats: their suffixes, which can be written, and which need an extra."""

from importlib.util import find_spec
from pathlib import Path

from relight_cli.errors import MissingExtraError

SUFFIXES = {  # of formats that can be written
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".jp2": "JPEG2000",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
    ".exr": "EXR",
}
LINEAR_FORMATS = ("EXR", "TIFF")  # that hold any linear light as floats
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mef", ".mos"),
    *(".mrw", ".nef", ".nrw", ".orf", ".ori", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
_READ_ONLY = {
    **dict.fromkeys((".j2k", ".j2c", ".jpf", ".jpx"), "JPEG2000"),
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm"), "NETPBM"),
    ".gif": "GIF",
    ".hdr": "RADIANCE",
    **dict.fromkeys(RAW_SUFFIXES, "RAW"),
}
_OUTPUT_SUFFIXES = {"JPEG2000": ".jp2", "RAW": ".tif"}  # by format, for suffixes that are only read
_EXTRAS = {"HEIF": ("pillow_heif", "heif"), "RAW": ("rawpy", "raw"), "EXR": ("OpenEXR", "exr")}
_NAMES = {"HEIF": "HEIC/HEIF pictures", "RAW": "camera raw files", "EXR": "EXR pictures"}


def format_of(path: Path) -> str | None:
    """Return the format that the suffix names, None if it is unknown; "RAW" (camera raw) is only read."""
    suffix = path.suffix.lower()
    return SUFFIXES.get(suffix) or _READ_ONLY.get(suffix)


def output_suffix(path: Path) -> str:
    """Return the suffix of an output made from this picture: its own if that can be written; raw becomes TIFF."""
    if path.suffix.lower() in SUFFIXES:
        return path.suffix
    return _OUTPUT_SUFFIXES.get(format_of(path) or "", ".png")


def linear_suffix(path: Path) -> str:
    """Return the suffix of an output in linear light made from this picture: its own if that can hold it, else .exr."""
    suffix = output_suffix(path)
    return suffix if SUFFIXES[suffix.lower()] in LINEAR_FORMATS else ".exr"


def require_format(kind: str) -> None:
    """Raise MissingExtraError if the extra that a format needs is not installed."""
    module, extra = _EXTRAS.get(kind, ("", ""))
    if module and not find_spec(module):
        raise MissingExtraError(f"{_NAMES[kind]} need an extra: pip install 'relight-cli[{extra}]'")


def frames_remedy(name: str) -> str:
    """Return the command that writes the frames of a video, as a part of a message."""
    return f"'relight-cli interpolate-timelapse {name} --between 0 --mode image -o frames' writes its frames"
