"""relight-cli refine-depth: the disparity of a photo, refined at test time."""

import functools
from typing import TYPE_CHECKING

from relight_cli.depth.command_options import DepthCommandOptions
from relight_cli.jobs.option_types import Photos
from relight_cli.jobs.options import with_options

if TYPE_CHECKING:
    from relight_cli.jobs.outputs import Job
    from relight_cli.jobs.reports import ReportEntry


@with_options(DepthCommandOptions)
def refine_depth(
    photos: Photos,
    options: DepthCommandOptions,
) -> None:
    """Estimate the depth of each PHOTO and refine it so that the relit photo looks plausible.

    Writes disparity (large is near) to <name>_depth.png, 16 bits. Depth Anything V2 estimates it and Stable Diffusion
    1.5 guides the refinement; both are downloaded once (2.2 GB). Made for a GPU: on a CPU the defaults take over a day.
    `--depth-model tiny --steps 0` needs neither: the depth that the network in the package tells, in a second.
    """
    from relight_cli.checkpoints.depth_files import depth_files
    from relight_cli.depth.planning import plan_depth
    from relight_cli.depth.run import DepthRun
    from relight_cli.devices import choose
    from relight_cli.jobs.compare_page import compare_page, page_facts, photos_title
    from relight_cli.jobs.console import notifier
    from relight_cli.jobs.dry_run import DryRun
    from relight_cli.jobs.engines.work import made_elsewhere
    from relight_cli.jobs.one_by_one import run_jobs

    notify = notifier(options.quiet)
    files = depth_files(
        options.depth_model,
        fast=options.fast,
        caption=options.caption,
        refined=options.is_refined,
        weights_dir=options.weights_dir,
    )
    plan = plan_depth(photos, options, files, files.sources, notify)
    if not options.dry_run and made_elsewhere(plan.jobs, plan.recipe, options):
        return
    choose(options.device, options.dtype)  # raises errors for unknown or missing devices
    run: DepthRun | None = None
    dry = DryRun(plan.jobs, options, plan.recipe.files) if options.dry_run else None
    if dry:
        dry.print_plan()
        if not dry.to_make:
            dry.finish("photo")
            return
    if not all(job.skip for job in plan.jobs):
        from relight_cli.checkpoints.depth import load_depth_model
        from relight_cli.depth.run import DepthRun
        from relight_cli.jobs.progress import current

        current().stage("loading the networks")
        run = DepthRun(load_depth_model(**options.model_arguments()), plan, options, notify)
    if dry and run:
        names = f"{files.name} and Stable Diffusion 1.5" if options.is_refined else files.name
        dry.finish("photo", f"{names}, on {run.model.device}", run.estimate(dry))
        return

    def make(job: "Job") -> "ReportEntry":
        return run.make(job) if run else {}

    recheck = functools.partial(plan.recipe.recheck, notify=notify)
    title, facts = photos_title(plan.jobs, "depth"), page_facts(plan.recipe)
    with compare_page(options, plan.jobs, title, facts) as page:
        if run:
            run.page = page
        run_jobs(plan.jobs, make, files, options, {"sources": ", ".join(files.sources)}, recheck, page)
