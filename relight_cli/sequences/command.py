"""Choose the command for what the inputs of relight, deshadow or albedo are: photos, videos, or sequences of photos."""

from collections.abc import Mapping
from pathlib import Path

from relight_cli.errors import UnfitOptionError, UsageError
from relight_cli.jobs.engines.engine_options import refuse_ray
from relight_cli.jobs.options import LightCommandOptions
from relight_cli.jobs.photo_command import PhotoCommand
from relight_cli.jobs.reports import ModelIdentity
from relight_cli.places.urls import is_url, redact
from relight_cli.sequences.frame_command import FrameCommand
from relight_cli.sequences.frame_sets import is_pattern
from relight_cli.sequences.video_command import VideoCommand
from relight_cli.videos.names import is_video


def command_for(
    photos: list[str],
    task: str,
    expected: ModelIdentity,
    options: LightCommandOptions,
    files: Mapping[str, Path],
    more: Mapping[str, object] | None = None,
    unfit: Mapping[str, object] | None = None,
) -> PhotoCommand | VideoCommand:
    """Return the command for what the inputs are: photos, videos or sequences; for the arguments see `PhotoCommand`.

    `unfit` are options of the command, by name, that videos and sequences have no use for. Raises UsageError for photos
    and videos together, and for options that do not fit.
    """
    if (url := next(filter(is_url, photos), None)) and (options.sequence or is_video(Path(url))):
        raise UsageError(f"{redact(url)}: videos and sequences are read from files: copy it to a folder first.")
    if options.sequence or any(map(is_pattern, photos)):
        refuse_ray(options, "the frames of a sequence belong together")
        return FrameCommand(task, expected, options, files, more or {}, unfit or {})
    videos = [
        name for name in photos if is_video(Path(name))
    ]  # by their names: a list is read once, when it is planned
    if not videos:
        _refuse({"--codec": options.codec, "--crf": options.crf is not None, "--keyframes": options.keyframes})
        return PhotoCommand(task, expected, options, files, more)
    if len(videos) < len(photos):
        other = next(name for name in photos if name not in videos)
        raise UsageError(f"{videos[0]} is a video and {other} is not: run them one after the other.")
    refuse_ray(options, f"the frames of {videos[0]} belong together")
    return VideoCommand(task, expected, options, files, more or {}, unfit or {})


def _refuse(options: Mapping[str, object]) -> None:
    for name, given in options.items():
        if given:
            raise UnfitOptionError(f"{name} is for videos and sequences of frames: leave it out for photos.", name)
