"""One call of relight, deshadow or albedo on videos: plan, then run with a model."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.errors import PhotoUnreadableError, UnfitOptionError
from relight_cli.jobs.batch import Change, Result
from relight_cli.jobs.console import notifier
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.inputs import sha256_of
from relight_cli.jobs.masks import MaskFile
from relight_cli.jobs.memory import MemoryFallback
from relight_cli.jobs.one_by_one import report_skipped, run_jobs
from relight_cli.jobs.options import LightCommandOptions, MaskedCommandOptions
from relight_cli.jobs.outputs import Job, Outputs
from relight_cli.jobs.planning import plan_jobs
from relight_cli.jobs.progress import current
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reported_outputs import ReportEntry, output_entry
from relight_cli.jobs.reports import ModelIdentity
from relight_cli.jobs.time_budget import TileCost
from relight_cli.videos.names import WRITABLE, output_suffix

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.lights.light import Light
    from relight_cli.sequences.dry_run import Trial
    from relight_cli.sequences.light import FrameLight
    from relight_cli.sequences.video import VideoRun
    from relight_cli.videos.codecs import Encoding
    from relight_cli.videos.facts import VideoFacts


def _recorded_recipe(path: Path) -> str | None:
    from relight_cli.videos.video import recorded_recipe

    return recorded_recipe(path)


class VideoCommand:
    """One call of relight, deshadow or albedo on videos; the methods are those of `PhotoCommand`."""

    what, those = "photos", "videos"  # in messages: what an option is for that does not fit, and what it is not for

    def __init__(
        self,
        task: str,
        expected: ModelIdentity,
        options: LightCommandOptions,
        files: Mapping[str, Path],
        more: Mapping[str, object],
        unfit: Mapping[str, object],
    ) -> None:
        self.options, self.files = options, files
        self._check(unfit)
        self.recipe = Recipe(task, expected, options, files, more, self.read_record)
        self.jobs: list[Job] = []
        self._mask = MaskFile()

    read_record: Callable[[Path], str | None] | None = staticmethod(_recorded_recipe)

    def plan(self, videos: list[str], outputs: Outputs | None = None) -> bool:
        """Check everything that can be checked without a model; return whether there is anything to do."""
        from relight_cli.videos.codecs import check_codec
        from relight_cli.videos.video import require_video

        require_video()
        notify = notifier(self.options.quiet)
        self.jobs = plan_jobs(
            videos,
            self.recipe.task,
            self.options,
            notify,
            self.files.values(),
            Outputs(suffixes=WRITABLE, suffix_of=output_suffix),
            lambda job: self.recipe.resolve_existing(job, notify),
        )
        for job in self.jobs:
            if not job.skip:
                check_codec(job.target.suffix, self.options.codec, self.options.crf)
                self._check_quality(job)
        if self.options.dry_run:
            from relight_cli.sequences.dry_run import print_plan

            return print_plan(self.jobs, self.files, self.options)
        if all(job.skip for job in self.jobs):
            report_skipped(self.jobs, self.recipe, None)
            return False
        current().stage("loading the network")
        return True

    def is_made_elsewhere(self, check: Callable[[], object] = lambda: None) -> bool:
        """Return False: frames belong together, so that no other engine is asked."""
        return False

    def read_mask(self, options: MaskedCommandOptions) -> MaskFile:
        """Read the mask of the frames; return none for the copies that the network sees."""
        self._mask = MaskFile.read(options)
        return MaskFile()

    def record(self, more: Mapping[str, object]) -> None:
        """Record more of how the outputs are made, or in another way than `Recipe.more` says."""
        self.recipe = replace(self.recipe, more={**self.recipe.more, **more})

    def run(
        self,
        model: "Model",
        change: Change[Result],
        cost: TileCost,
        layers: "Callable[[Result], list[Photo]]" = lambda result: [],
        light_of: "Callable[[Result], Light | None]" = lambda result: None,
    ) -> None:
        """Make every video, one after the other; errors as in `run_jobs`."""
        fallback = MemoryFallback(model, self.options.tile_batch, self.options.dtype)
        self.recipe = replace(self.recipe, model=model)
        make = partial(self._make, change, fallback)
        if self.options.dry_run:
            from relight_cli.sequences.dry_run import print_cost_of

            print_cost_of([self._trial(job, change, fallback) for job in self.jobs if not job.skip], model)
            return
        run_jobs(
            self.jobs,
            make,
            self.recipe.model,
            self.options,
            self.recipe.reported_options(),
            self._recheck,
        )

    def _recheck(self, job: Job) -> Job:
        """Decide anew about a job that another process may have made meanwhile."""
        return self.recipe.recheck(job, notifier(self.options.quiet))

    def _make(self, change: Change[Result], fallback: MemoryFallback, job: Job) -> ReportEntry:
        from relight_cli.photos.atomic_files import atomic_file

        sha256 = sha256_of(job.source)
        video = self._video(job, change, fallback)
        provenance = self.recipe.provenance({"photo": sha256})
        make_folder(job.target.parent)
        replaces = self.options.overwrite or job.may_replace
        notify = notifier(self.options.quiet)
        for note in (*video.facts.notes, *video.encoding.notes):
            notify(f"{job.source}: {note}")
        write = partial(atomic_file, overwrite=replaces)
        for note in video.make(job.target, provenance.record(), named=not self.options.strip, write=write):
            notify(f"{job.source}: {note}")
        return output_entry(job.target, provenance.parameters()) if self.options.report else {}

    def _video(self, job: Job, change: Change[Result], fallback: MemoryFallback) -> "VideoRun":
        from relight_cli.sequences.video import VideoRun, stored_mask

        facts, encoding = self._encoding(job)
        mask = stored_mask(facts, self._mask.for_photo) if self._mask.mask is not None else None
        progress = partial(current().step, str(job.source), unit="frame")
        return VideoRun(facts, encoding, self._light(job, change, fallback), progress, mask)

    def _light(self, job: Job, change: Change[Result], fallback: MemoryFallback) -> "FrameLight":
        from relight_cli.sequences.light import FrameLight

        def lit(photo: "Photo") -> "Photo":
            """Return a copy of a frame in another light; frames are counted, and not tiles."""
            made = fallback.run(
                lambda model, batch: change(model, batch, photo, lambda done, total: None, str(job.source))  # type: ignore[arg-type]
            )
            return made.photo

        return FrameLight(lit, self.options.max_side, self.options.keyframes)

    def _trial(self, job: Job, change: Change[Result], fallback: MemoryFallback) -> "Trial":
        """Return the first frame of a video, on which the time is measured."""
        from relight_cli.sequences.dry_run import Trial
        from relight_cli.sequences.video import first_frame

        video = self._video(job, change, fallback)
        facts = video.facts
        name = f"{facts.path}: {facts.count} frames of {facts.width} x {facts.height}, {video.encoding.codec}"
        return Trial(name, first_frame(video), facts.count, video.light)

    def _encoding(self, job: Job) -> "tuple[VideoFacts, Encoding]":
        from relight_cli.videos.codecs import choose_encoding
        from relight_cli.videos.facts import read_facts
        from relight_cli.videos.mastering import with_mastering

        facts = read_facts(job.source, max_pixels=self.options.max_pixels)
        suffix, chosen = job.target.suffix, self.options.codec
        encoding = choose_encoding(suffix, facts.codec, facts.stored, chosen, self.options.crf)
        return facts, with_mastering(encoding, facts.mastering)

    def _check_quality(self, job: Job) -> None:
        """Raise UsageError for a --crf that the video's own codec has not."""
        if self.options.crf is not None and self.options.codec is None:
            with suppress(PhotoUnreadableError):  # reported when it is made
                self._encoding(job)

    def _check(self, unfit: Mapping[str, object]) -> None:
        """Raise UsageError for options that videos have no use for."""
        options = self.options
        given = {
            **unfit,
            "--no-detail": not options.detail,
            "--budget": options.budget,
            "--page": options.page,
            "--compare": options.compare,
            "--output -": options.output == "-",
            **self._unfit(),
        }
        for name, value in given.items():
            if value:
                raise UnfitOptionError(
                    f"{name} is for {self.what} and not for {self.those}: leave it out.", name.split()[0]
                )

    def _unfit(self) -> dict[str, object]:
        """Return more options by name, of which none may be given."""
        return {"--input-colour": self.options.input_colour}
