"""Choose the files that a timelapse writes, and check them against its inputs before any work starts."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from relight_cli.errors import OutputUnwritableError, UsageError
from relight_cli.jobs.compare_options import check_compare
from relight_cli.jobs.file_names import fit_name
from relight_cli.jobs.inputs import STDIO, file_identity
from relight_cli.jobs.planning import require_folders, require_report
from relight_cli.photos.effort import Effort
from relight_cli.photos.formats import SUFFIXES
from relight_cli.timelapse.command_options import TimelapseCommandOptions
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.sequencing import OutputFrame
from relight_cli.timelapse.video_frames import VideoFrames
from relight_cli.timelapse.writers import FolderWriter, VideoFileWriter, Writer, ratio


def is_video(output: str | None) -> bool:
    """Return whether -o names a video. Raises UsageError if it names neither a writable video nor a folder."""
    from relight_cli.videos.video import CODECS, READABLE

    if output is None or output.endswith(("/", "\\")) or os.path.isdir(output):  # noqa: PTH112
        return False
    suffix = Path(output).suffix.lower()
    if output == "-" or suffix in SUFFIXES or (suffix in READABLE and suffix not in CODECS):
        raise UsageError(f"--output {output}: name a folder for frames, or a video ending in {', '.join(CODECS)}.")
    return suffix in CODECS


def default_output(inputs: list[str], frames: Frames) -> str:
    """Return the output without -o: <name>_interpolated next to the input, a video for a video."""
    from relight_cli.videos.video import CODECS, READABLE

    first = Path(inputs[0]) if os.path.isdir(inputs[0]) else frames.path(0)  # noqa: PTH112
    suffix = first.suffix.lower() if first.suffix.lower() in READABLE and first.is_file() else ""
    tail = f"_interpolated{suffix if suffix in CODECS else suffix and '.mp4'}"
    return str(first.parent / fit_name(first.parent, first.stem, tail))


def choose_writer(
    output: str,
    frames: Frames,
    planned: list[OutputFrame],
    *,
    quality: int,
    effort: Effort,
    rate: float,
    times: Sequence[float] | None = None,
) -> Writer:
    """Return the writer of the frames. Raises UsageError if its folder holds an input or its video is one.

    A video has the frames at `times` (in seconds, and the end of the last frame), without them at a constant rate.
    """
    path, inputs = Path(output), {frames.path(number) for number in range(len(frames.times))}
    if is_video(output):
        if file_identity(path) in map(file_identity, inputs):
            raise UsageError(f"{path} is an input and would be overwritten: choose another --output.")
        require_folders([path.parent])
        return _video_writer(path, frames, planned, rate, times)
    if file_identity(path) in {file_identity(source.parent) for source in inputs}:
        raise UsageError(f"{path} holds inputs: choose another --output.")
    require_folders([path])
    suffixes = [frames.suffix(max(0, bisect_right(frames.times, frame.time) - 1)) for frame in planned]
    return FolderWriter(path, suffixes, quality=quality, effort=effort)


def _video_writer(
    path: Path, frames: Frames, planned: list[OutputFrame], rate: float, times: Sequence[float] | None
) -> VideoFileWriter:
    """Return the writer of a video; one made from a video keeps its metadata, and its sound if its length allows."""
    size, aspect = (frames.height, frames.width), frames.pixel_aspect
    if not isinstance(frames, VideoFrames):
        return VideoFileWriter(path, *size, rate, times, aspect)
    as_long = [frame.keyframe for frame in planned] == list(range(len(frames.times))) and rate == frames.rate
    deep = frames.video.bits > 8
    return VideoFileWriter(path, *size, rate, times, aspect, frames.video.path, with_streams=as_long, deep=deep)


def video_notes(writer: Writer, frames: Frames) -> tuple[str, ...]:
    """Return notes on what a video does not keep of the one that it is made from."""
    from relight_cli.videos.video import has_more_streams

    notes = aspect_notes(str(writer.path), frames)
    source = writer.source if isinstance(writer, VideoFileWriter) and not writer.with_streams else None
    if source and has_more_streams(source):
        notes += (f"{source}: its sound and subtitles are left out, since the output has another length.",)
    return notes


def aspect_notes(output: str | None, frames: Frames) -> tuple[str, ...]:
    """Return a note if the output is a video that cannot say that the pixels of the frames are not square."""
    from relight_cli.videos.video import WITHOUT_ASPECT

    if output is None or not is_video(output) or Path(output).suffix.lower() not in WITHOUT_ASPECT:
        return ()
    if frames.pixel_aspect == 1:
        return ()
    aspect = ratio(frames.pixel_aspect)
    return (f"{frames.path(0)}: its pixels are {aspect}, which the output does not say; an .mp4 as -o keeps it.",)


def check_other_files(writer: Writer, frames: Frames, options: TimelapseCommandOptions) -> None:
    """Check the files of --freeze, --plot and --report. Raises UsageError, OutputUnwritableError."""
    inputs = {file_identity(frames.path(number)) for number in range(len(frames.times))}
    targets = {file_identity(target) for target in writer.targets}
    if options.freeze and file_identity(options.freeze) in targets:
        raise UsageError(f"{options.freeze} is read and would be overwritten: choose another --output.")
    if STDIO in (options.freeze, options.plot, options.report):
        raise UsageError("--freeze, --plot and --report cannot use - for stdin or stdout: name a file.")
    written = [path for path in (options.plot, options.report) if path]
    for path in written:
        if file_identity(path) in inputs | targets or (
            options.freeze and file_identity(path) == file_identity(options.freeze)
        ):
            raise UsageError(f"{path} is also an input or output of this run: name another file.")
    if options.plot and options.report and file_identity(options.plot) == file_identity(options.report):
        raise UsageError(f"--report and --plot both name {options.plot}: name another file for one of them.")
    read = [frames.path(number) for number in range(len(frames.times))]
    check_compare(
        options, [*read, *writer.targets, writer.path, *written, *([options.freeze] if options.freeze else [])]
    )
    require_folders(path.parent for path in (*written, *([options.compare] if options.compare else [])))
    if options.plot and os.path.lexists(options.plot) and not (options.overwrite or options.skip_existing):
        raise OutputUnwritableError(f"{options.plot} exists: give --overwrite, or name another file.")
    if options.report:
        require_report(options.report, create=not options.dry_run)
