"""The steps that relight, deshadow and albedo share: plan, then run with a model."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.jobs.batch import Change, Result, nothing_to_do, run_batch
from relight_cli.jobs.console import notifier
from relight_cli.jobs.in_flight import FirstRead
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.memory import MemoryFallback
from relight_cli.jobs.options import LightCommandOptions
from relight_cli.jobs.outputs import Job, Outputs
from relight_cli.jobs.planning import plan_jobs
from relight_cli.jobs.progress import current
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reports import ModelIdentity
from relight_cli.jobs.time_budget import TileCost, budget_note, choose_side

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.photo import Photo


class PhotoCommand:
    """One call of relight, deshadow or albedo."""

    def __init__(
        self,
        task: str,
        expected: ModelIdentity,
        options: LightCommandOptions,
        files: Mapping[str, Path],
        more: Mapping[str, object] | None = None,
    ) -> None:
        """Take the task as in output names ("relit"), the model, the files read besides photos, and `Recipe.more`."""
        self.options, self.files = options, files  # --max-side is chosen later if --budget is given
        self.recipe = Recipe(task, expected, options, files, more or {})
        self.jobs: list[Job] = []
        self.first: FirstRead | None = None

    def plan(self, photos: list[str], outputs: Outputs | None = None) -> bool:
        """Check everything that can be checked without a model; return whether there is anything to do."""
        notify = notifier(self.options.quiet)
        self.jobs = plan_jobs(
            photos,
            self.recipe.task,
            self.options,
            notify,
            self.files.values(),
            outputs,
            lambda job: self.recipe.resolve_existing(job, notify),
        )
        if nothing_to_do(self.jobs, self.recipe):
            return False
        current().stage("loading the network")
        first = next(job.source for job in self.jobs if not job.skip)
        self.first = FirstRead(first, self.options) if first != STDIO else None
        return True

    def record(self, more: Mapping[str, object]) -> None:
        """Record more of how the outputs are made, or in another way than `Recipe.more` says."""
        self.recipe = replace(self.recipe, more={**self.recipe.more, **more})

    def run(
        self,
        model: "Model",
        change: Change[Result],
        cost: TileCost,
        layers: "Callable[[Result], list[Photo]]" = lambda result: [],
    ) -> None:
        """Make every photo; errors as in `run_batch`. `change` uses the current `options`."""
        fallback = MemoryFallback(model, self.options.tile_batch, self.options.dtype)
        self.recipe = replace(self.recipe, model=model)
        first, self.first = self.first, None  # the batch releases it
        gc.freeze()  # what was loaded is never garbage

        def resolve(photo: "Photo") -> Recipe:
            """Return the recipe of all photos, given the first."""
            if self.options.budget is not None and fallback.model:
                choice = choose_side(cost, fallback.model, photo, self.options.budget)
                notifier(self.options.quiet)(budget_note(choice, self.options.budget))
                self.options = replace(self.options, max_side=choice.max_side, budget=None)
                self.recipe = replace(self.recipe, options=self.options)
            return self.recipe

        run_batch(self.jobs, self.recipe, change, fallback, layers, resolve, first)
