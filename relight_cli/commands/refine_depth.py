"""relight-cli refine-depth: the depth of a photo, refined at test time."""

from typing import TYPE_CHECKING

from relight_cli.depth.options import DepthOptions
from relight_cli.jobs.options import Photos, accepts

if TYPE_CHECKING:
    from relight_cli.jobs.outputs import Job
    from relight_cli.jobs.reports import Facts


@accepts(DepthOptions)
def refine_depth(
    photos: Photos,
    options: DepthOptions,
) -> None:
    """Estimate the depth of each PHOTO and refine it until the photo, lit anew on it, looks plausible.

    Writes disparity (near is large) to <name>_depth.png, 16 bits. Depth Anything V2 gives the first, Stable Diffusion
    1.5 judges; both are downloaded once (2.2 GB). Made for a GPU: on a CPU the defaults take a day and more.
    """
    from relight_cli.depth.choices import settle
    from relight_cli.depth.models import load_parts, wanted
    from relight_cli.depth.run import DepthRun
    from relight_cli.devices import choose
    from relight_cli.jobs.batch import run_jobs
    from relight_cli.jobs.console import notifier

    notify = notifier(options.quiet)
    networks = wanted(options)
    choices = settle(photos, options, networks, notify)
    compute = choose(options.device, options.dtype)
    run: DepthRun | None = None
    if not all(job.skip for job in choices.jobs):
        parts = load_parts(networks, options, compute, notify)
        run = DepthRun(parts, networks.sources, choices, options, compute, notify)

    def make(job: "Job") -> "Facts":
        return run.make(job) if run else {}

    run_jobs(choices.jobs, make, networks, options, {"sources": ", ".join(networks.sources)})
