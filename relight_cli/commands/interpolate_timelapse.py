"""relight-cli interpolate-timelapse: the light between the frames of a fixed camera."""

import functools
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli import __version__
from relight_cli.errors import UsageError
from relight_cli.jobs.options import accepts
from relight_cli.jobs.provenance import MANNERS
from relight_cli.timelapse.options import SequenceOptions
from relight_cli.timelapse.sequencing import Content, Mode, Moment, evenly, with_between

if TYPE_CHECKING:
    from torch import Tensor

    from relight_cli.jobs.models import LoadedModel
    from relight_cli.jobs.provenance import Making
    from relight_cli.jobs.reports import ModelFacts
    from relight_cli.relighting.light_change import TileOptions
    from relight_cli.timelapse.frames import Frames
    from relight_cli.timelapse.run import Log
    from relight_cli.timelapse.sinks import Plan, Sink
    from relight_cli.timelapse.timelapse import TimelapseOptions

PLAYED = 25.0  # frames a second of a video made from photos


@accepts(SequenceOptions)
def interpolate_timelapse(
    inputs: Annotated[
        list[str], typer.Argument(metavar="FRAME", help="Two photos or more, a folder, a glob, or a video.")
    ],
    options: SequenceOptions,
) -> None:
    """Make the light between the frames of a fixed camera, take flicker out of it, or freeze it.

    Writes numbered frames into a folder, or a video where -o ends in .mp4, .webm, .mov or .gif. A folder that was left
    unfinished is gone on with when the command is given again with the same options.
    """
    from relight_cli.devices import choose
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.memory import Fallback
    from relight_cli.jobs.models import expected_model, load_model, tile_options
    from relight_cli.photos.video import require_video
    from relight_cli.timelapse.places import is_video
    from relight_cli.timelapse.record import SequenceRecord
    from relight_cli.timelapse.run import Log, Run, finish, report_skipped

    _check(options, to_video=is_video(options.output))
    if is_video(options.output):
        require_video()
    compute, log, notify = choose(options.device, options.dtype), Log(options), notifier(options.quiet)
    frames, moments, sink = _settle(inputs, options, log)
    log.model = expected_model({}, options) if _needs_model(options) else log.model
    record = SequenceRecord(frames, moments, _making(options, log.model, sink), options)
    if options.skip_existing:
        record.settle(sink, notify)
        if sink.finished:
            report_skipped(frames, moments, sink, log)
            return finish(log, 0)
    sink.refuse_existing(overwrite=options.overwrite)
    if sink.others:
        notify(f"{sink.place} also holds frames of another run, from {sink.others[0].name} on.")

    from relight_cli.timelapse.timelapse import Timelapse

    model = load_model({}, options, compute, notify) if _needs_model(options) else None
    tiling = tile_options(options, compute, model.network.max_side if model else 0)
    fallback = Fallback(model, tiling, options)
    frozen = fallback.run(lambda tiling: _frozen(options, frames, model, tiling))
    notify(f"{len(frames.times)} frames {frames.order}, {len(moments)} to make.")
    if model and record.by(model) != record:  # `auto` has found another one than was here
        record = record.by(model)
        log.model = record.making.model
        if options.skip_existing:
            record.settle(sink, notifier(quiet=True))
    run = Run(frames, moments, sink, log, record, plot=options.plot is not None)
    network, wanted = model.network if model else None, _timelapse_options(options)

    @functools.lru_cache(maxsize=1)  # one that ran out of memory is begun anew, for it may hold half of a frame
    def timelapse(tiling: "TileOptions") -> Timelapse:
        return Timelapse(frames.times, run.read, run.look_ahead, network, tiling, wanted, frozen)

    opened = sink.opened(_plan(frames, options, model), overwrite=options.overwrite, made=record.comment(sink))
    there = run.make(lambda moment: fallback.run(lambda tiling: timelapse(tiling).frame(moment)), opened)
    if options.plot:
        run.draw(options.plot)
    return finish(log, len(moments) - there)


