"""What a protocol is: where its pictures lie, what they should become, and how a result is scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import PhotoUnreadableError

Picture = NDArray[np.float32]  # (H, W, 3), sRGB-encoded in [0, 1]
Mask = NDArray[np.bool_]  # (H, W)
Scores = dict[str, float]  # by column; NaN where a picture has none, such as a view without shadow
Parts = dict[str, Scores]  # by part, such as a size at which the pictures are compared; "" where there is one
WHOLE = ""


@dataclass(frozen=True)
class Sample:
    """A picture, and the picture that it should become."""

    name: str
    picture: Picture
    truth: Picture
    mask: Mask | None = None  # the shadow, or the object
    shading: NDArray[np.float32] | None = None  # (H, W), linear


@dataclass(frozen=True)
class Case:
    """One picture of a data set, which is read when its turn comes."""

    name: str  # relative to the data set, without suffix; results are found by it
    source: Path
    read: Callable[[], Any]  # returns a `Sample`, or what the protocol has instead


@dataclass(frozen=True)
class Published:
    """Figures of a paper, for the columns that it gives."""

    method: str
    source: str
    scores: Scores


@dataclass(frozen=True)
class Protocol:
    """One way to judge the results of one task."""

    name: str
    task: str  # shadow, albedo, relight, timelapse, depth
    layout: str  # of its folder, for messages: one line
    find: Callable[[Path], list[Case]]  # returns the pictures of a folder; none if it is laid out otherwise
    score: Callable[[Any, Any], Parts]  # takes a sample and a result
    text: str  # source, sizes, colours, masks and means
    published: tuple[Published, ...] = ()
    recognised: bool = True  # by its layout; else it is chosen by name alone


def in_8_bits(picture: NDArray[Any]) -> Picture:
    """Return a picture clipped to [0, 1] and rounded to 8 bits."""
    return (np.rint(np.nan_to_num(picture).clip(0, 1) * 255) / 255).astype(np.float32)


def require_size(result: NDArray[Any], wanted: Sequence[int], name: str) -> None:
    """Raise PhotoUnreadableError if a result is not as high and wide as wanted."""
    if result.shape[:2] != tuple(wanted[:2]):
        has, needs = (f"{shape[1]} x {shape[0]}" for shape in (result.shape, wanted))
        raise PhotoUnreadableError(f"{name}: the result is {has} pixels and the truth {needs}; give it in that size")
