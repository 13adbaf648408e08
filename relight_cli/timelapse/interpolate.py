"""Interpolate the light between the frames of a fixed camera, from Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relight_cli.errors import UsageError
from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.photo_list import PhotoList
from relight_cli.timelapse.sequence_proof import SequenceProof
from relight_cli.timelapse.sequencing import OutputFrame, evenly_spaced, frames_between
from relight_cli.timelapse.timelapse import FrameResult, Picture, Timelapse, frozen_light


@dataclass(frozen=True)
class TimelapseFrame:
    """One frame of the new sequence."""

    photo: Photo  # with metadata, profile and bit depth of the keyframe before it
    time: float  # on the scale of the keyframes' times
    keyframe: int | None  # the number of the keyframe at this time; None between keyframes


def interpolate_timelapse(
    model: Model | None,
    frames: Sequence[Photo] | Frames,
    between: int = 0,
    *,
    count: int | None = None,
    freeze: Photo | None = None,
    options: TimelapseOptions = TimelapseOptions(),
) -> Iterator[TimelapseFrame]:
    """Yield a sequence with the light between its frames interpolated, smoothed (`options.deflicker`) or frozen.

    `frames` are two or more photos of one size, or what `open_frames` returns, which reads them when they are needed.
    `between` new frames are made between every two; with `count`, the result has `count` evenly spaced frames instead.
    `freeze` is a photo whose light every frame gets. Without a model only `Mode.IMAGE`, a cross-fade, is possible.

    Two frames are in memory at a time (three with `Ease.CATMULL_ROM`). Each frame is made in the calling thread when it
    is requested. Raises UsageError at once for sequences that are too short or of several sizes and where a model is
    missing; PhotoUnreadableError for a frame that cannot be read, DeviceError if memory runs out.
    Source: CroCoDiLight, section 4.
    """
    if model is None and (freeze or options.deflicker or options.redo_keyframes or options.mode != "image"):
        raise UsageError("without a model a sequence can only be cross-faded: give a model, or Mode.IMAGE.")
    sequence = PhotoList(frames) if isinstance(frames, Sequence) else frames
    times = sequence.times
    planned = frames_between(times, between) if count is None else evenly_spaced(times, max(2, count))
    return _frames(model, sequence, planned, freeze, options)


def _frames(
    model: Model | None,
    sequence: "Frames | PhotoList",
    planned: list[OutputFrame],
    freeze: Photo | None,
    options: TimelapseOptions,
) -> Iterator[TimelapseFrame]:
    read, look_ahead, left_out = sequence.reader(), sequence.reader(), sequence.reader()
    photos: dict[int, Photo] = {}

    def keyframe(number: int) -> Picture:
        photos[number] = read(number)
        return photos[number].to_srgb()

    light = frozen_light(model, freeze, sequence.height, sequence.width, options) if freeze and model else None
    proof = SequenceProof(sequence.times, lambda number: left_out(number).to_srgb())
    timelapse = Timelapse(
        sequence.times, keyframe, lambda number: look_ahead(number).to_srgb(), model, options, light, proof
    )
    for wanted in planned:
        made = timelapse.make(wanted)
        assert made is not None  # no keyframe is missing: an unreadable one raises an error
        yield TimelapseFrame(_photo(photos[made.template], made), wanted.time, wanted.keyframe)
        for number in [number for number in photos if number < made.template]:
            del photos[number]


def _photo(template: Photo, made: FrameResult) -> Photo:
    return template if made.untouched else template.with_srgb(made.picture)
