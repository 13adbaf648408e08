"""The files that refine-depth writes for one photo."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli._version import __version__
from relight_cli.depth.command_options import DepthCommandOptions
from relight_cli.depth.depth_maps import MapScale, coloured_map, encode_map, encode_picture, map_scale
from relight_cli.depth.ensemble_chart import ensemble_chart
from relight_cli.depth.point_clouds import encode_points
from relight_cli.errors import OutputUnwritableError
from relight_cli.jobs.file_names import make_folder
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.streams import stdout_stream
from relight_cli.pages.drawn_charts import draw_charts
from relight_cli.photos.atomic_files import write_atomically
from relight_cli.places.objects import described

if TYPE_CHECKING:
    from relight_cli.depth.refined_depth import RefinedDepth
    from relight_cli.photos.shape import Shape

SOFTWARE = f"relight-cli {__version__}"
POSSIBLE_EXTRAS = ("normals", "uncertainty", "initial", "preview.png", "plot.png")


def extras(options: DepthCommandOptions) -> tuple[str, ...]:
    """Return the names of the extra files that are wanted."""
    return tuple(name for name in POSSIBLE_EXTRAS if getattr(options, name.removesuffix(".png")))


def kind_of(target: Path, options: DepthCommandOptions) -> str:
    """Return the suffix that tells the format of a target; for stdout, which has no name, that of --format."""
    return f".{options.kind}" if target == STDIO else target.suffix.lower()


def write_outputs(
    depth: "RefinedDepth",
    job: Job,
    options: DepthCommandOptions,
    focal: float | None,
    made: str,
    marks: Mapping[str, str],
    shape: "Shape | None" = None,
) -> MapScale:
    """Write every wanted file, the disparity last, and return the scale of the disparity; `shape` is the photo's."""
    kind = kind_of(job.target, options)
    scale = replace(map_scale(depth.disparity, "disparity", SOFTWARE), made=made, shape=shape)
    data = encode_map(depth.disparity, kind, scale)
    if job.target == STDIO:
        stream = stdout_stream()
        try:
            stream.write(data)
            stream.flush()
        except OSError as error:
            message = f"standard output: cannot be written ({error.strerror}); check the pipe."
            raise OutputUnwritableError(message) from error
        return scale
    overwrite = options.overwrite or job.may_replace
    make_folder(job.target.parent)
    for path, extra in zip(job.extras, _encoded_extras(depth, options, kind, scale, focal), strict=True):
        make_folder(path.parent)
        write_atomically(described(path, marks), extra, overwrite=overwrite)
    write_atomically(described(job.target, marks), data, overwrite=overwrite)
    return scale


def _encoded_extras(
    depth: "RefinedDepth", options: DepthCommandOptions, kind: str, scale: MapScale, focal: float | None
) -> Iterator[bytes]:
    """Yield the encoded extra files, in the order of `extras`, made as the disparity of `scale`; last the points."""
    made = scale.made
    for name in extras(options):
        if name == "preview.png":
            yield encode_picture(coloured_map(depth.disparity), SOFTWARE, made)
            continue
        if name == "plot.png":
            yield encode_picture(
                draw_charts([ensemble_chart(depth.ensemble.moves, options.early_stop)]), SOFTWARE, made
            )
            continue
        values = getattr(depth, name)
        quantity = "disparity" if name == "initial" else name
        yield encode_map(values, kind, replace(map_scale(values, quantity, SOFTWARE), made=made, shape=scale.shape))
    if focal:
        yield encode_points(*depth.points, depth.picture, focal)
