"""Plan refine-depth, with every option and name checked before any network is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relight_cli.depth.command_options import DepthCommandOptions
from relight_cli.depth.depth_maps import KINDS, recorded_recipe, require_kind
from relight_cli.depth.finished_runs import FinishedRuns
from relight_cli.depth.outputs import POSSIBLE_EXTRAS, extras, kind_of
from relight_cli.depth.point_clouds import focal_from_view
from relight_cli.errors import UnfitOptionError, UsageError
from relight_cli.jobs.claims import is_claimed
from relight_cli.jobs.inputs import STDIO, reads_stdin
from relight_cli.jobs.masks import read_mask
from relight_cli.jobs.outputs import Job, Outputs
from relight_cli.jobs.planning import plan_jobs
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reading import read_with_notes
from relight_cli.jobs.reports import ModelIdentity
from relight_cli.photos.focal_length import focal_from_exif
from relight_cli.places.objects import ObjectPath, kept, place_of
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.masks import mask_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relight_cli.photos.photo import Photo

STEPS, FAST_STEPS = 1000, 300


@dataclass(frozen=True)
class DepthPlan:
    """The jobs, and what they share."""

    jobs: list[Job]
    recipe: Recipe
    steps: int
    run_batch: int  # 0: as memory allows
    sky: "NDArray[np.float32] | None"  # the user's mask (H, W), 1 where the initial disparity stays
    photo: "Photo | None"  # the only photo, if its EXIF had to be read

    def focal(self, options: DepthCommandOptions, height: int, width: int) -> float | None:
        """Return the focal length in pixels; None if none is needed."""
        if options.point_cloud is None:
            return None
        if options.fov:
            return focal_from_view(options.fov, width)
        return focal_from_exif(self.photo.metadata.exif, height, width) if self.photo else None


def plan_depth(
    photos: list[str],
    options: DepthCommandOptions,
    model: ModelIdentity,
    sources: list[str],
    notify: Callable[[str], None],
) -> DepthPlan:
    """Return the plan; `sources` are the model files, by name. Raises UsageError, the errors of `plan_jobs`."""
    if options.fov and options.point_cloud is None:
        raise UnfitOptionError("--fov is used only by --point-cloud: give both, or leave it out.", "--fov")
    if options.point_cloud and options.point_cloud.suffix.lower() != ".ply":
        raise UsageError(f"--point-cloud {options.point_cloud}: point clouds are PLY files: end the name in .ply.")
    if options.plot and (not options.is_refined or options.ensemble < 2):
        raise UnfitOptionError(
            "--plot draws how much each run changed the mean, which takes two runs: see --ensemble.", "--plot"
        )
    mask = None if options.sky in ("auto", "off") else kept(place_of(options.sky))
    if mask == STDIO and reads_stdin(photos):
        raise UsageError("stdin can be read only once: name a file for PHOTO or for --sky.")
    outputs = Outputs(KINDS, f".{options.kind}", extras(options), POSSIBLE_EXTRAS, named=options.point_cloud)
    more = {"sources": sources}
    recipe = Recipe("depth", model, options, {"sky": mask} if mask else {}, more, recorded_recipe)
    also_read = [mask] if mask else []
    jobs = plan_jobs(
        photos, "depth", options, notify, also_read, outputs, lambda job: recipe.resolve_existing(job, notify)
    )
    to_make = [job for job in jobs if not job.skip]
    to_file = [job for job in to_make if job.target != STDIO]
    if options.resume and options.overwrite:
        raise UsageError("--resume and --overwrite contradict each other: give one of them.")
    if options.resume and any(isinstance(job.target, ObjectPath) for job in to_file):
        raise UnfitOptionError(
            "--resume needs a folder, since a bucket keeps no unfinished runs: leave it out.", "--resume"
        )
    if (options.resume or extras(options) or options.point_cloud) and any(job.target == STDIO for job in jobs):
        raise UsageError("--output - writes only the disparity and keeps no runs: name a file with --output.")
    if mask and len(jobs) > 1:
        raise UsageError(f"--sky {mask} is the mask of one photo, but there are {len(jobs)}: run them one at a time.")
    for job in to_make:
        require_kind(kind_of(job.target, options))
    for job in to_file:
        if not isinstance(job.target, ObjectPath) and not (
            options.resume or options.overwrite or is_claimed(job.target)
        ):
            FinishedRuns(job.target).require_none()
    return DepthPlan(
        jobs,
        recipe,
        (FAST_STEPS if options.fast else STEPS) if options.steps is None else options.steps,
        _run_batch(options.run_batch),
        to_array(mask_of(read_mask(mask, options))) if mask else None,
        _camera_photo(to_make, options),
    )


def _run_batch(text: str) -> int:
    if text == "auto":
        return 0
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"--run-batch {text} is not a number of runs: give auto, 1, 2 and so on.")
    return int(text)


def _camera_photo(jobs: list[Job], options: DepthCommandOptions) -> "Photo | None":
    """Return the photo if its EXIF tells the focal length of the point cloud. Raises UsageError if nothing does."""
    if not jobs or options.point_cloud is None or options.fov:
        return None
    photo = read_with_notes(jobs[0].source, options, options.page)
    if focal_from_exif(photo.metadata.exif, *photo.pixels.shape[:2]) is None:
        raise UsageError(f"{jobs[0].source} has no focal length in its EXIF: give its field of view with --fov.")
    return photo
