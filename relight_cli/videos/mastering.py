"""Static metadata of HDR10: the display that a video was mastered on (SMPTE ST 2086), and its brightest light."""

import struct
from collections.abc import Mapping
from dataclasses import replace

from relight_cli.videos.codecs import Encoding
from relight_cli.videos.names import VideoCodec

_DISPLAY = struct.Struct("<20i2i")  # AVMasteringDisplayMetadata of FFmpeg: 10 fractions, and which of them are known
_LEVELS = struct.Struct("<2I")  # AVContentLightMetadata: MaxCLL and MaxFALL


def mastering_of(sides: Mapping[str, bytes]) -> str | None:
    """Return what the side data of a frame says, as an option of x265; None if it says nothing."""
    display, levels = sides.get("MASTERING_DISPLAY_METADATA", b""), sides.get("CONTENT_LIGHT_LEVEL", b"")
    options = []
    if len(display) >= _DISPLAY.size:
        *parts, has_primaries, has_luminance = _DISPLAY.unpack(display[: _DISPLAY.size])
        numbers = [part / max(1, whole) for part, whole in zip(parts[::2], parts[1::2], strict=True)]
        if has_primaries and has_luminance:
            red, green, blue, white = (
                "({},{})".format(*(round(50_000 * number) for number in numbers[at : at + 2])) for at in (0, 2, 4, 6)
            )
            darkest, brightest = (round(10_000 * number) for number in numbers[8:])
            options.append(f"master-display=G{green}B{blue}R{red}WP{white}L({brightest},{darkest})")
    if len(levels) >= _LEVELS.size:
        options.append("max-cll={},{}".format(*_LEVELS.unpack(levels[: _LEVELS.size])))
    return ":".join(options) or None


def with_mastering(encoding: Encoding, mastering: str | None) -> Encoding:
    """Return an encoding that states it; with other codecs than H.265 a note says that it is left out."""
    if mastering is None:
        return encoding
    if encoding.codec != VideoCodec.H265:
        return replace(encoding, notes=(*encoding.notes, "its mastering data of HDR10 is left out, but for H.265"))
    params = f"{encoding.options['x265-params']}:{mastering}"
    return replace(encoding, options={**encoding.options, "x265-params": params})
