"""relight-cli interpolate-timelapse: interpolate the light between the frames of a fixed camera."""

import functools
from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from relight_cli._version import __version__
from relight_cli.jobs.options import subset, with_options
from relight_cli.jobs.provenance import RUN_OPTIONS
from relight_cli.timelapse.command_options import TimelapseCommandOptions
from relight_cli.timelapse.sequencing import Mode, OutputFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from relight_cli.jobs.provenance import Recipe
    from relight_cli.jobs.reports import ModelIdentity
    from relight_cli.models.interface import Model
    from relight_cli.timelapse.frames import Frames
    from relight_cli.timelapse.options import TimelapseOptions
    from relight_cli.timelapse.record import TimelapseRecord
    from relight_cli.timelapse.report import TimelapseReport
    from relight_cli.timelapse.run import TimelapseRun
    from relight_cli.timelapse.timelapse import FrameResult
    from relight_cli.timelapse.writers import Plan, Writer


@with_options(TimelapseCommandOptions)
def interpolate_timelapse(
    inputs: Annotated[
        list[str], typer.Argument(metavar="FRAME", help="Two or more photos, a folder, a glob, or a video.")
    ],
    options: TimelapseCommandOptions,
) -> None:
    """Interpolate, deflicker or freeze the light of a timelapse from a fixed camera.

    Writes numbered frames to a folder, or a video if -o ends in .mp4, .mov, .mkv, .webm or .gif. Run the same command
    again to resume an unfinished folder.
    """
    from relight_cli.checkpoints.models import expected_model
    from relight_cli.devices import choose
    from relight_cli.jobs.console import notifier
    from relight_cli.timelapse.compared_frames import show_existing
    from relight_cli.timelapse.destination import check_video_options, is_video
    from relight_cli.timelapse.planning import check_options, plan_frames
    from relight_cli.timelapse.record import TimelapseRecord, note_other_frames
    from relight_cli.timelapse.report import TimelapseReport, finish, report_skipped
    from relight_cli.timelapse.shared_frames import claimed_video
    from relight_cli.videos.video import require_video

    check_options(options, to_video=is_video(options.output))
    if is_video(options.output):
        require_video()
    if options.output:
        check_video_options(options.output, options.codec, options.crf)
    choose(options.device, options.dtype)  # raises errors for unknown or missing devices
    report, notify = TimelapseReport(options), notifier(options.quiet)
    frames, planned, writer = plan_frames(inputs, options, report)
    if _needs_model(options):
        report.model = expected_model(options.model, ["interpolate-timelapse"], options.weights_dir)
    record = TimelapseRecord(frames, planned, _recipe(options, report.model, writer), options)
    claim = nullcontext(False) if options.dry_run else claimed_video(writer, notify)
    with claim as has_appeared:
        if options.skip_existing or (has_appeared and record.is_current_video(writer.path)):
            record.resolve_existing(writer, notify)
            if writer.finished and not options.dry_run:
                show_existing(options, record.recipe, frames, [frame.time for frame in planned], writer)
                report_skipped(frames, planned, writer, report)
                finish(report, 0)
                return
        writer.refuse_existing(overwrite=options.overwrite)
        note_other_frames(writer, notify)
        if options.dry_run and not _print_plan(options, frames, planned, writer):
            finish(report, 0)
            return
        _interpolate(options, frames, planned, writer, record, report)


def _print_plan(
    options: TimelapseCommandOptions, frames: "Frames", planned: list[OutputFrame], writer: "Writer"
) -> bool:
    """Print what would be read and made; return whether there is anything to make."""
    from relight_cli.timelapse.dry_run import print_sequence

    read = [*(frames.path(number) for number in range(len(frames.times))), options.freeze]
    return print_sequence(read, writer, len(planned), options, options.plot) > 0


