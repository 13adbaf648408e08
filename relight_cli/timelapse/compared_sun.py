"""The page of --compare of a moving sun: every frame next to the one photo."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from relight_cli.jobs.console import printable
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.provenance import Recipe
from relight_cli.jobs.reading import read_input
from relight_cli.photos.photo import Photo
from relight_cli.timelapse.compared_frames import ComparedFrames, sequence_page
from relight_cli.timelapse.writers import Writer


@contextlib.contextmanager
def compared_sun(
    options: CommandOptions, recipe: Recipe, photo: Path, writer: Writer, names: Sequence[str]
) -> Iterator[ComparedFrames | None]:
    """Yield what adds frames to the page, or None without --compare; at the end add those that exist already.

    `names` say the light of each frame.
    """
    title, times = f"{printable(photo.name)}, {len(names)} frames", [float(n) for n in range(1, len(names) + 1)]
    with sequence_page(options, recipe, title, times, "frames") as compared:
        yield compared
        if compared:
            compared.add_existing(writer, options.max_pixels, lambda number: 0, names.__getitem__)


def show_existing_sun(
    options: CommandOptions, recipe: Recipe, photo: Path, writer: Writer, names: Sequence[str]
) -> None:
    """Write the page of frames that all exist."""
    with compared_sun(options, recipe, photo, writer, names) as compared:
        if compared:
            keep_photo(compared, photo, read_input(photo, options, options.page))


def keep_photo(compared: ComparedFrames, path: Path, photo: Photo) -> None:
    """Keep the photo that all frames are compared with, which has no time of its own."""
    compared.keyframe(0, path.name, math.nan, photo)
