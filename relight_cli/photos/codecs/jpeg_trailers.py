"""What follows the scan data of a JPEG without an end marker: other data, or the wrong end of a picture that is cut."""

import re
from collections.abc import Callable

_NEAR = 6  # bytes that are compared
_SLACK = 4  # bytes after the last code: of padding and of a marker that is cut
# The beginning of a video (ISO 14496-12, section 4.3) and of Samsung's list of what is appended.
_OTHER_DATA = re.compile(rb"\0\0\0[\x10-\x40]ftyp|SEF[HT]")
_TEXT = re.compile(rb"[\t\n\r -~]+")


def is_read_as_scan_data(scans: bytes, still_decodes: Callable[[int], bool]) -> bool:
    """Return whether a decoder has read what seems to be other data as the end of a picture.

    `still_decodes(length)` says whether the first bytes of `scans` decode to the same pixels as all of them. The place
    from which on they do is the end of the picture. Other data begins before it if it is known by its first bytes, if
    it is text, or if the same few bytes go on behind that place.
    """
    if not still_decodes(len(scans) - _SLACK):
        return False  # nothing follows
    low, high = 0, len(scans) - _SLACK
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if still_decodes(middle) else (middle, high)
    before, after = scans[high - _NEAR : high], scans[high : high + _NEAR]
    return bool(_OTHER_DATA.search(scans, 0, high) or _TEXT.fullmatch(before)) or set(before) == set(after)
