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
from relight_cli.pages.light_ball import light_on_ball
from relight_cli.pages.pairs import Embedding, embedding, photo_pair, with_thumbnail
from relight_cli.pages.previews import Preview, PreviewMaker, preview_of
from relight_cli.pages.views import Fact, Layer
from relight_cli.photos.formats import format_of
from relight_cli.photos.photo import Photo
from relight_cli.places.objects import ObjectPath
from relight_cli.relighting.lights.light import Light


@dataclass(frozen=True)
class Watched:
    """A photo before, and the one after, whose preview is made while it is written."""

    before: Preview
    after: PreviewMaker
    facts: list[Fact]
    light: Light | None  # that was put on it


class ComparedPhotos:
    """Makes what a page shows of each photo."""

    def __init__(self, page: ComparePage, options: CommandOptions) -> None:
        self.page, self.options = page, options
        self.size: Embedding = embedding(len(page.jobs), full=options.compare_full)
        self._balls: tuple[Light | None, Layer | None] = (None, None)  # the last light, and its picture

    def watch(self, job: Job, before: Photo, after: Photo, light: Light | None = None) -> Watched:
        """Return what to pass to `shown` when `after` is written, by `Watched.after.watched` in its place."""
        maker = PreviewMaker(after, self.size.pixels)
        facts = [Fact(*both) for both in zip(FACTS, photo_facts(before), photo_facts(after), strict=True)]
        facts.append(Fact("Format", before.format, format_of(job.target) or after.format))
        return Watched(preview_of(before, self.size.pixels), maker, facts, light)

    def shown(self, job: Job, watched: Watched) -> Shown:
        """Return what the page shows of a job whose photo is written."""
        return self.page.shown(job, lambda: self._shown(job, watched, "done"))

    def of_skipped(self, job: Job) -> Shown:
        """Return what the page shows of a skipped job, whose photos are read for it."""

        def show() -> Shown:
            before = read_input(job.source, self.options, self.options.page)
            watched = self.watch(job, before, read_input(job.target, replace(self.options, input_colour=None)))
            return self._shown(job, watched, "skipped", f"{job.target.name} was left as it is")

        return self.page.shown(job, show)

    def _on_ball(self, light: Light) -> Layer:
        known, layer = self._balls
        if known != light:
            known, layer = self._balls = light, light_on_ball(light)
        assert layer is not None
        return layer

    def _shown(self, job: Job, watched: Watched, status: str, note: str = "") -> Shown:
        entry = self.page.entry(job, status, note)
        before, after = watched.before, watched.after.preview()
        facts = [Fact("File", _place(job.source, "input"), _place(job.target, "output")), *watched.facts]
        facts.append(Fact("Bytes", _bytes(job.source), _bytes(job.target)))
        pair = photo_pair(entry, before, after, self.size, facts)
        if watched.light:
            pair = replace(pair, pictures=[self._on_ball(watched.light)])
        if len(self.page.jobs) > 1:
            entry = with_thumbnail(entry, before, after)
        return Shown(entry, pair)


def _place(path: Path, stream: str) -> str:
    return f"standard {stream}" if path == STDIO else printable(str(path))


def _bytes(path: Path) -> str:
    if isinstance(path, ObjectPath):  # asking for it would be another request
        return ""
    with contextlib.suppress(OSError):
        size = path.stat().st_size
        return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
    return ""
