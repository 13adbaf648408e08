"""Refine one photo of refine-depth: read, estimate the cost, refine, write."""

import time
from collections.abc import Callable
from dataclasses import replace

from relight_cli.depth.command_options import DepthCommandOptions
from relight_cli.depth.compared_depth import shown_depth
from relight_cli.depth.cost import StepCost, largest_batch, measure_step
from relight_cli.depth.finished_runs import FinishedRuns, Settings
from relight_cli.depth.options import DepthOptions
from relight_cli.depth.outputs import write_outputs
from relight_cli.depth.planning import DepthPlan
from relight_cli.depth.refine_depth import PreparedPhoto, prepare, refine_prepared, require_sky_shape
from relight_cli.depth.refined_depth import RefinedDepth
from relight_cli.depth.refinement import Run, Scene
from relight_cli.devices import device_error, memory_bytes
from relight_cli.errors import DeviceError, RelightError
from relight_cli.jobs.compare_page import ComparePage
from relight_cli.jobs.dry_run import DryRun, Estimate
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.inputs import STDIO, sha256_of
from relight_cli.jobs.memory import peak_memory
from relight_cli.jobs.options import subset
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.progress import current
from relight_cli.jobs.reading import read_with_notes
from relight_cli.jobs.reports import ReportEntry
from relight_cli.models.depth_model import DepthModel
from relight_cli.places.objects import ObjectPath, held

MEMORY_SHARE = 0.7  # of the device's memory, for runs; the rest is for the system and for memory that is not counted


