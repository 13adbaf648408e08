"""Names of containers and codecs of videos; importing this loads no library."""

from enum import StrEnum
from pathlib import Path

ISO = (".mp4", ".m4v", ".mov")
WRITABLE = (*ISO, ".mkv", ".webm")  # videos in another light
BROADCAST = (".mts", ".mpg", ".mpeg")  # their clocks begin anywhere
READABLE = (*WRITABLE, *BROADCAST, ".avi", ".wmv")
WRITABLE_AND_GIF, READABLE_AND_GIF = (*WRITABLE, ".gif"), (*READABLE, ".gif")  # timelapses


class VideoCodec(StrEnum):
    """The values of --codec."""

    H264 = "h264"
    H265 = "h265"
    AV1 = "av1"
    VP9 = "vp9"
    PRORES = "prores"
    FFV1 = "ffv1"


def is_video(path: Path) -> bool:
    """Return whether a name is that of a video; a GIF is a photo or a video, and no video here."""
    return path.suffix.lower() in READABLE


def output_suffix(path: Path) -> str:
    """Return the suffix of a video made from this one: its own if that can be written, else .mkv, which holds all."""
    return path.suffix if path.suffix.lower() in WRITABLE else ".mkv"
