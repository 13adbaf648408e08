"""Choose the files that a timelapse writes, and check them against its inputs before any work starts."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import OutputUnwritableError, UnfitOptionError, UsageError
from relight_cli.jobs.compare_options import check_compare
from relight_cli.jobs.file_names import fit_name, require_short_name
from relight_cli.jobs.inputs import STDIO, file_identity
from relight_cli.jobs.planning import require_folders, require_report
from relight_cli.jobs.report_file import check_report
from relight_cli.paths import is_folder
from relight_cli.photos.effort import Effort
from relight_cli.photos.formats import SUFFIXES
from relight_cli.timelapse.command_options import TimelapseCommandOptions
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.sequencing import OutputFrame
from relight_cli.timelapse.video_frames import VideoFrames
from relight_cli.timelapse.writers import FolderWriter, VideoFileWriter, Writer, ratio
from relight_cli.videos.names import READABLE, READABLE_AND_GIF, WRITABLE_AND_GIF, VideoCodec

if TYPE_CHECKING:
    from relight_cli.videos.writer import VideoOutput


def is_video(output: str | None) -> bool:
    """Return whether -o names a video. Raises UsageError if it names neither a writable video nor a folder."""
    if output is None or output.endswith(("/", "\\")) or is_folder(output):
        return False
    suffix = Path(output).suffix.lower()
    if suffix in WRITABLE_AND_GIF:
        return True
    if output == "-" or suffix in SUFFIXES or suffix in READABLE:
        endings = ", ".join(WRITABLE_AND_GIF)
        raise UsageError(f"--output {output}: name a folder for frames, or a video ending in {endings}.")
    return False


def default_output(inputs: list[str], frames: Frames) -> str:
    """Return the output without -o: <name>_interpolated next to the input, a video for a video."""
    first = Path(inputs[0]) if is_folder(inputs[0]) else frames.path(0)
    suffix = first.suffix.lower() if first.suffix.lower() in READABLE_AND_GIF and first.is_file() else ""
    tail = f"_interpolated{suffix if suffix in WRITABLE_AND_GIF else suffix and '.mp4'}"
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
    codec: VideoCodec | None = None,
    crf: int | None = None,
) -> Writer:
    """Return the writer of the frames.

    Raises UsageError if its folder holds an input, its video is one, or the codec does not fit.

    A video has the frames at `times` (in seconds, and the end of the last frame), without them at a constant rate.
    """
    path, inputs = Path(output), {frames.path(number) for number in range(len(frames.times))}
    if is_video(output):
        if file_identity(path) in map(file_identity, inputs):
            raise UsageError(f"{path} is an input and would be overwritten: choose another --output.")
        require_folders([path.parent])
        require_short_name(path)
        return VideoFileWriter(path, _video_output(path, frames, planned, rate, times, codec, crf))
    refuse_codec(codec, crf)
    if file_identity(path) in {file_identity(source.parent) for source in inputs}:
        raise UsageError(f"{path} holds inputs: choose another --output.")
    require_folders([path])
    suffixes = [frames.suffix(max(0, bisect_right(frames.times, frame.time) - 1)) for frame in planned]
    return FolderWriter(path, suffixes, quality=quality, effort=effort)


def check_video_options(output: str | None, codec: VideoCodec | None, crf: int | None) -> None:
    """Raise UsageError for a codec or quality that does not fit an output, before any list on stdin is read."""
    if not is_video(output):
        refuse_codec(codec, crf)
        return
    from relight_cli.videos.codecs import check_codec, encoding_of_frames

    suffix = Path(output or "").suffix
    if suffix.lower() == ".gif":
        encoding_of_frames(suffix, codec, crf)
    else:
        check_codec(suffix, codec, crf)


def refuse_codec(codec: VideoCodec | None, crf: int | None) -> None:
    """Raise UsageError for options of videos where a folder of frames is written."""
    if codec or crf is not None:
        raise UnfitOptionError(
            f"{'--codec' if codec else '--crf'} needs a video as -o, such as day.mp4.", "--codec", "--crf"
        )


def _video_output(
    path: Path,
    frames: Frames,
    planned: list[OutputFrame],
    rate: float,
    times: Sequence[float] | None,
    codec: VideoCodec | None,
    crf: int | None,
) -> "VideoOutput":
    """Return what a video is; one made from a video keeps its codec and metadata, and its sound if it is as long."""
    from relight_cli.videos.codecs import choose_encoding, encoding_of_frames
    from relight_cli.videos.facts import stored_as
    from relight_cli.videos.writer import VideoOutput

    kind, video = path.suffix.lower(), frames.video if isinstance(frames, VideoFrames) else None
    if video is None or ".gif" in (kind, video.path.suffix.lower()):
        encoding = encoding_of_frames(kind, codec, crf, frames.bits)
    else:
        encoding = choose_encoding(kind, *stored_as(video.path), codec, crf, slow=True)
    as_long = [frame.keyframe for frame in planned] == list(range(len(frames.times))) and rate == frames.rate
    return VideoOutput(
        kind,
        frames.height,
        frames.width,
        rate,
        encoding,
        times,
        frames.pixel_aspect,
        video.path if video else None,
        with_streams=as_long and video is not None,
    )


def video_notes(writer: Writer, frames: Frames) -> tuple[str, ...]:
    """Return notes on what a video does not keep of the frames that it is made from."""
    if not isinstance(writer, VideoFileWriter):
        return ()
    from relight_cli.videos.video import has_more_streams, has_other_pictures

    output, first = writer.output, frames.path(0)
    notes = tuple(f"{first}: {note}." for note in output.encoding.notes) + aspect_notes(output, first)
    if output.source and not output.with_streams and has_more_streams(output.source):
        notes += (f"{output.source}: its sound and subtitles are left out, since the output has another length.",)
    if output.source and has_other_pictures(output.source):
        notes += (f"{output.source}: its other pictures and videos are left out.",)
    return notes


def aspect_notes(output: "VideoOutput", first: Path) -> tuple[str, ...]:
    """Return a note if a video does not say the aspect of its pixels, which is that of the photo or video `first`."""
    from relight_cli.videos.muxing import aspect_is_lost

    if not aspect_is_lost(output.kind, output.encoding, output.pixel_aspect):
        return ()
    aspect = ratio(output.pixel_aspect)
    return (f"{first}: its pixels are {aspect}, which the output does not say; an .mp4 as -o keeps it.",)


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
        require_short_name(path)
        if file_identity(path) in inputs | targets or (
            options.freeze and file_identity(path) == file_identity(options.freeze)
        ):
            raise UsageError(f"{path} is also an input or output of this run: name another file.")
    if options.plot and options.report and file_identity(options.plot) == file_identity(options.report):
        raise UsageError(f"--report and --plot both name {options.plot}: name another file for one of them.")
    if options.report:
        check_report(options.report, ())
    read = [frames.path(number) for number in range(len(frames.times))]
    check_compare(
        options, [*read, *writer.targets, writer.path, *written, *([options.freeze] if options.freeze else [])]
    )
    require_folders(path.parent for path in (*written, *([options.compare] if options.compare else [])))
    if options.plot and os.path.lexists(options.plot) and not (options.overwrite or options.skip_existing):
        raise OutputUnwritableError(f"{options.plot} exists: give --overwrite, or name another file.")
    if options.report:
        require_report(options.report, create=not options.dry_run)