def _interpolate(
    options: TimelapseCommandOptions,
    frames: "Frames",
    planned: list[OutputFrame],
    writer: "Writer",
    record: "TimelapseRecord",
    report: "TimelapseReport",
) -> None:
    """Load the model and make every frame that does not exist yet."""
    from relight_cli.checkpoints.models import load_model
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.memory import MemoryFallback
    from relight_cli.jobs.progress import current
    from relight_cli.jobs.reading import require_openable
    from relight_cli.timelapse.destination import video_notes
    from relight_cli.timelapse.dry_run import on_small_copy, print_frame_cost
    from relight_cli.timelapse.report import finish
    from relight_cli.timelapse.run import TimelapseRun
    from relight_cli.timelapse.timelapse import Timelapse

    notify, model = notifier(options.quiet), None
    if options.freeze:
        require_openable(options.freeze, options)
    if _needs_model(options):
        current().stage("loading the network")
        model = load_model(tasks=["interpolate-timelapse"], **options.model_arguments())
    fallback = MemoryFallback(model, options.tile_batch, options.dtype)
    wished = chosen = _timelapse_options(options)
    if options.dry_run:
        chosen = on_small_copy(wished, model)
    frozen = fallback.run(lambda model, batch: _frozen(options, frames, model, replace(chosen, tile_batch=batch)))
    for note in (*frames.notes, *video_notes(writer, frames), _summary(frames, planned)):
        notify(note)
    if model and record.with_model(model) != record:  # `auto` has loaded another one than expected
        record = record.with_model(model)
        report.model = record.recipe.model
        if options.skip_existing:
            record.resolve_existing(writer, notifier(quiet=True))
    run = TimelapseRun(frames, planned, writer, report, record, plot=options.plot)
    proof = run.proof()

    @functools.lru_cache(maxsize=1)  # after running out of memory a new one is made: the old one may hold half a frame
    def timelapse(model: "Model | None", batch: int) -> Timelapse:
        wanted = replace(chosen, tile_batch=batch)
        return Timelapse(frames.times, run.read, run.look_ahead, model, wanted, frozen, proof, run.note)

    def make(frame: OutputFrame) -> "FrameResult | None":
        return fallback.run(lambda model, batch: timelapse(model, batch).make(frame))

    if options.dry_run:
        left = [frame for number, frame in enumerate(planned) if not writer.is_made(number)]
        print_frame_cost(frames, left, make, model, wished, options, writer, proof)
        finish(report, 0)
        return
    existing = _make_frames(run, make, timelapse.cache_clear, _dependencies(frames, options, model))
    finish(report, len(planned) - existing)


def _make_frames(
    run: "TimelapseRun",
    make: "Callable[[OutputFrame], FrameResult | None]",
    restart: "Callable[[], None]",
    depends_on: "Plan",
) -> int:
    """Make, show and draw every frame that does not exist yet; return how many exist at the end."""
    from relight_cli.jobs.console import printable
    from relight_cli.timelapse.compared_frames import compared_frames

    options, frames, writer, record = run.report.options, run.frames, run.writer, run.record
    opened = writer.opened(depends_on, overwrite=options.overwrite, made=record.comment(writer))
    times = [frame.time for frame in run.planned]
    with compared_frames(options, record.recipe, frames, times) as run.compared:
        existing = run.make(make, opened, restart)
        if run.compared:
            run.compared.add_existing_between(frames, writer, options.max_pixels)
            run.compared.page.notes += [printable(str(error)) for error in run.report.failed.values()]
    if run.plot:
        run.draw(run.plot)
    return existing


def _summary(frames: "Frames", planned: list[OutputFrame]) -> str:
    return f"{len(frames.times)} frames {frames.order}, {len(planned)} to make."


def _recipe(options: TimelapseCommandOptions, model: "ModelIdentity", writer: "Writer") -> "Recipe":
    from relight_cli.jobs.provenance import Recipe
    from relight_cli.videos.video import recorded_recipe

    files = {"freeze": options.freeze} if options.freeze else {}
    return Recipe("interpolated", model, options, files, read_record=recorded_recipe if writer.is_single_file else None)


def _needs_model(options: TimelapseCommandOptions) -> bool:
    return bool(options.mode != Mode.IMAGE or options.deflicker or options.freeze)


def _frozen(
    options: TimelapseCommandOptions, frames: "Frames", model: "Model | None", chosen: "TimelapseOptions"
) -> "Tensor | None":
    """Return the illumination latents of --freeze."""
    if options.freeze is None or model is None:
        return None
    from relight_cli.jobs.reading import read_with_notes
    from relight_cli.timelapse.timelapse import frozen_light

    return frozen_light(model, read_with_notes(options.freeze, options), frames.height, frames.width, chosen)


def _timelapse_options(options: TimelapseCommandOptions) -> "TimelapseOptions":
    from relight_cli.timelapse.options import TimelapseOptions

    detail = options.detail or not _needs_model(options)
    return subset(options, TimelapseOptions, detail=detail, deflicker=options.deflicker or 0)


def _dependencies(frames: "Frames", options: TimelapseCommandOptions, model: "Model | None") -> "Plan":
    """Return all that the frames depend on, so that only the same command resumes an unfinished run."""
    read = [frames.path(number) for number in range(len(frames.times))] + ([options.freeze] if options.freeze else [])
    states = [(str(path), status.st_size, status.st_mtime_ns) for path in read for status in [path.stat()]]
    return {
        "version": __version__,
        "options": {name: value for name, value in asdict(options).items() if name not in RUN_OPTIONS},
        "inputs": states,
        "model": model and (model.name, model.revision, model.sha256),
    }
