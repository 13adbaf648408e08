"""The colours of an AVIF or HEIF whose container does not state them: those in the header of its AV1 or HEVC stream."""

import contextlib
from dataclasses import replace
from typing import Any, BinaryIO

from relight_cli.photos.cicp import UNSPECIFIED, is_hdr, is_known, profile_of_cicp
from relight_cli.photos.codecs.decoded import Decoded
from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.colour_tags import ColourTags

_CONTAINERS = ("AVIF", "HEIF")
_GREY = "gray"  # begins the names of pixel formats without colours: alpha and depth


def complete_colours(decoded: Decoded, file: BinaryIO) -> None:
    """Replace code points that the container leaves unspecified by those of the stream; a note if av is missing."""
    stated = (decoded.colour and decoded.colour.cicp) or (UNSPECIFIED, UNSPECIFIED)
    if decoded.format not in _CONTAINERS or decoded.icc or UNSPECIFIED not in stated:
        return
    try:
        import av
    except ImportError:
        decoded.notes.append(
            "its colours could only be stated in its stream, which av reads (pip install 'relight-cli[video]'); they "
            "are taken as sRGB"
        )
        return
    file.seek(0)
    found: tuple[int, int] | None = None
    with quiet(), contextlib.suppress(av.FFmpegError, StopIteration), av.open(file) as container:
        found = _code_points(container)
    if found and _says_more_than_srgb(*found):
        primaries, transfer = (own if own != UNSPECIFIED else other for own, other in zip(stated, found, strict=True))
        decoded.colour = replace(decoded.colour or ColourTags(), cicp=(primaries, transfer))


def _says_more_than_srgb(primaries: int, transfer: int) -> bool:
    """Return whether code points are others than those of sRGB, the default of encoders."""
    if is_hdr(transfer):
        return True
    return is_known(primaries, transfer) and profile_of_cicp(primaries, transfer) is not None


def _code_points(container: Any) -> tuple[int, int] | None:
    """Return primaries and transfer of the first picture with colours; the tiles of a picture say the same."""
    for stream in container.streams.video:
        frame = next(container.decode(stream))
        if not frame.format.name.startswith(_GREY):
            return int(frame.color_primaries), int(frame.color_trc)
    return None
