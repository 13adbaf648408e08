"""A timelapse of a moving sun from one photo: its own light is fitted once, and each frame is one gain."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from relight_cli._version import __version__
from relight_cli.errors import OutputUnwritableError, UsageError
from relight_cli.jobs.compare_options import check_compare
from relight_cli.jobs.console import notifier
from relight_cli.jobs.dry_run import Estimate
from relight_cli.jobs.engines.engine_options import refuse_ray
from relight_cli.jobs.inputs import STDIO, expand_inputs, file_identity, sha256_of
from relight_cli.jobs.light_source import LightSource
from relight_cli.jobs.memory import MemoryFallback, device_peak, peak_memory
from relight_cli.jobs.objects import refuse_objects
from relight_cli.jobs.one_by_one import run_jobs
from relight_cli.jobs.options import PhotoCommandOptions, subset
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.planning import require_folders, require_report
from relight_cli.jobs.progress import current
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reading import read_with_notes
from relight_cli.jobs.relight_options import RelightCommandOptions
from relight_cli.jobs.repeated_command import quoted
from relight_cli.jobs.report_file import check_report
from relight_cli.jobs.reported_outputs import ReportEntry, output_entry
from relight_cli.jobs.reports import ModelIdentity
from relight_cli.jobs.shards import refuse_shard
from relight_cli.jobs.trial import small_side, write_nowhere
from relight_cli.models.interface import SHADOW
from relight_cli.pages.previews import PreviewMaker
from relight_cli.photos.formats import frames_remedy
from relight_cli.timelapse.compared_frames import ComparedFrames
from relight_cli.timelapse.compared_sun import compared_sun, keep_photo, show_existing_sun
from relight_cli.timelapse.destination import aspect_notes
from relight_cli.timelapse.dry_run import print_sequence, print_work
from relight_cli.timelapse.record import note_left_alone, note_other_frames
from relight_cli.timelapse.report import stopped
from relight_cli.timelapse.shared_frames import SharedFrames
from relight_cli.timelapse.sun_output import check_sun_output, sun_writer, video_record
from relight_cli.timelapse.sun_times import sun_lights
from relight_cli.timelapse.writers import VideoFileWriter, Writer
from relight_cli.videos.names import READABLE

if TYPE_CHECKING:
    from relight_cli.jobs.masks import MaskFile
    from relight_cli.jobs.photo_geometry import GeometrySource
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.lights.light import Light
    from relight_cli.relighting.lit_subject import Subject

FRAMES = 120
_DARKEST = 3.0  # stops below the brightest frame, so that a night is not black


@dataclass
class MovingSun:
    """A run: one photo, the light of each frame, and where the frames go."""

    options: RelightCommandOptions
    photo: Path
    lights: "list[Light]"
    writer: Writer
    recipe: Recipe

    @classmethod
    def plan(
        cls,
        photos: list[str],
        source: LightSource,
        options: RelightCommandOptions,
        expected: ModelIdentity,
        more: Mapping[str, object],
    ) -> "MovingSun":
        """Check everything that can be checked without a model. Raises UsageError, OutputUnwritableError."""
        notify = notifier(options.quiet)
        refuse_shard(options, "a moving sun is one photo")
        refuse_ray(options, "a moving sun is one")
        refuse_objects([*photos, options.output], "a moving sun")  # before a bucket is listed
        check_sun_output(options)
        sources = expand_inputs(photos, recursive=options.recursive, null=options.null, notify=notify)
        if len(sources) != 1 or sources[0].path == STDIO:
            raise UsageError("a moving sun is put on one photo: name a single file as PHOTO.")
        refuse_objects([sources[0].path], "a moving sun")  # of a list
        if options.overwrite and options.skip_existing:
            raise UsageError("--overwrite and --skip-existing contradict each other: give only one of them.")
        photo, count = sources[0].path, options.frames or FRAMES
        if photo.suffix.lower() in READABLE:
            remedy = frames_remedy(quoted(str(photo)))
            raise UsageError(f"{photo} is a video, and a moving sun is put on one photo: give a frame; {remedy}.")
        lights = list(sun_lights(source, options, photo, count))
        writer = sun_writer(photo, options, count)
        files = source.files | options.depth_file() | options.mask_files()
        if file_identity(writer.path) in map(file_identity, (photo, *files.values())):
            raise UsageError(f"{writer.path} is an input and would be overwritten: choose another --output.")
        more = {**more, "frames": count, **(video_record(options) if writer.is_single_file else {})}
        recipe = Recipe("relit", expected, subset(options, PhotoCommandOptions), files, more, _reader(writer))
        others = [photo, *files.values(), writer.path, *writer.targets]
        if options.report:
            check_report(options.report, others)
        check_compare(options, [*others, *([options.report] if options.report else [])])
        require_folders([options.compare.parent] if options.compare else [])
        return cls(options, photo, lights, writer, recipe)

    def is_finished(self) -> bool:
        """Let the writer keep what would be made the same again; return whether that is all."""
        if self.options.skip_existing:
            self._resolve_existing()
        self.writer.refuse_existing(overwrite=self.options.overwrite)
        note_other_frames(self.writer, notifier(self.options.quiet))
        if self.options.report:
            require_report(self.options.report, create=not self.options.dry_run)
        if self.writer.finished and not self.options.dry_run:
            show_existing_sun(self.options, self.recipe, self.photo, self.writer, self._names())
            run_jobs([Job(self.photo, self.writer.path, skip=True)], lambda job: {}, *self._reported())
            return True
        if self.options.dry_run:
            read = (self.photo, *self.recipe.files.values())
            return not print_sequence(read, self.writer, len(self.lights), self.options)
        return False

    def _resolve_existing(self) -> None:
        """Let the writer keep what would be made the same again, and what is not as this tool wrote it."""
        kept, foreign, touched = set(), list[Path](), list[Path]()
        for number, target in enumerate(self.writer.targets):
            if not target.exists():
                continue
            recorded = self.recipe.recorded(target)
            if recorded == self._parameters(number):
                kept.add(target)
            elif recorded is None:
                foreign.append(target)
            elif not self.recipe.is_untouched(target):
                touched.append(target)
        note_left_alone(foreign, touched, notifier(self.options.quiet))
        self.writer.keep(kept | {*foreign, *touched})

    def record(self, more: Mapping[str, object]) -> None:
        """Record more of how the frames are made, or in another way than planned."""
        self.recipe = replace(self.recipe, more={**self.recipe.more, **more})

    def run(self, model: "Model", geometry: "GeometrySource", mask: "MaskFile") -> None:
        """Make every frame; errors as in `run_jobs`."""
        self.recipe = replace(self.recipe, model=model)
        if self.options.dry_run:
            self._estimate(model, geometry)
            return
        fallback = MemoryFallback(model, self.options.tile_batch, self.options.dtype)

        def make(job: Job) -> ReportEntry:
            """Make all frames, the whole timelapse."""
            photo = read_with_notes(self.photo, self.options, self.options.page)
            from relight_cli.relighting.lit_photo import PutOnOptions, subject_of

            chosen = subset(self.options, PutOnOptions)
            subject = fallback.run(
                lambda used, batch: subject_of(
                    used or model, photo, geometry.of(photo), replace(chosen, tile_batch=batch)
                )
            )
            try:
                with compared_sun(self.options, self.recipe, self.photo, self.writer, self._names()) as compared:
                    self._write(photo, subject, mask, compared)
            except OutputUnwritableError as error:
                raise stopped(error, self.writer, self.options) from error
            if not self.options.report:
                return {}
            made = [output_entry(path, self._parameters(n) or "{}") for n, path in enumerate(self.writer.targets)]
            return {"more_outputs": made}

        job = Job(self.photo, self.writer.path, found=tuple(self.writer.found))
        run_jobs([job], make, *self._reported(), recheck=self._recheck if self.writer.is_single_file else None)

    def _recheck(self, job: Job) -> Job:
        """Skip a video that another process has made meanwhile."""
        return replace(job, skip=self._is_current(0))

    def _estimate(self, model: "Model", geometry: "GeometrySource") -> None:
        """Print what the frames cost, from the photo's own light on a small copy and one frame."""
        from relight_cli.relighting.lit_gain import light_gain
        from relight_cli.relighting.lit_photo import SIDE, PutOnOptions, lit_picture, subject_of, tiles_to_put_on
        from relight_cli.relighting.mapping import mapping_seconds

        tile, photo = mapping_seconds(model, SHADOW), read_with_notes(self.photo, self.options, self.options.page)
        chosen = subset(self.options, PutOnOptions)
        small = replace(chosen, max_side=small_side(model, chosen.max_side, SIDE))
        began = perf_counter()
        subject = subject_of(model, photo, geometry.of(photo), small)
        fitted = perf_counter() - began - tiles_to_put_on(model, photo, small) * tile
        began = perf_counter()
        gain = light_gain(subject, self.lights[0], keep_exposure=False, exposure=0.0)
        frame = photo.with_lazy_srgb(lit_picture(photo.srgb, subject, gain, self.options.strength))
        if self.writer.is_single_file:
            frame.in_memory()
        else:
            write_nowhere(frame, self.writer.target(0), self.options)
        count = sum(not self.writer.is_made(number) for number in range(len(self.lights)))
        seconds = max(0.0, fitted) + tiles_to_put_on(model, photo, chosen) * tile
        seconds += count * (perf_counter() - began)
        cost = Estimate(seconds, peak_memory(), "two tiles and a frame", device_peak(model.device))
        print_work(model, cost, count, encoded=not self.writer.is_single_file)

    def _write(self, photo: "Photo", subject: "Subject", mask: "MaskFile", compared: ComparedFrames | None) -> None:
        """Write each frame that does not exist yet; all have the exposure that fits the brightest of them."""
        from relight_cli.photos.shape import pixel_aspect
        from relight_cli.relighting.lit_gain import kept_exposure, light_gain
        from relight_cli.relighting.lit_photo import lit_picture
        from relight_cli.relighting.masks import blend_by_mask

        brightest = max(self.lights, key=lambda light: light.average())
        stops = 0.0
        if self.options.keep_exposure is not False:
            stops = self.options.exposure + kept_exposure(subject, brightest)
        weights, notify = mask.for_photo(photo), notifier(self.options.quiet)
        recorded = self.writer.is_single_file and not self.options.strip
        made = self.recipe.provenance(self._inputs(0)).record() if recorded else None
        current().has_parts = not self.writer.is_single_file
        if isinstance(self.writer, VideoFileWriter):
            self.writer.output = replace(self.writer.output, pixel_aspect=pixel_aspect(photo.metadata))
            for note in aspect_notes(self.writer.output, self.photo):
                notify(note)
        with self.writer.opened(self._plan(), overwrite=self.options.overwrite, made=made):
            shared = SharedFrames(self.writer, self._is_current, notify, overwrite=self.options.overwrite)
            if compared:
                keep_photo(compared, self.photo, photo)
            for done, (number, missing) in enumerate(shared.turns(len(self.lights)), 1):
                light = self.lights[number]
                if missing:
                    lost = math.log2(max(brightest.average(), 1e-9) / max(light.average(), 1e-9)) - _DARKEST
                    exposure = stops + max(0.0, lost)
                    gain = light_gain(subject, light, keep_exposure=False, exposure=exposure)
                    picture = lit_picture(photo.srgb, subject, gain, self.options.strength)
                    if weights is not None:
                        picture = blend_by_mask(weights, photo.srgb, picture)
                    frame, notes = self.recipe.sign(photo.with_lazy_srgb(picture), self._inputs(number))
                    maker = PreviewMaker(frame, compared.pixels) if compared else None
                    for note in notes + self.writer.write(number, maker.watched if maker else frame):
                        notify(f"{self.writer.target(number)}: {note}")
                    if compared and maker:
                        compared.frame(number, maker.preview(), 0, light.origin)
                current().step(str(self.photo), done, len(self.lights), "frame")

    def _names(self) -> list[str]:
        return [light.origin for light in self.lights]

    def _is_current(self, number: int) -> bool:
        return self.recipe.recorded(self.writer.target(number)) == self._parameters(number)

    def _inputs(self, number: int) -> dict[str, object]:
        inputs: dict[str, object] = {"photo": self._sha256()}
        return inputs if self.writer.is_single_file else inputs | {"light": self.lights[number].origin}

    def _parameters(self, number: int) -> str:
        return self.recipe.provenance(self._inputs(number)).parameters()

    def _sha256(self) -> str | None:
        return sha256_of(self.photo)

    def _plan(self) -> dict[str, object]:
        model = self.recipe.model
        return {"version": __version__, "made": self._parameters(0), "model": (model.name, model.revision)}

    def _reported(self) -> tuple[ModelIdentity, RelightCommandOptions, ReportEntry]:
        return self.recipe.model, self.options, self.recipe.reported_options()


def _reader(writer: Writer) -> Callable[[Path], str | None] | None:
    from relight_cli.videos.video import recorded_recipe

    return recorded_recipe if writer.is_single_file else None
