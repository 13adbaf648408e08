"""Parts of a picture file that are found by their first bytes, wherever the container puts them."""

import re
from typing import BinaryIO

from relight_cli.photos.xmp_packets import CREDENTIALS, MOTION

SEARCHED_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF")  # TIFF: also camera raw
# The first box of an MP4 (ISO 14496-12, section 4.3): the video of a motion photo, appended or in a box of its own.
_VIDEO = re.compile(rb"\0\0\0[\x10-\x40]ftyp[\w ]{4}")
# The label of a manifest store (C2PA, section 11.1.4.2).
_MANIFESTS = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
_BLOCK = 1 << 16  # bytes read at a time
_OVERLAP = 32
_OWN_HEAD = 16  # bytes at the start, where HEIF and AVIF have such a box themselves


def appended_parts(file: BinaryIO) -> set[str]:
    """Return the names of the parts next to the picture that are not written again."""
    file.seek(_OWN_HEAD)
    found, before = set(), b""
    while block := file.read(_BLOCK):
        searched = before + block
        if _MANIFESTS in searched:
            found.add(CREDENTIALS)
        if _VIDEO.search(searched):
            found.add(MOTION)
        before = searched[-_OVERLAP:]
    return found
