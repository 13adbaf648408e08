"""The windows of the browser: the files of each, and the jobs that it waits for."""

import secrets
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from relight_cli.serving.errors import ProblemError
from relight_cli.serving.jobs import Job
from relight_cli.serving.worker import Worker
from relight_cli.studio.previews import SmallPhoto
from relight_cli.studio.screen import Given

CANCELLED = 409


class Window:
    """One tab of a browser. Its files are in a folder of its own, so that two windows never mix them."""

    def __init__(self, folder: Path, worker: Worker) -> None:
        self.folder, self._worker = folder, worker
        self.version = 0  # of the screen; a preview of an older one is not shown any more
        self.small: dict[Path, SmallPhoto] = {}
        self.canvas: Given | None = None  # the photo that is painted on
        self.painted: Given | None = None
        self.masks = 0  # that were painted
        self.seen: dict[int, bool] = {}  # what the browser shows: parts of the page by their order
        self.count = 0  # of the photos that can be chosen for the preview
        self._sets: list[str] = []
        self.preview: Job | None = None
        self.full: Job | None = None
        folder.mkdir(parents=True)

    def painted_on(self, photos: tuple[Given, ...]) -> Given | None:
        """Return the painted mask, if the photo that was painted on is one of these."""
        return self.painted if self.canvas in photos else None

    def set_of(self, names: str) -> int:
        """Return the number of a set of photos."""
        if names not in self._sets:
            self._sets.append(names)
        return self._sets.index(names)

    def changed(self, version: int) -> None:
        """Take the number of a screen; if it is newer than all before, the preview of the one before is cancelled."""
        if version > self.version:
            self.version = version
            if self.preview:
                self.preview.cancel(ProblemError(CANCELLED, "The screen has changed."))

    def start(self, task: str, work: Callable[[Job], None], *, full: bool) -> Job:
        """Queue a job of this window, and abandon the last one of its kind. Raises a ProblemError."""
        if before := self.full if full else self.preview:
            self._worker.abandon(before, ProblemError(CANCELLED, "Replaced by a newer job."))
        job = self._worker.admit(task, is_kept=True)
        job.work = work
        if full:
            self.full = job
        else:
            self.preview = job
        self._worker.submit(job)
        return job

    def cancel(self) -> None:
        """Cancel what is at work or waits."""
        for job in (self.preview, self.full):
            if job and not job.is_final:
                job.cancel(ProblemError(CANCELLED, "Cancelled."))

    def close(self) -> None:
        """Cancel the jobs and remove the files."""
        for job in (self.preview, self.full):
            if job:
                self._worker.abandon(job, ProblemError(CANCELLED, "The window was closed."))
        shutil.rmtree(self.folder, ignore_errors=True)


class Windows:
    """All windows, by the name that Gradio gives to each."""

    def __init__(self, root: Path, worker: Worker) -> None:
        self._root, self._worker = root, worker
        self._windows: dict[str, Window] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Window:
        """Return a window; a new one when it is first asked for."""
        with self._lock:
            if name not in self._windows:
                self._windows[name] = Window(self._root / f"window-{secrets.token_hex(12)}", self._worker)
            return self._windows[name]

    def close(self, name: str) -> None:
        """Forget a window that was closed."""
        with self._lock:
            window = self._windows.pop(name, None)
        if window:
            window.close()
