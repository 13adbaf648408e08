"""What a job of the studio does, in the worker's thread: a command, on small copies or on the photos themselves."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from relight_cli.errors import RelightError
from relight_cli.serving.errors import ProblemError
from relight_cli.serving.jobs import Job
from relight_cli.serving.worker import Run
from relight_cli.studio.options import StudioOptions
from relight_cli.studio.previews import SmallPhoto, shown_file, small_mask, small_photo
from relight_cli.studio.screen import (
    DEPTH,
    TIMELAPSE,
    Change,
    Files,
    Given,
    Result,
    Screen,
    Word,
    arguments,
    task_words,
)
from relight_cli.studio.windows import Window

OUT = "out"  # folder of a job that holds what can be downloaded
MOST_FRAMES = 3  # photos of a timelapse in a preview
MOST_BETWEEN = 3  # new frames between every two of them

Stage = Callable[[str], None]


@dataclass
class Shown:
    """What a preview shows."""

    before: Path | None = None
    after: Path | None = None
    frames: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Studio:
    """Runs the commands for the windows."""

    def __init__(self, run: Run, options: StudioOptions) -> None:
        self._run, self.options = run, options

    def preview(self, window: Window, screen: Screen, files: Files, index: int, shown: Shown, job: Job) -> None:
        """Make the preview of a screen on small copies; `shown` is filled."""
        is_sequence = screen.task == TIMELAPSE
        chosen = files.photos[:MOST_FRAMES] if is_sequence else files.photos[index : index + 1]
        small = [self._small(window, photo, job) for photo in chosen]
        if is_sequence and len(files.photos) > MOST_FRAMES:
            shown.notes.append(f"The preview is made of the first {MOST_FRAMES} of {len(files.photos)} photos.")
        if is_sequence and screen.change == Change.BETWEEN and screen.between > MOST_BETWEEN:
            shown.notes.append(f"The preview has {MOST_BETWEEN} new frames between every two, not {screen.between:g}.")
            screen = replace(screen, between=MOST_BETWEEN)
        shown.before = small[0].shown
        copies = tuple(replace(photo, path=copy.path) for photo, copy in zip(chosen, small, strict=True))
        if screen.task == DEPTH and screen.steps:
            shown.notes.append("The preview is the depth before the refinement.")
            screen = replace(screen, steps=0)
        screen = replace(screen, maps=("preview",), result=Result.FRAMES)
        mask = files.mask and self._small_mask(files.mask, small[0], job)
        words = task_words(screen, replace(files, photos=copies, mask=mask), self.options.looks_folder)
        results = self._make(job, screen, words)
        for photo, copy in zip(chosen, small, strict=True):
            job.notes = [note.replace(copy.path.name, photo.shown) for note in job.notes]
        if is_sequence:
            shown.frames = [self._shown(path, job, number) for number, path in enumerate(results)]
            shown.after = shown.frames[0]
        else:
            coloured = [path for path in results if path.stem.endswith("_preview")] if screen.task == DEPTH else results
            shown.after = self._shown(coloured[0], job, 0)
        job.result = shown.after

    def canvas(self, window: Window, photo: Given, shown: Shown, job: Job) -> None:
        """Make the small copy of a photo, to be painted on."""
        shown.before = job.result = self._small(window, photo, job).shown

    def full(self, window: Window, screen: Screen, files: Files, made: list[Path], job: Job) -> None:
        """Make what the command line makes, from the photos themselves; `made` is filled with the files."""
        words = task_words(screen, files, self.options.looks_folder)
        made += self._make(job, screen, words)
        if files.mask and files.mask == window.painted:
            made.append(Path(shutil.copy(files.mask.path, job.folder / OUT)))
        job.result = made[0]

    def _make(self, job: Job, screen: Screen, words: list[Word]) -> list[Path]:
        """Run the command of a screen into a folder of its job; return the files, as far as there are any."""
        folder = job.folder / OUT
        folder.mkdir()
        is_video = screen.task == TIMELAPSE and screen.result == Result.VIDEO
        output = str(folder / "timelapse.mp4") if is_video else f"{folder}/"
        try:
            self._run(screen.task, arguments(screen, words, output, self.options))
        except (RelightError, typer.Exit) as error:
            made = sorted(path for path in folder.rglob("*") if path.is_file())
            if isinstance(error, ProblemError) or not made:
                raise
            if isinstance(error, RelightError):
                job.notes.append(job.plain(str(error)))
        made = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        if not made:
            raise ProblemError(500, " ".join(job.notes) or "The command made no picture: look at your relight.toml.")
        return made

    def _small(self, window: Window, photo: Given, job: Job) -> SmallPhoto:
        job.check()
        job.stage = f"reading {photo.shown}"
        job.tell()
        if photo.path not in window.small:
            folder = window.folder / f"small-{len(window.small)}"
            window.small[photo.path] = small_photo(photo.path, folder, self.options.max_pixels)
        return window.small[photo.path]

    def _small_mask(self, mask: Given, photo: SmallPhoto, job: Job) -> Given:
        path = small_mask(mask.path, mask.shown, photo, job.folder / "mask", self.options.max_pixels)
        return replace(mask, path=path)

    def _shown(self, path: Path, job: Job, number: int) -> Path:
        return shown_file(path, job.folder / f"after-{number:03}.webp", self.options.max_pixels)
