"""Read the photos of a command from files and stdin."""

from concurrent.futures import Future
from pathlib import Path

from relight_cli.cores import Pool
from relight_cli.jobs.console import notifier
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.options import CommandOptions, LightCommandOptions
from relight_cli.jobs.streams import stdin_stream
from relight_cli.photos.header import has_header
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.special_files import is_open_pipe


def read_input(path: Path, options: CommandOptions, page: int | None = None) -> Photo:
    """Read a photo, from stdin if its name is `-`; of a photo with pages, `page` from 1."""
    source = stdin_stream() if path == STDIO else path
    space = options.space if isinstance(options, LightCommandOptions) else None
    return read_photo(
        source, max_pixels=options.max_pixels, page=page, input_colour=options.input_colour, working_space=space
    )


def require_openable(path: Path, options: CommandOptions) -> None:
    """Raise the errors of `read_input` now for a photo that is missing or has a broken header, and is used later."""
    if path != STDIO and not is_open_pipe(path) and not has_header(path):
        read_input(path, options)


def read_with_notes(path: Path, options: CommandOptions, page: int | None = None) -> Photo:
    """Read a photo like `read_input` and print its notes."""
    photo = read_input(path, options, page)
    for note in photo.notes:
        notifier(options.quiet)(f"{path}: {note}")
    return photo


def read_in_background(path: Path, options: CommandOptions) -> "Future[Photo]":
    """Start `read_with_notes` in a thread; read stdin in this one, so that Ctrl-C can interrupt the wait."""
    helper = Pool(1, "photo")
    future: Future[Photo] = Future()
    if path == STDIO:
        future.set_result(read_with_notes(path, options))
    else:
        future = helper.submit(read_with_notes, path, options)
    helper.shutdown(wait=False)
    return future
