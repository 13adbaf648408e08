"""Plan a timelapse: its keyframes, the frames to make, when they are shown, and where they go."""

from relight_cli.errors import UnfitOptionError, UsageError
from relight_cli.jobs.console import notifier
from relight_cli.jobs.objects import refuse_objects
from relight_cli.jobs.outputs import refuse_fields
from relight_cli.jobs.shards import refuse_shard
from relight_cli.timelapse.command_options import TimelapseCommandOptions
from relight_cli.timelapse.destination import check_other_files, choose_writer, default_output
from relight_cli.timelapse.frames import Frames, find_frames
from relight_cli.timelapse.report import TimelapseReport
from relight_cli.timelapse.sequencing import Content, Mode, OutputFrame, evenly_spaced, frames_between
from relight_cli.timelapse.writers import Writer

DEFAULT_FPS = 25.0  # frames a second of a video made from photos


def check_options(options: TimelapseCommandOptions, *, to_video: bool) -> None:
    """Raise UsageError for options that contradict each other."""
    refuse_shard(options, "the frames of a timelapse belong together")
    refuse_fields(options.output)
    refuse_objects([options.output, options.plot], "a timelapse")
    counts = [name for name in ("between", "frames", "duration") if getattr(options, name) is not None]
    contradictions = {
        "--overwrite and --skip-existing contradict each other": options.overwrite and options.skip_existing,
        f"--{' and --'.join(counts)} contradict each other": len(counts) > 1,
        "--deflicker and --freeze contradict each other": options.deflicker and options.freeze,
        "--content first and --mode image contradict each other": (
            options.content == Content.FIRST and options.mode == Mode.IMAGE
        ),
        "--plot needs a .png name": options.plot and options.plot.suffix.lower() != ".png",
    }
    for message, applies in contradictions.items():
        if applies:
            raise UsageError(f"{message}: change one of them.")
    if options.strength != 1 and not (options.deflicker or options.freeze):
        raise UnfitOptionError("--strength needs --deflicker or --freeze: change one of them.", "--strength")
    if options.fps and not to_video and options.duration is None:
        raise UnfitOptionError("--fps needs --duration or a video as -o: change one of them.", "--fps")
    if options.page is not None:
        message = "--page picks a page of single photos: save the pages of a sequence as files of their own."
        raise UnfitOptionError(message, "--page")
    if not (counts or to_video or options.deflicker or options.freeze or options.redo_keyframes):
        raise UsageError("nothing to do: give --between, --frames, --duration, --deflicker, --freeze or a video as -o.")


def plan_frames(
    inputs: list[str], options: TimelapseCommandOptions, report: TimelapseReport
) -> tuple[Frames, list[OutputFrame], Writer]:
    """Return the keyframes, the frames to make and their writer. Raises the errors of `find_frames` and the checks."""
    frames = find_frames(
        inputs,
        recursive=options.recursive,
        null=options.null,
        max_pixels=options.max_pixels,
        failed=report.fail,
        input_colour=options.input_colour,
        notify=notifier(options.quiet),
    )
    rate = options.fps or frames.rate or DEFAULT_FPS
    planned = _wanted_frames(frames, options, rate)
    output = options.output or default_output(inputs, frames)
    times = _own_times(frames, planned, options)
    writer = choose_writer(
        output,
        frames,
        planned,
        quality=options.quality,
        effort=options.effort,
        rate=rate,
        times=times,
        codec=options.codec,
        crf=options.crf,
    )
    check_other_files(writer, frames, options)
    return frames, planned, writer


def _own_times(frames: Frames, planned: list[OutputFrame], options: TimelapseCommandOptions) -> list[float] | None:
    """Return the times of the planned frames and the end of the last; None if they are evenly spaced."""
    if frames.timing is None or options.fps or options.frames or options.duration is not None:
        return None
    slower = (options.between or 0) + 1  # as at a constant rate, where more frames take more time
    return [slower * frame.time for frame in planned] + [slower * planned[-1].time + frames.timing.last]


def _wanted_frames(frames: Frames, options: TimelapseCommandOptions, rate: float) -> list[OutputFrame]:
    if options.duration is not None:
        return evenly_spaced(frames.times, max(2, round(options.duration * rate)))
    if options.frames:
        return evenly_spaced(frames.times, options.frames)
    return frames_between(frames.times, options.between or 0)
