"""What happens when something on the page is changed or pressed."""

import asyncio
import contextlib
import html
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from relight_cli.errors import UsageError
from relight_cli.pages.light_ball import light_on_ball
from relight_cli.serving.errors import problem_of
from relight_cli.serving.jobs import Job
from relight_cli.studio.downloads import links_to
from relight_cli.studio.looks import light_of_screen, look_names, save_look
from relight_cli.studio.messages import progress_bar, said
from relight_cli.studio.page import HIDDEN, Page
from relight_cli.studio.previews import painted_mask
from relight_cli.studio.screen import (
    RELIGHT,
    TIMELAPSE,
    Files,
    Given,
    LightKind,
    MaskKind,
    Screen,
    command_line,
)
from relight_cli.studio.uploads import Upload, keep, sent_files, together
from relight_cli.studio.windows import Window, Windows
from relight_cli.studio.work import Shown, Studio

_CALM = 0.25  # seconds without a change after which a preview is begun
_LOOK = 0.5  # seconds between looks at a job
_FILES = 6  # inputs before the values of Screen
# The browser numbers the changes of the screen. `refresh` runs once at a time, and again when something has changed
# meanwhile; `touch` tells a running one that it is not the last.
_NEXT = "() => [window.studioScreen = (window.studioScreen ?? 0) + 1]"
_NOW = "(...values) => { values[0] = window.studioScreen ?? 0; return values; }"
Updates = dict[Any, Any]


