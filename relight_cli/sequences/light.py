"""The light of each frame of a sequence: what a command does to photos, estimated for keyframes and kept in time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np

from relight_cli.photos.photo import Photo
from relight_cli.relighting.gain import DARK, LARGEST
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.moving_light import EVERY, Keyframe, stable_gains
from relight_cli.relighting.optical_flow import Maps
from relight_cli.sequences.frames import Frame

VIEW = 768  # longer side of the copy that the network sees
AnyFrame = TypeVar("AnyFrame", bound=Frame)


@dataclass(frozen=True)
class FrameLight:
    """Estimates the change of light of frames."""

    change: Callable[[Photo], Photo]  # puts a photo in another light
    side: int | None = None  # longer side of the copy that the network sees; 0: the frame itself
    every: int | None = None  # frames from keyframe to keyframe

    def gains(
        self, frames: Iterable[AnyFrame], start: Maps | None = None
    ) -> Iterator[tuple[AnyFrame, Maps, Keyframe | None]]:
        """Yield each frame, its gain (h, w, 3) in stops, and the keyframe if it is one; see `stable_gains`."""
        waiting: deque[tuple[int, AnyFrame]] = deque()  # by their count, as numbers may have gaps

        def pictures() -> Iterator[Maps]:
            for counted in enumerate(frames):
                waiting.append(counted)
                yield counted[1].picture

        def estimate(number: int) -> Maps:
            return self.estimate(next(frame for count, frame in waiting if count == number))

        for stops, key in stable_gains(pictures(), estimate, self.every or EVERY, start):
            yield waiting.popleft()[1], stops, key

    def estimate(self, frame: Frame) -> Maps:
        """Return the gain (h, w, 3) in stops that the command gives to a frame's `picture`."""
        photo = frame.view(VIEW if self.side is None else self.side)
        lit, own = self.change(photo).to_srgb(), photo.to_srgb()
        stops = np.log2((to_linear(lit.clip(0, None)) + DARK) / (to_linear(own) + DARK)).clip(-LARGEST, LARGEST)
        height, width = frame.picture.shape[:2]
        if stops.shape[:2] != (height, width):
            stops = cv2.resize(stops, (width, height), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(stops, np.float32)
