"""One photo's way through refine-depth: read, estimate, refine, write."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from relight_cli.depth.choices import DepthChoices
from relight_cli.depth.cost import StepCost, largest_batch, measure_step
from relight_cli.depth.finished_runs import FinishedRuns, Settings
from relight_cli.depth.models import DepthParts
from relight_cli.depth.options import DepthOptions
from relight_cli.depth.outputs import write_outputs
from relight_cli.depth.refined_depth import RefinedDepth
from relight_cli.depth.refinement import Ensemble, RefineOptions, Run, Scene, encode_scene, refine
from relight_cli.depth.sky import hold
from relight_cli.devices import Compute, device_error, memory_bytes
from relight_cli.errors import DeviceError, UsageError
from relight_cli.jobs.batch import make_folder, read
from relight_cli.jobs.console import bar
from relight_cli.jobs.inputs import STANDARD, sha256_of
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.reports import Facts

if TYPE_CHECKING:
    from relight_cli.depth.refinement import Picture

MEMORY_SHARE = 0.7  # of the device's, that runs may take; the rest is for the system and for what is not counted


class DepthRun:
    """What every photo of a command goes through."""

    def __init__(
        self,
        parts: DepthParts,
        sources: list[str],
        choices: DepthChoices,
        options: DepthOptions,
        compute: Compute,
        notify: Callable[[str], None],
    ) -> None:
        self.parts, self.sources, self.choices = parts, sources, choices
        self.options, self.compute, self.notify = options, compute, notify

    def make(self, job: Job) -> Facts:
        """Refine one photo's depth and write it; give what the report says of it."""
        try:
            return self._make(job)
        except Exception as error:
            if known := device_error(error):
                remedy = "try --run-batch 1, --fast, a smaller --max-side, or --device cpu"
                raise DeviceError(f"{str(known).rpartition(': ')[0]}: {remedy}.") from error
            raise

    def _make(self, job: Job) -> Facts:
        photo_sha256 = sha256_of(job.source)
        picture = (self.choices.photo or read(job.source, self.options)).to_srgb()
        prompt = self._describe(picture)
        scene = self._scene(picture)
        store = None if job.target == STANDARD else FinishedRuns(job.target)
        finished: dict[int, Run] = {}
        if store:
            make_folder(job.target.parent)
            finished = store.open(self._settings(scene, prompt), resume=self.options.resume)
        try:
            left = sum(number not in finished for number in range(self.options.ensemble))
            batch, cost = self._estimate(job, scene, left) if left else (1, None)
            ensemble = self._refine(job, scene, batch, finished, store)
            focal = self.choices.focal(self.options, *picture.shape[:2])
            made = self.choices.making.of({"photo": photo_sha256}).parameters()
            meaning = write_outputs(RefinedDepth(scene, ensemble, picture), job, self.options, focal, made)
        except BaseException:
            if store and store.count():
                self.notify(
                    f"{job.target}: {_times(store.count(), 'run')} finished and kept; --resume goes on from there."
                )
            elif store:
                store.clear()
            raise
        if store:
            store.clear()
        return {
            **self.choices.making.facts(job, {"photo": photo_sha256}),
            "quantity": "disparity",
            "low": meaning.low,
            "high": meaning.high,
            "runs": ensemble.runs,
            "steps": self.choices.steps,
            "prompt": prompt,
            "run_batch": batch,
            "seconds_per_step": cost and round(cost.seconds, 4),  # none where every run was finished
            "held_share": round(float(scene.held.mean()), 4),
        }

    def _describe(self, picture: "Picture") -> str:
        """Give the denoiser the photo's caption, if one is wanted; tell the prompt."""
        if self.parts.caption is None:
            return self.options.prompt
        prompt = self.parts.caption(picture)
        self.parts.prior.describe(self.parts.embed(prompt))
        return prompt

    def _scene(self, picture: "Picture") -> Scene:
        """Encode a photo. Raises UsageError where the mask of its sky is of another shape."""
        (height, width), mask = picture.shape[:2], self.choices.sky
        if mask is not None and abs(mask.shape[1] - mask.shape[0] * width / height) > 1:  # a pixel, of rounding
            size = f"{mask.shape[1]} x {mask.shape[0]}"
            raise UsageError(
                f"{self.options.sky} is {size} pixels and the photo {width} x {height}: give a mask of its shape."
            )
        scene = encode_scene(self.parts.network, picture, self.compute.device, self.options.max_side)
        return scene if self.options.sky == "off" else hold(scene, mask)

    def _settings(self, scene: Scene, prompt: str) -> Settings:
        """Give everything that finished runs depend on."""
        return {
            "photo or sky": scene.fingerprint(),
            "model": self.sources,
            "steps": self.choices.steps,
            "seed": self.options.seed,
            "prompt": prompt,
            "dtype": str(self.compute.dtype),
        }

    def _estimate(self, job: Job, scene: Scene, runs: int) -> tuple[int, StepCost]:
        """Choose how many runs go at a time, and say beforehand what those that are left will take."""
        prior = self.parts.prior
        budget = int(MEMORY_SHARE * memory_bytes(self.compute.device)) - self.parts.weights_bytes
        batch = min(self.choices.run_batch or 1, self.options.ensemble)
        cost = measure_step(scene, prior, batch)
        if budget > 0 and cost.memory > budget:
            prior.save_memory()
            cost = measure_step(scene, prior, batch)
        if not self.choices.run_batch and self.compute.device != "cpu":
            batch = largest_batch(cost, budget, self.options.ensemble) if budget > 0 else 1
            cost = measure_step(scene, prior, batch) if batch > 1 else cost
        seconds = cost.seconds * self.choices.steps * -(-runs // batch)
        gigabytes = (cost.memory + self.parts.weights_bytes) / 1e9
        dtype = str(self.compute.dtype).removeprefix("torch.")
        self.notify(
            f"{job.source}: {_times(runs, 'run')} of {_times(self.choices.steps, 'step')}, {batch} at a time, on "
            f"{self.compute.device} ({dtype}): about {_duration(seconds)}, {gigabytes:.1f} GB."
        )
        return batch, cost

    def _refine(
        self, job: Job, scene: Scene, batch: int, finished: dict[int, Run], store: FinishedRuns | None
    ) -> Ensemble:
        chosen = RefineOptions(
            self.options.ensemble, self.choices.steps, self.options.seed, batch, self.options.early_stop
        )
        label = f"{job.source.name}, {chosen.runs} runs"
        with bar(label, chosen.runs * chosen.steps, quiet=self.options.quiet, unit="step") as progress:
            return refine(scene, self.parts.prior, chosen, finished, store.keep if store else _forget, progress)


def _forget(number: int, run: Run) -> None:
    """Keep nothing: there is no place beside stdout."""


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