class Events:
    """The handlers of a page."""

    def __init__(self, page: Page, studio: Studio, windows: Windows, root: Path) -> None:
        self.page, self.studio, self.windows, self._uploads = page, studio, windows, root / "gradio"
        self._folders = re.compile(rf"{re.escape(str(root))}[/\\](?:[\w-]+[/\\])*")

    def connect(self) -> None:
        """Let the page's components call the handlers."""
        page = self.page
        shown = [page.command, page.status, page.index, page.ball, page.painter, page.make]
        shown += page.seen(Screen())
        changed = [one.change for one in (*page.inputs[1:], page.painted)]
        # Values come as they are sent: what is wrong with one of them is said on the page.
        hidden: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None, "preprocess": False}
        gr.on(changed, self.touch, page.tick, None, js=_NEXT, queue=False, trigger_mode="multiple", **hidden)
        triggers = [page.blocks.load, *changed]
        gr.on(triggers, self.refresh, page.inputs, shown, js=_NOW, trigger_mode="always_last", **hidden)
        result = [page.made, page.results]
        page.make.click(self.make, page.inputs, result, trigger_mode="multiple", **hidden)
        page.cancel.click(self.cancel, None, page.made, **hidden)
        page.painter.release(self.use_mask, page.painter, page.painted, **hidden)
        page.save_look.click(
            self.save, [page.look_name, *page.inputs], [page.saved, page.screen["look"], page.look_name], **hidden
        )
        page.blocks.load(self.looks, page.screen["look"], page.screen["look"], **hidden)
        azimuth, elevation = page.screen["azimuth"], page.screen["elevation"]
        page.dial.release(None, page.dial, [azimuth, elevation], js="(sun) => [sun.azimuth, sun.elevation]")
        follow = "(azimuth, elevation) => ({ azimuth, elevation })"
        gr.on([azimuth.change, elevation.change], None, [azimuth, elevation], page.dial, js=follow)
        page.blocks.unload(self.close)

    async def refresh(self, request: gr.Request, *values: Any) -> AsyncGenerator[Updates, None]:
        """Show the command line, the light and a preview of what is on the screen."""
        window = self.windows.of(str(request.session_hash))
        version = int(values[0])
        window.changed(version)
        try:
            screen = Screen.of(values[_FILES:])
        except UsageError as error:
            yield {self.page.status: said(str(error), bad=True)}
            return
        # The browser may skip all but the last of what is yielded in quick succession, so each is the whole.
        whole = {**self._changes(window, screen), self.page.status: said("")}
        yield dict(whole)
        async with contextlib.aclosing(self._show(window, version, screen, values)) as updates:
            async for update in updates:
                if version != window.version:
                    return
                whole |= update
                yield dict(whole)

    def touch(self, number: float, request: gr.Request) -> None:
        """Stop the preview of a screen that has changed."""
        self.windows.of(str(request.session_hash)).changed(int(number))

    async def _show(self, window: Window, version: int, screen: Screen, values: Any) -> AsyncGenerator[Updates, None]:
        """Yield all that a new screen changes on the page."""
        page = self.page
        try:
            files, index = await asyncio.to_thread(self._files, window, screen, values)
            count = len(files.photos)
            if count != window.count:
                label = f"Number of the photo in the preview, 1 to {count}"
                yield {page.index: gr.Number(value=index + 1, label=label, visible=count > 1)}
                window.count = count
            yield await asyncio.to_thread(self._light, screen, files)
            # A painting is the mask of all photos: while it is, the photo that is painted on stays.
            if screen.mask == MaskKind.PAINTED and screen.changes_light and files.photos and not files.mask:
                async for update in self._show_canvas(window, screen, files.photos[index]):
                    yield update
            line = command_line(screen, files, self.studio.options)
            yield {page.command: line, page.make: gr.Button(interactive=True)}
            await asyncio.sleep(_CALM)
            if version == window.version:
                async for update in self._preview(window, screen, files, index):
                    yield update
        except Exception as error:  # noqa: BLE001  libraries raise anything; the page goes on
            problem, is_empty = self._plain(problem_of(error)), not values[1]
            status = said(problem, bad=not is_empty)
            yield {page.command: "", page.status: status, page.make: gr.Button(interactive=False)}

    async def _preview(self, window: Window, screen: Screen, files: Files, index: int) -> AsyncGenerator[Updates, None]:
        """Make the preview. A problem of it leaves the command line on the page."""
        shown, page = Shown(), self.page
        job = window.start(
            screen.task, lambda job: self.studio.preview(window, screen, files, index, shown, job), full=False
        )
        async for text in self._follow(job, "Preview"):
            yield {page.status: text}
        if job.problem:
            yield {page.status: said(self._plain(job.problem), bad=True)}
            return
        name = [files.photos[index].shown] if len(files.photos) > 1 and screen.task != TIMELAPSE else []
        notes = [self._plain(note) for note in [*name, *shown.notes, *job.notes]]
        yield {page.status: said("Preview.", notes=notes), **self._pictures(screen, shown)}

    async def _show_canvas(self, window: Window, screen: Screen, photo: Given) -> AsyncGenerator[Updates, None]:
        """Show a photo to be painted on, and forget what was painted on another one."""
        if window.canvas == photo:
            return
        shown = Shown()
        job = window.start(screen.task, lambda job: self.studio.canvas(window, photo, shown, job), full=False)
        async for text in self._follow(job, "Preview"):
            yield {self.page.status: text}
        if job.problem:
            raise job.problem
        small = window.small[photo.path]
        src = f"gradio_api/file={quote(str(small.shown))}"
        yield {self.page.painter: {"src": src, "width": small.small[1], "height": small.small[0]}}
        window.canvas, window.painted = photo, None  # now that it is sent

    async def make(self, request: gr.Request, *values: Any) -> AsyncGenerator[Updates, None]:
        """Make the files that the command line makes."""
        window, page = self.windows.of(str(request.session_hash)), self.page
        made: list[Path] = []
        yield {page.made: said("Waiting."), page.results: ""}
        try:
            screen = Screen.of(values[_FILES:])
            files, _ = await asyncio.to_thread(self._files, window, screen, values)
            job = window.start(screen.task, lambda job: self.studio.full(window, screen, files, made, job), full=True)
        except Exception as error:  # noqa: BLE001  libraries raise anything; the page goes on
            yield {page.made: said(self._plain(problem_of(error)), bad=True)}
            return
        async for text in self._follow(job, "Full size"):
            yield {page.made: text, page.results: ""}
        if window.full is not job:  # it was asked for again
            yield {page.made: gr.skip()}
            return
        if job.problem:
            yield {page.made: said(self._plain(job.problem), bad=True)}
            return
        notes = [self._plain(note) for note in job.notes]
        files_made = f"{len(made)} file{'s' if len(made) > 1 else ''}"
        yield {page.made: said(f"Done: {files_made} to download.", notes=notes), page.results: links_to(job, made)}

    def cancel(self, request: gr.Request) -> str:
        """Cancel what this window waits for."""
        self.windows.of(str(request.session_hash)).cancel()
        return said("Cancelled.")

    def use_mask(self, painting: Any, request: gr.Request) -> int:
        """Take the painting as the mask of the photo that is painted on; return the number of paintings."""
        window = self.windows.of(str(request.session_hash))
        photo = window.canvas and window.small.get(window.canvas.path)
        data = painting.get("painting") if isinstance(painting, dict) else None
        if window.canvas and photo and isinstance(data, str):
            window.masks += 1
            name = f"{Path(window.canvas.shown).stem}_mask.png"
            path = window.folder / f"painted-{window.masks}" / name
            window.painted = Given(path, name) if painted_mask(data, photo, path) else None
        return window.masks

    def save(self, name: str, request: gr.Request, *values: Any) -> Updates:
        """Save the light under a name."""
        page, looks = self.page, self.studio.options.looks_folder
        window = self.windows.of(str(request.session_hash))
        try:
            screen = Screen.of(values[_FILES:])
            files, _ = self._files(window, screen, values)
            path = save_look(screen, files, looks, name or "")
        except Exception as error:  # noqa: BLE001  libraries raise anything; the page goes on
            return {page.saved: said(self._plain(problem_of(error)), bad=True)}
        choices = gr.Dropdown(choices=look_names(looks), value=screen.look or path.stem)
        return {page.saved: said(f"Saved as {path}."), page.screen["look"]: choices, page.look_name: ""}

    def looks(self, chosen: str | None) -> Any:
        """Offer the looks that are saved by now, in other windows too."""
        names = look_names(self.studio.options.looks_folder)
        return gr.Dropdown(choices=names, value=chosen if chosen in names else next(iter(names), None))

    def close(self, request: gr.Request) -> None:
        """Forget a window."""
        self.windows.close(str(request.session_hash))

    async def _follow(self, job: Job, what: str) -> AsyncGenerator[str, None]:
        """Yield how far a job is until it ends."""
        told = ""
        while not job.is_final:
            changed = job.changed  # before the job is looked at: it may change while the text is sent
            waits = job.state == "queued"
            text = progress_bar("Waiting for another job" if waits else f"{what}: {self._plain(job.stage)}", job.share)
            if text != told:
                told = text
                yield text
            await job.wait(_LOOK, changed)

    def _files(self, window: Window, screen: Screen, values: Any) -> tuple[Files, int]:
        """Return the files of a screen, and which photo is shown. Raises errors that name the file."""
        photos, reference, light_map, mask = (sent_files(value, self._uploads) for value in values[1 : _FILES - 1])
        folder, most = window.folder / "files", self.studio.options.max_pixels
        names = ",".join(upload.path.parent.name[:16] for upload in photos)
        set_folder = window.folder / f"set-{window.set_of(names)}"
        given = together([keep(upload, folder, most) for upload in photos], set_folder)

        def one(uploads: list[Upload], wanted: bool) -> Given | None:
            return keep(uploads[0], folder, most) if uploads and wanted else None

        relights, by_mask = screen.task == RELIGHT, screen.changes_light
        found = Files(
            given,
            one(reference, relights and screen.light == LightKind.REFERENCE),
            one(light_map, relights and screen.light == LightKind.MAP),
            window.painted_on(given)
            if by_mask and screen.mask == MaskKind.PAINTED
            else one(mask, by_mask and screen.mask == MaskKind.FILE),
        )
        number = values[_FILES - 1]
        return found, max(0, min(int(number) if isinstance(number, float | int) else 1, len(given)) - 1)

    def _light(self, screen: Screen, files: Files) -> Updates:
        """Draw the light on a ball, if it is one."""
        if screen.task != RELIGHT or screen.light == LightKind.REFERENCE:
            return {self.page.ball: gr.skip()}
        light = light_of_screen(screen, files, self.studio.options.looks_folder)
        drawn = light_on_ball(light)
        name = html.escape(drawn.name)
        figure = f'<figure><img src="{drawn.picture.uri}" alt=""><figcaption>{name}</figcaption></figure>'
        return {self.page.ball: figure}

    def _pictures(self, screen: Screen, shown: Shown) -> Updates:
        if screen.task == TIMELAPSE:
            return {self.page.gallery: [str(path) for path in shown.frames]}
        return {self.page.slider: (str(shown.before), str(shown.after))}

    def _plain(self, text: object) -> str:
        return self._folders.sub("", str(text))

    def _changes(self, window: Window, screen: Screen) -> Updates:
        """Show and hide parts of the page; the others are left alone, with what is being typed into them."""
        before = window.seen or dict(enumerate(self.page.seen(Screen()).values()))
        now = self.page.seen(screen)
        window.seen = dict(enumerate(now.values()))
        parts = ((part, is_seen) for number, (part, is_seen) in enumerate(now.items()) if before[number] != is_seen)
        return {part: gr.update(visible=is_seen or HIDDEN) for part, is_seen in parts}
