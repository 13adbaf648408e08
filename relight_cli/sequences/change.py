"""Put videos and sequences of frames in another light, from Python."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from relight_cli.cores import Pool, available_cores, made_ahead
from relight_cli.errors import OutputUnwritableError, UsageError
from relight_cli.photos.atomic_files import atomic_file
from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import Raster
from relight_cli.relighting.masks import Mask, mask_for
from relight_cli.relighting.moving_light import Keyframe
from relight_cli.relighting.optical_flow import Maps
from relight_cli.sequences.frames import PhotoFrame, prefetched
from relight_cli.sequences.light import FrameLight
from relight_cli.videos.codecs import choose_encoding
from relight_cli.videos.names import WRITABLE, VideoCodec

Light = Callable[[Photo], Photo]
"""Puts a photo in another light, such as `lambda photo: deshadow(model, photo).photo`."""


@dataclass(frozen=True)
class VideoOptions:
    """Options of `change_video` and `change_frames`."""

    keyframes: int | None = None  # frames from one that `change` gets to the next; None: 10
    max_side: int | None = None  # longer side of the copy that `change` gets; 0: the frame itself, None: 768
    codec: VideoCodec | None = None  # None: the video's own
    crf: int | None = None  # quality of the video; None: nearly lossless
    max_pixels: int = 500_000_000  # a video with larger frames is refused

    def __post_init__(self) -> None:
        """Raise UsageError for a number that is out of range."""
        if self.keyframes is not None and self.keyframes < 1:
            raise UsageError(f"keyframes {self.keyframes} is out of range: give 1 or more.")
        if self.max_side is not None and self.max_side < 0:
            raise UsageError(f"max_side {self.max_side} is out of range: give 0 or more.")


def change_video(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    change: Light,
    options: VideoOptions = VideoOptions(),
    *,
    mask: Mask | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[str, ...]:
    """Write a video in another light, steady in time, with all else that it holds; return notes on what is not kept.

    `change` gets small copies of keyframes, upright, in sRGB, and returns them in another light; the change is carried
    along optical flow to all frames and applied to their own pixels. Where a `mask` of the upright frame's size is 0,
    all frames stay as they are. `progress` is called with the frames done and their number.

    The video appears when it is complete. Raises UsageError for a target, codec or mask that does not fit,
    OutputUnwritableError for one that exists (without `overwrite`) or cannot be written, PhotoUnreadableError,
    MissingExtraError, and what `change` raises.
    """
    from relight_cli.sequences.video import VideoRun, stored_mask
    from relight_cli.videos.facts import read_facts
    from relight_cli.videos.mastering import with_mastering

    path, video = Path(target), Path(source)
    if path.suffix.lower() not in WRITABLE:
        raise UsageError(f"{path}: name a video that ends in {', '.join(WRITABLE)}.")
    if path.exists() and video.exists() and path.samefile(video):
        raise UsageError(f"{path} is the video itself and would be overwritten: choose another name.")
    if os.path.lexists(path) and not overwrite:
        raise OutputUnwritableError(f"{path} exists: give overwrite=True, or choose another name.")
    facts = read_facts(video, max_pixels=options.max_pixels)
    chosen = choose_encoding(path.suffix, facts.codec, facts.stored, options.codec, options.crf)
    encoding = with_mastering(chosen, facts.mastering)
    weights = stored_mask(facts, lambda photo: mask_for(mask, photo))
    run = VideoRun(facts, encoding, FrameLight(change, options.max_side, options.keyframes), progress, weights)
    notes = run.make(path, None, write=partial(atomic_file, overwrite=overwrite))
    return (*facts.notes, *encoding.notes, *notes)


def change_frames(
    frames: Iterable[Photo], change: Light, options: VideoOptions = VideoOptions(), *, mask: Mask | None = None
) -> Iterator[Photo]:
    """Yield the frames of a sequence in another light, steady in time; see `change_video`.

    Frames are photos of one size and are taken when they are needed: those from one keyframe to the next are in memory.
    Raises UsageError for frames of several sizes or a mask of another one.
    """

    def numbered() -> Iterator[PhotoFrame]:
        """Yield the frames with their numbers."""
        first: tuple[int, ...] = ()
        for number, photo in enumerate(frames):
            size = tuple(photo.pixels.shape[:2])
            first = first or size
            if size != first:
                sizes = f"{size[1]} x {size[0]} pixels, the first one {first[1]} x {first[0]}"
                raise UsageError(f"frame {number} has {sizes}: bring the frames to one size.")
            frame = PhotoFrame(number, photo)
            _ = frame.picture  # made in the reader's thread
            yield frame

    light = FrameLight(change, options.max_side, options.keyframes)
    for _, lit, _ in lit_photos(light, numbered(), lambda photo: mask_for(mask, photo)):
        yield lit


def lit_photos(
    light: FrameLight,
    frames: Iterable[PhotoFrame],
    mask: Callable[[Photo], Raster | None],
    start: Maps | None = None,
) -> Iterator[tuple[PhotoFrame, Photo, Keyframe | None]]:
    """Yield frames, each with its photo in another light and its keyframe, if it is one; see `stable_gains`."""

    def make(one: tuple[PhotoFrame, Maps, Keyframe | None]) -> tuple[PhotoFrame, Photo, Keyframe | None]:
        frame, stops, key = one
        return frame, frame.lit(stops, mask(frame.photo)).in_memory(), key

    pool = Pool(available_cores(), "gains")
    try:
        yield from made_ahead(pool, make, light.gains(prefetched(frames), start), available_cores())
    finally:
        pool.shutdown(cancel_futures=True)