def _check(options: SequenceOptions, *, to_video: bool) -> None:
    """Raise UsageError for options that contradict each other."""
    counts = [name for name in ("between", "frames", "duration") if getattr(options, name) is not None]
    contradictions = {
        "--overwrite and --skip-existing contradict each other": options.overwrite and options.skip_existing,
        f"--{' and --'.join(counts)} say the same thing twice": len(counts) > 1,
        "--deflicker and --freeze contradict each other": options.deflicker and options.freeze,
        "--content first and --mode image contradict each other": (
            options.content == Content.FIRST and options.mode == Mode.IMAGE
        ),
        "--strength is of --deflicker and --freeze": options.strength != 1
        and not (options.deflicker or options.freeze),
        "--fps is of videos and of --duration": options.fps and not to_video and options.duration is None,
        "--plot draws a .png": options.plot and options.plot.suffix.lower() != ".png",
    }
    for said, true in contradictions.items():
        if true:
            raise UsageError(f"{said}: change one of them.")
    if not (counts or to_video or options.deflicker or options.freeze or options.redo_keyframes):
        raise UsageError("nothing to do: give --between, --frames, --duration, --deflicker, --freeze or a video as -o.")


def _settle(inputs: list[str], options: SequenceOptions, log: "Log") -> tuple["Frames", list[Moment], "Sink"]:
    """Settle what there is, what is wanted and where it goes. Raises what `find_frames` and the checks of places do."""
    from relight_cli.timelapse.frames import find_frames
    from relight_cli.timelapse.places import check_beside, default_output, settle_output

    frames = find_frames(
        inputs, recursive=options.recursive, null=options.null, max_pixels=options.max_pixels, failed=log.fail
    )
    rate = options.fps or frames.rate or PLAYED
    moments = _moments(frames, options, rate)
    output = options.output or default_output(inputs, frames)
    sink = settle_output(output, frames, moments, quality=options.quality, rate=rate)
    check_beside(sink, frames, options)
    return frames, moments, sink


def _moments(frames: "Frames", options: SequenceOptions, rate: float) -> list[Moment]:
    if options.duration is not None:
        return evenly(frames.times, max(2, round(options.duration * rate)))
    return evenly(frames.times, options.frames) if options.frames else with_between(frames.times, options.between or 0)


def _making(options: SequenceOptions, model: "ModelFacts", sink: "Sink") -> "Making":
    from relight_cli.jobs.provenance import Making
    from relight_cli.photos.video import recorded_making

    files = {"freeze": options.freeze} if options.freeze else {}
    return Making("interpolated", model, options, files, recorded=recorded_making if sink.one_file else None)


def _needs_model(options: SequenceOptions) -> bool:
    return bool(options.mode != Mode.IMAGE or options.deflicker or options.freeze)


def _frozen(
    options: SequenceOptions, frames: "Frames", model: "LoadedModel | None", tiling: "TileOptions"
) -> "Tensor | None":
    """Give the illumination latents of --freeze, its picture resized to the frames' size."""
    if options.freeze is None or model is None:
        return None
    from relight_cli.jobs.batch import read
    from relight_cli.rasters.resizing import resized
    from relight_cli.timelapse.light_interpolation import illumination

    reference = resized(read(options.freeze, options).to_srgb(), frames.height, frames.width)
    return illumination(reference, model.network, tiling, detail=options.detail)


def _timelapse_options(options: SequenceOptions) -> "TimelapseOptions":
    from relight_cli.timelapse.light_interpolation import InterpolationOptions
    from relight_cli.timelapse.timelapse import TimelapseOptions

    detail = options.detail or not _needs_model(options)
    return TimelapseOptions(
        InterpolationOptions(options.mode, options.content, detail),
        options.ease,
        options.deflicker or 0,
        options.strength,
        options.redo_keyframes,
    )


def _plan(frames: "Frames", options: SequenceOptions, model: "LoadedModel | None") -> "Plan":
    """Tell all that the frames depend on, so that an unfinished run is gone on with only by the same one."""
    read = [frames.path(number) for number in range(len(frames.times))] + ([options.freeze] if options.freeze else [])
    states = [(str(path), status.st_size, status.st_mtime_ns) for path in read for status in [path.stat()]]
    return {
        "version": __version__,
        "options": {name: value for name, value in asdict(options).items() if name not in MANNERS},
        "inputs": states,
        "model": model and (model.name, model.revision, model.sha256),
    }
