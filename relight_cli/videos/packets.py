"""Encoded frames in a file: the parts of a video that an interrupted run has finished."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from relight_cli.photos.atomic_files import atomic_file

_HEAD = struct.Struct("<qq?q")  # time, duration, whether a decoder can start here, bytes


@dataclass(frozen=True)
class EncodedFrame:
    """One frame, encoded; frames are shown in the order in which they are decoded."""

    time: int  # in ticks of the video's clock
    duration: int
    is_key: bool
    data: bytes


def write_frames(path: Path, frames: Iterable[EncodedFrame]) -> None:
    """Write encoded frames to a file that appears whole or not at all. Raises OutputUnwritableError."""
    with atomic_file(path, overwrite=True) as temporary, temporary.open("wb") as file:
        for frame in frames:
            file.write(_HEAD.pack(frame.time, frame.duration, frame.is_key, len(frame.data)))
            file.write(frame.data)


def read_frames(path: Path) -> Iterator[EncodedFrame]:
    """Yield the frames of a file that `write_frames` has written."""
    with path.open("rb") as file:
        while head := file.read(_HEAD.size):
            time, duration, is_key, size = _HEAD.unpack(head)
            yield EncodedFrame(time, duration, is_key, file.read(size))
