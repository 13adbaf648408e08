"""What a page shows of photos: previews of both pictures, the change of light, and facts about the files."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from relight_cli.jobs.compare_page import ComparePage, Shown
from relight_cli.jobs.console import printable
from relight_cli.jobs.inputs import STDIO
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.reading import read_input
from relight_cli.pages.facts import FACTS, photo_facts
from relight_cli.pages.pairs import Embedding, embedding, photo_pair, with_thumbnail
from relight_cli.pages.previews import Preview, PreviewMaker, preview_of
from relight_cli.pages.views import Fact
from relight_cli.photos.formats import format_of
from relight_cli.photos.photo import Photo


@dataclass(frozen=True)
class Watched:
    """A photo before, and the one after, whose preview is made while it is written."""

    before: Preview
    after: PreviewMaker
    facts: list[Fact]


class ComparedPhotos:
    """Makes what a page shows of each photo."""

    def __init__(self, page: ComparePage, options: CommandOptions) -> None:
        self.page, self.options = page, options
        self.size: Embedding = embedding(len(page.jobs), full=options.compare_full)

    def watch(self, job: Job, before: Photo, after: Photo) -> tuple[Photo, Watched]:
        """Return the photo to write instead of `after`, and what to pass to `shown` when it is written."""
        maker = PreviewMaker(after, self.size.pixels)
        facts = [Fact(*both) for both in zip(FACTS, photo_facts(before), photo_facts(after), strict=True)]
        facts.append(Fact("Format", before.format, format_of(job.target) or after.format))
        return maker.watched, Watched(preview_of(before, self.size.pixels), maker, facts)

    def shown(self, job: Job, watched: Watched) -> Shown:
        """Return what the page shows of a job whose photo is written."""
        entry = self.page.entry(job)
        try:
            return self._shown(job, watched, entry.status)
        except Exception as error:  # noqa: BLE001  the photo is written: its page must not fail it
            return Shown(
                replace(entry, note=f"It cannot be shown here ({printable(str(error)) or type(error).__name__}).")
            )

    def of_skipped(self, job: Job) -> Shown:
        """Return what the page shows of a skipped job, whose photos are read for it."""
        note = f"{job.target.name} was left as it is"
        try:
            before = read_input(job.source, self.options, self.options.page)
            after = read_input(job.target, replace(self.options, input_colour=None))
            _, watched = self.watch(job, before, after)
            shown = self._shown(job, watched, "skipped", note)
        except Exception as error:  # noqa: BLE001  a page must not fail what is skipped
            return Shown(self.page.entry(job, "skipped", f"{note}; it cannot be shown here ({error})"))
        return shown

    def _shown(self, job: Job, watched: Watched, status: str, note: str = "") -> Shown:
        entry = self.page.entry(job, status, note)
        before, after = watched.before, watched.after.preview()
        facts = [Fact("File", _place(job.source, "input"), _place(job.target, "output")), *watched.facts]
        facts.append(Fact("Bytes", _bytes(job.source), _bytes(job.target)))
        pair = photo_pair(entry, before, after, self.size, facts)
        if len(self.page.jobs) > 1:
            entry = with_thumbnail(entry, before, after)
        return Shown(entry, pair)


def _place(path: Path, stream: str) -> str:
    return f"standard {stream}" if path == STDIO else printable(str(path))


def _bytes(path: Path) -> str:
    with contextlib.suppress(OSError):
        size = path.stat().st_size
        return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
    return ""
