"""The steps that relight, deshadow and albedo share: plan, then run with a model."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.jobs.batch import Change, Result, run_batch
from relight_cli.jobs.compare_page import ComparePage, compare_page, page_facts, photos_title
from relight_cli.jobs.compared_photos import ComparedPhotos
from relight_cli.jobs.console import notifier
from relight_cli.jobs.dry_run import DryRun
from relight_cli.jobs.engines.engine_options import Engine
from relight_cli.jobs.engines.handed_jobs import handed_jobs
from relight_cli.jobs.engines.work import made_elsewhere
from relight_cli.jobs.in_flight import FirstRead
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.masks import MaskFile
from relight_cli.jobs.memory import MemoryFallback, keep_loaded
from relight_cli.jobs.one_by_one import report_skipped
from relight_cli.jobs.options import LightCommandOptions, MaskedCommandOptions
from relight_cli.jobs.outputs import Job, Outputs
from relight_cli.jobs.planning import plan_jobs
from relight_cli.jobs.progress import current
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reports import ModelIdentity
from relight_cli.jobs.time_budget import TileCost, budget_note, choose_side

if TYPE_CHECKING:
    from relight_cli.models.interface import Model
    from relight_cli.photos.layered import LayeredPhoto
    from relight_cli.photos.photo import Photo
    from relight_cli.relighting.lights.light import Light


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
        self.dry: DryRun | None = None

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
        if self.options.dry_run:
            return self._print_plan()
        if all(job.skip for job in self.jobs):
            with self._page() as page:
                report_skipped(self.jobs, self.recipe, page)
            return False
        current().stage("loading the network")
        first = next(job.source for job in self.jobs if not job.skip)
        if first != STDIO and self.options.engine is Engine.LOCAL and not handed_jobs():
            self.first = FirstRead(first, self.options)
        return True

    def is_made_elsewhere(self, check: Callable[[], object] = lambda: None) -> bool:
        """Let the engine make the photos if it is not this process, after a last check; return whether it did."""
        if self.dry:
            return False
        return made_elsewhere(self.jobs, self.recipe, self.options, check)

    def read_mask(self, options: MaskedCommandOptions) -> MaskFile:
        """Return the mask of the photos."""
        return MaskFile.read(options)

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
        """Make every photo; errors as in `run_batch`. `change` uses the current `options`."""
        if self.dry:
            self._estimate(self.dry, model, change, cost, layers)
            return
        fallback = MemoryFallback(model, self.options.tile_batch, self.options.dtype)
        self.recipe = replace(self.recipe, model=model)
        first, self.first = self.first, None  # the batch releases it
        keep_loaded()

        def resolve(photo: "Photo") -> Recipe:
            """Return the recipe of all photos, given the first."""
            if fallback.model:
                self._spend_budget(cost, fallback.model, photo)
            return self.recipe

        with self._page() as page:
            run_batch(self.jobs, self.recipe, change, fallback, layers, resolve, first, page, light_of)

    @contextlib.contextmanager
    def _page(self) -> Iterator[ComparePage | None]:
        """Yield the page of --compare; see `compare_page`."""
        with compare_page(
            self.options, self.jobs, photos_title(self.jobs, self.recipe.task), page_facts(self.recipe)
        ) as page:
            if page:
                page.show_skipped = ComparedPhotos(page, self.options).of_skipped
            yield page

    def _spend_budget(self, cost: TileCost, model: "Model", photo: "Photo") -> None:
        """Choose --max-side if --budget is given."""
        if self.options.budget is None:
            return
        choice = choose_side(cost, model, photo, self.options.budget)
        notifier(self.options.quiet)(budget_note(choice, self.options.budget))
        self.options = replace(self.options, max_side=choice.max_side, budget=None)
        self.recipe = replace(self.recipe, options=self.options)

    def _print_plan(self) -> bool:
        """Print what would be done; return whether there is anything whose cost can be estimated."""
        self.dry = DryRun(self.jobs, self.options, self.files)
        self.dry.print_plan()
        if not self.dry.to_make:
            self.dry.finish("photo")
        return bool(self.dry.to_make)

    def _estimate(
        self,
        dry: DryRun,
        model: "Model",
        change: Change[Result],
        cost: TileCost,
        layers: "Callable[[Result], list[Photo]]",
    ) -> None:
        """Print the model, and what the photos would cost."""
        from relight_cli.jobs.trial import estimate

        fallback = MemoryFallback(model, self.options.tile_batch, self.options.dtype)

        def make(photo: "Photo", options: LightCommandOptions, name: str) -> "list[Photo | LayeredPhoto]":
            """Return a photo changed with some options, and its layers."""
            wanted, self.options = self.options, options
            try:
                result = fallback.run(
                    lambda used, batch: change(used or model, batch, photo, lambda done, total: None, name)
                )
                return [result.photo, *layers(result), *([result.layered] if result.layered else [])]
            finally:
                self.options = wanted

        def budget(photo: "Photo") -> LightCommandOptions:
            self._spend_budget(cost, model, photo)
            return self.options

        spent = estimate(dry, model, cost, budget, make)
        dry.finish("photo", f"{model.name}, on {model.device}", spent)
