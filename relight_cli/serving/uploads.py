"""What a client sends: saved under names of the server's own, and looked at before anything is decoded."""

import re
from pathlib import Path

from relight_cli.photos.formats import format_of
from relight_cli.serving.errors import ProblemError

MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".jp2": "image/jp2",
    ".exr": "image/x-exr",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".hdr": "image/vnd.radiance",
    ".npz": "application/octet-stream",
}
_SUFFIX_OF = {media: suffix for suffix, media in MEDIA_TYPES.items() if suffix != ".npz"} | {"image/heif": ".heif"}
_NEUTRAL = ("", "application/octet-stream", "application/x-www-form-urlencoded", "image/*")  # curl sends the third
_OF_FORMAT = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "JPEG2000": ".jp2", "EXR": ".exr", "HEIF": ".heic"} | {
    "BMP": ".bmp",
    "GIF": ".gif",
    "RADIANCE": ".hdr",
    "NETPBM": ".ppm",
}
_OTHERS = {"light": (".toml",), "depth": (".npz",)}  # suffixes by part, besides those of pictures
_NAME = re.compile(r"[^/\\:*?\"<>|\x00-\x1f]{1,255}")


def media_type(path: Path) -> str:
    """Return the media type of a result."""
    suffix = {".jpeg": ".jpg", ".jpe": ".jpg", ".jfif": ".jpg", ".tiff": ".tif", ".heif": ".heic", ".hif": ".heic"}
    return MEDIA_TYPES.get(suffix.get(path.suffix, path.suffix), "application/octet-stream")


def suffix_for(part: str, name: str | None, media: str, start: bytes) -> str:
    """Return the suffix of an upload: by its name, else its media type, else its first bytes. Raises a ProblemError.

    The name says nothing else: the upload is stored under the name of its part.
    """
    if name:
        if not _NAME.fullmatch(name) or set(name) <= {"."}:
            raise ProblemError(
                400, f"{part}: a file name is one name, without folders or an address: {name[:80]!r} is none."
            )
        suffix = Path(name).suffix.lower()
        if suffix in _OTHERS.get(part, ()) or format_of(Path(f"x{suffix}")):
            return suffix
        if suffix:
            raise ProblemError(415, f"{part}: {suffix} is no format of pictures that relight-cli reads.")
    media = media.partition(";")[0].strip().lower()
    if media in _SUFFIX_OF:
        return _SUFFIX_OF[media]
    if media not in _NEUTRAL:
        raise ProblemError(415, f"{part}: {media} is no picture; send its media type, such as image/jpeg.")
    return _by_content(part, start)


def _by_content(part: str, start: bytes) -> str:
    import io

    from relight_cli.photos.codecs.decoding import detect_format

    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[4:12] in (b"ftypavif", b"ftypavis"):
        return ".avif"
    found = _OF_FORMAT.get(detect_format(io.BytesIO(start)))
    if not found:
        raise ProblemError(
            415, f"{part}: the bytes are no picture of a known format; send a file name or a media type."
        )
    return found


def check_size(path: Path, max_pixels: int) -> None:
    """Raise a ProblemError for too many pixels, by the header; any other fault is the command's to tell."""
    from relight_cli.photos.header import read_header

    if not format_of(path):
        return
    try:
        header = read_header(path)
    except Exception:  # noqa: BLE001  libraries raise anything; the command reports it
        return
    if header.width * header.height > max_pixels:
        raise ProblemError(
            413, f"{path.stem}: {header.width} x {header.height} pixels are more than the {max_pixels} allowed."
        )
