"""JPEGs whose scan data is damaged: decoders make some picture of it, and only libjpeg's warnings tell."""

import re

import simplejpeg

from relight_cli.photos.codecs.jpeg_segments import PROFILE

_DAMAGE = re.compile(r"Corrupt JPEG data: (?:(\d+) extraneous bytes before marker 0x([0-9a-f]+))?")
_BAD_PROFILE = "bad ICC marker"
_BUFFER = 16  # bytes


def damage_note(data: bytes, *, scaled: bool) -> str | None:
    """Return a note if the scan data of a whole JPEG with 8 bits is damaged.

    `scaled` decodes fewer pixels, which libjpeg cannot do of lossless JPEGs: it would write beyond its buffer.

    libjpeg notices that codes are invalid, or that there are too few or too many. Damage that gives as many valid codes
    stays unknown.
    """
    try:
        smallest = {"min_height": 1, "min_width": 1, "min_factor": 8} if scaled else {}
        simplejpeg.decode_jpeg(data, "GRAY", **smallest, strict=True)
    except ValueError as error:  # on a warning, or where it cannot decode the file's kind at all
        if _BAD_PROFILE in str(error):  # reported where the profile is read
            return damage_note(data.replace(PROFILE, PROFILE.lower()), scaled=scaled)
        found = _DAMAGE.match(str(error))
        if found and not (found[1] and _is_padding(data, int(found[1]), int(found[2], 16))):
            return "its scan data is damaged: a part of the picture is probably wrong"
    return None


def _is_padding(data: bytes, count: int, marker: int) -> bool:
    """Say whether the bytes before a marker that belong to nothing are zeros that a program filled in."""
    at = data.find(bytes(count) + b"\xff%c" % marker)
    # Of zeros in a damaged block some are decoded; the decoder's buffer takes a few in any case.
    return at >= 0 and bool(data[max(at - _BUFFER, 0) : at].strip(b"\0"))
