"""Which files a timelapse writes; settled, and checked against all that it reads, before any work starts."""

import os
from bisect import bisect_right
from pathlib import Path

from relight_cli.errors import OutputUnwritableError, UsageError
from relight_cli.jobs.inputs import STANDARD, identity
from relight_cli.jobs.planning import require_folders, require_report
from relight_cli.photos.formats import SUFFIXES
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.options import SequenceOptions
from relight_cli.timelapse.sequencing import Moment
from relight_cli.timelapse.sinks import FrameFolder, Sink, VideoFile


def is_video(output: str | None) -> bool:
    """Tell whether -o names a video. Raises UsageError for what is neither a video that can be written nor a folder."""
    from relight_cli.photos.video import CODECS, READABLE

    if output is None or output.endswith(("/", "\\")) or os.path.isdir(output):  # noqa: PTH112
        return False
    suffix = Path(output).suffix.lower()
    if output == "-" or suffix in SUFFIXES or (suffix in READABLE and suffix not in CODECS):
        raise UsageError(f"--output {output}: name a folder for frames, or a video ending in {', '.join(CODECS)}.")
    return suffix in CODECS


def default_output(inputs: list[str], frames: Frames) -> str:
    """Name what is written without -o: <name>_interpolated beside the input, a video from a video."""
    from relight_cli.photos.video import CODECS, READABLE

    first = Path(inputs[0]) if os.path.isdir(inputs[0]) else frames.path(0)  # noqa: PTH112
    suffix = first.suffix.lower() if first.suffix.lower() in READABLE and first.is_file() else ""
    return str(first.with_name(f"{first.stem}_interpolated{suffix if suffix in CODECS else suffix and '.mp4'}"))


def settle_output(output: str, frames: Frames, moments: list[Moment], *, quality: int, rate: float) -> Sink:
    """Give what takes the frames. Raises UsageError where that would hold or be an input."""
    path, inputs = Path(output), {frames.path(number) for number in range(len(frames.times))}
    if is_video(output):
        if identity(path) in map(identity, inputs):
            raise UsageError(f"{path} is an input and would be overwritten: choose another --output.")
        require_folders([path.parent])
        return VideoFile(path, frames.height, frames.width, rate)
    if identity(path) in {identity(one.parent) for one in inputs}:
        raise UsageError(f"{path} holds inputs: choose another --output.")
    require_folders([path])
    kinds = [frames.suffix(max(0, bisect_right(frames.times, moment.time) - 1)) for moment in moments]
    return FrameFolder(path, kinds, quality=quality)


def check_beside(sink: Sink, frames: Frames, options: SequenceOptions) -> None:
    """Check the files that are read or written beside the frames. Raises UsageError, OutputUnwritableError."""
    inputs = {identity(frames.path(number)) for number in range(len(frames.times))}
    targets = {identity(target) for target in sink.targets}
    if options.freeze and identity(options.freeze) in targets:
        raise UsageError(f"{options.freeze} is read and would be overwritten: choose another --output.")
    if STANDARD in (options.freeze, options.plot, options.report):
        raise UsageError("--freeze, --plot and --report need a file's name: give one.")
    written = [path for path in (options.plot, options.report) if path]
    for path in written:
        if identity(path) in inputs | targets or (options.freeze and identity(path) == identity(options.freeze)):
            raise UsageError(f"{path} is also a picture of this run: name another file.")
    if options.plot and options.report and identity(options.plot) == identity(options.report):
        raise UsageError("--report and --plot are one file: name another.")
    require_folders(path.parent for path in written)
    if options.plot and os.path.lexists(options.plot) and not (options.overwrite or options.skip_existing):
        raise OutputUnwritableError(f"{options.plot} exists: give --overwrite, or name another file.")
    if options.report:
        require_report(options.report)