class DepthRun:
    """The work of one command on each of its photos."""

    def __init__(
        self,
        model: DepthModel,
        plan: DepthPlan,
        options: DepthCommandOptions,
        notify: Callable[[str], None],
    ) -> None:
        self.model, self.plan, self.options, self.notify = model, plan, options, notify
        self.page: ComparePage | None = None
        sky = "auto" if plan.sky is not None else options.sky
        self.chosen = subset(options, DepthOptions, steps=plan.steps, sky=sky, run_batch=plan.run_batch or 1)

    def make(self, job: Job) -> ReportEntry:
        """Refine the depth of one photo and write it; return its entries in the report."""
        try:
            return self._make(job)
        except Exception as error:
            if known := device_error(error):
                remedy = "try --run-batch 1, --fast, a smaller --max-side, or --device cpu"
                raise DeviceError(f"{str(known).rpartition(': ')[0]}: {remedy}.") from error
            raise

    def _make(self, job: Job) -> ReportEntry:
        with held(job.source) as copy:
            photo_sha256 = sha256_of(copy)
            photo = self.plan.photo or read_with_notes(copy, self.options, self.options.page)
        if self.plan.sky is not None:
            require_sky_shape(self.plan.sky, photo, self.options.sky)
        prepared = prepare(self.model, photo, self.chosen, self.plan.sky)
        no_folder = job.target == STDIO or isinstance(job.target, ObjectPath)
        store = None if no_folder else FinishedRuns(job.target)
        finished: dict[int, Run] = {}
        if store:
            make_folder(job.target.parent)
            if not (self.options.resume or self.options.overwrite):
                store.require_none()  # of another process, which was making the photo when this one was planned
            finished = store.open(self._settings(prepared), resume=self.options.resume)
        try:
            remaining = sum(number not in finished for number in range(self.options.ensemble))
            refined = self.options.is_refined and remaining
            batch, cost = self._estimate(job, prepared.scene, remaining) if refined else (1, None)
            depth = self._refine(job, prepared, batch, finished, store)
            focal = self.plan.focal(self.options, *prepared.picture.shape[:2])
            recipe = self.plan.recipe.provenance({"photo": photo_sha256}).record()
            marks = self.plan.recipe.marks(job, {"photo": photo_sha256})
            scale = write_outputs(depth, job, self.options, focal, recipe, marks, prepared.shape)
        except BaseException:
            if store and store.count():
                self.notify(
                    f"{job.target}: {_counted(store.count(), 'run')} finished and kept; --resume continues from there."
                )
            elif store:
                store.clear()
            raise
        if store:
            store.clear()
        if self.page:
            page, early_stop = self.page, self.chosen.early_stop
            page.keep(job, lambda: shown_depth(page, job, photo, depth, self.options, early_stop))
        return {
            **self.plan.recipe.report_facts(job, {"photo": photo_sha256}),
            "quantity": "disparity",
            "low": scale.low,
            "high": scale.high,
            "runs": depth.ensemble.runs,
            "steps": self.chosen.steps,
            "prompt": prepared.prompt,
            "run_batch": batch,
            "seconds_per_step": cost and round(cost.seconds, 4),  # None if every run was finished before
            "held_share": round(float(prepared.scene.kept_mask.mean()), 4) if self.options.is_refined else 1.0,
        }

    def estimate(self, plan: DryRun) -> Estimate | None:
        """Return what the photos of a plan cost, from trial steps of the first that can be read; None if none can."""
        for job in plan.to_make:
            try:
                photo = self.plan.photo or read_with_notes(job.source, self.options, self.options.page)
            except RelightError as error:
                plan.failed.append(error)
                del plan.sizes[job.source]
                continue
            began = time.perf_counter()
            prepared = prepare(self.model, photo, self.chosen, self.plan.sky)
            if not self.options.is_refined:
                return Estimate((time.perf_counter() - began) * len(plan.to_make), peak_memory(), "one photo")
            batch, cost = self._estimate(job, prepared.scene, self.options.ensemble)
            seconds = cost.seconds * self.chosen.steps * -(-self.options.ensemble // batch)
            needed = cost.memory + self.model.weights_bytes
            on_cpu, own = self.model.device == "cpu", peak_memory()
            memory = max(own, needed) if own and on_cpu else own
            return Estimate(seconds * len(plan.to_make), memory, "a step", None if on_cpu else needed)
        return None

    def _settings(self, prepared: PreparedPhoto) -> Settings:
        """Return everything that finished runs depend on."""
        return {
            "photo or sky": prepared.scene.fingerprint(),
            "model": self.model.identity,
            "steps": self.chosen.steps,
            "seed": self.chosen.seed,
            "prompt": prepared.prompt,
            "dtype": str(self.model.dtype),
        }

    def _estimate(self, job: Job, scene: Scene, runs: int) -> tuple[int, StepCost]:
        """Return how many runs to do at a time and the cost of their step; print what the `runs` left will take."""
        assert self.model.judge is not None
        prior = self.model.judge.prior
        budget = int(MEMORY_SHARE * memory_bytes(self.model.device)) - self.model.weights_bytes
        batch = min(self.plan.run_batch or 1, self.options.ensemble)
        prior.set_checkpointing(False)  # networks may be kept, with what another photo needed
        cost = measure_step(scene, prior, batch)
        if budget > 0 and cost.memory > budget:
            prior.set_checkpointing(True)
            cost = measure_step(scene, prior, batch)
        if not self.plan.run_batch and self.model.device != "cpu":
            batch = largest_batch(cost, budget, self.options.ensemble) if budget > 0 else 1
            cost = measure_step(scene, prior, batch) if batch > 1 else cost
        seconds = cost.seconds * self.chosen.steps * -(-runs // batch)
        gigabytes = (cost.memory + self.model.weights_bytes) / 1e9
        dtype = str(self.model.dtype).removeprefix("torch.")
        self.notify(
            f"{job.source}: {_counted(runs, 'run')} of {_counted(self.chosen.steps, 'step')}, {batch} at a time, on "
            f"{self.model.device} ({dtype}): about {_duration(seconds)}, {gigabytes:.1f} GB."
        )
        return batch, cost

    def _refine(
        self, job: Job, prepared: PreparedPhoto, batch: int, finished: dict[int, Run], store: FinishedRuns | None
    ) -> RefinedDepth:
        chosen = replace(self.chosen, run_batch=batch)

        def progress(done: int, total: int) -> None:
            current().step(str(job.source), done, total, "step")

        return refine_prepared(self.model, prepared, chosen, finished, store.keep if store else _forget, progress)


def _forget(number: int, run: Run) -> None:
    """Keep no run: stdout and buckets have no folder for them."""


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
