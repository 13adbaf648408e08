"""What happens when something on the page is changed or pressed."""

import asyncio
import contextlib
import html
import re
from collections.abc import AsyncGenerator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from relight_cli.pages.light_ball import light_on_ball
from relight_cli.serving.errors import problem_of
from relight_cli.serving.jobs import Job
from relight_cli.studio.downloads import links_to
from relight_cli.studio.looks import light_of_screen, look_names, save_look
from relight_cli.studio.page import Page
from relight_cli.studio.previews import painted_mask
from relight_cli.studio.screen import (
    DEPTH,
    RELIGHT,
    TIMELAPSE,
    Change,
    Files,
    Given,
    LightKind,
    MaskKind,
    Screen,
    command_line,
)
from relight_cli.studio.uploads import Upload, keep, together
from relight_cli.studio.windows import Window, Windows
from relight_cli.studio.work import Shown, Studio

_CALM = 0.25  # seconds without a change after which a preview is begun
_LOOK = 0.5  # seconds between looks at a job
_FILES = 6  # inputs before the values of Screen
# Requests may overtake each other: the browser numbers them, and only the newest one counts.
_COUNTED = "(...values) => { values[0] = window.studioScreen = (window.studioScreen ?? 0) + 1; return values; }"
Updates = dict[Any, Any]


class Events:
    """The handlers of a page."""

    def __init__(self, page: Page, studio: Studio, windows: Windows, root: Path) -> None:
        self.page, self.studio, self.windows = page, studio, windows
        self._folders = re.compile(rf"{re.escape(str(root))}[/\\](?:[\w-]+[/\\])*")

    def connect(self) -> None:
        """Let the page's components call the handlers."""
        page = self.page
        shown = [page.command, page.status, page.index, page.ball, page.painter, page.make]
        shown += self._seen(Screen())
        changed = [one.change for one in page.inputs[1:]]
        hidden: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": None}
        plain: dict[str, Any] = {"inputs": page.inputs, "outputs": shown, "js": _COUNTED, **hidden}
        gr.on([page.blocks.load, *changed], self.refresh, trigger_mode="multiple", **plain)
        result = [page.status, page.results]
        page.make.click(self.make, page.inputs, result, trigger_mode="multiple", **hidden)
        page.cancel.click(self.cancel, None, page.status, **hidden)
        painted = page.painter.release(self.use_mask, [page.painter, *page.inputs], page.status, **hidden)
        painted.success(self.refresh, **plain)
        page.save_look.click(
            self.save, [page.look_name, *page.inputs], [page.status, page.screen["look"], page.look_name], **hidden
        )
        azimuth, elevation = page.screen["azimuth"], page.screen["elevation"]
        page.dial.release(None, page.dial, [azimuth, elevation], js="(sun) => [sun.azimuth, sun.elevation]")
        follow = "(azimuth, elevation) => ({ azimuth, elevation })"
        gr.on([azimuth.change, elevation.change], None, [azimuth, elevation], page.dial, js=follow)
        page.blocks.unload(self.close)

    async def refresh(self, request: gr.Request, *values: Any) -> AsyncGenerator[Updates, None]:
        """Show the command line, the light and a preview of what is on the screen."""
        window = self.windows.of(str(request.session_hash))
        version = int(values[0])
        if not window.is_new(version):
            yield {self.page.status: gr.skip()}
            return
        screen = _screen(values)
        # Sent whatever comes after it: later changes build on it.
        yield {**self._changes(window, screen), self.page.status: _said("")}
        async with contextlib.aclosing(self._show(window, version, screen, values)) as updates:
            async for update in updates:
                if version != window.version:
                    yield {self.page.status: gr.skip()}
                    return
                yield update

    async def _show(self, window: Window, version: int, screen: Screen, values: Any) -> AsyncGenerator[Updates, None]:
        """Yield all that a new screen changes on the page."""
        page = self.page
        try:
            files, index = await asyncio.to_thread(self._files, window, screen, values)
            names = [photo.shown for photo in files.photos] if len(files.photos) > 1 else []
            if names != window.names:
                chosen = names[index] if names else None
                yield {page.index: gr.Dropdown(choices=names, value=chosen, visible=bool(names))}
                window.names = names  # not before: a change that comes meanwhile stops this one
            yield await asyncio.to_thread(self._light, screen, files)
            if screen.mask == MaskKind.PAINTED and screen.changes_light and files.photos:
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
            status = _said(problem, bad=not is_empty)
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
            yield {page.status: _said(self._plain(job.problem), bad=True)}
            return
        notes = [self._plain(note) for note in [*shown.notes, *job.notes]]
        yield {page.status: _said("Preview.", notes=notes), **self._pictures(screen, shown)}

    async def _show_canvas(self, window: Window, screen: Screen, photo: Given) -> AsyncGenerator[Updates, None]:
        """Show a photo to be painted on."""
        if window.canvas == photo:
            return
        shown = Shown()
        job = window.start(screen.task, lambda job: self.studio.canvas(window, photo, shown, job), full=False)
        async for text in self._follow(job, "Preview"):
            yield {self.page.status: text}
        if job.problem:
            raise job.problem
        window.canvas, small = photo, window.small[photo.path]
        src = f"gradio_api/file={quote(str(small.shown))}"
        yield {self.page.painter: {"src": src, "width": small.small[1], "height": small.small[0]}}

    async def make(self, request: gr.Request, *values: Any) -> AsyncGenerator[Updates, None]:
        """Make the files that the command line makes."""
        window, screen, page = self.windows.of(str(request.session_hash)), _screen(values), self.page
        made: list[Path] = []
        yield {page.status: _said("Waiting."), page.results: ""}
        try:
            files, _ = await asyncio.to_thread(self._files, window, screen, values)
            job = window.start(screen.task, lambda job: self.studio.full(window, screen, files, made, job), full=True)
        except Exception as error:  # noqa: BLE001  libraries raise anything; the page goes on
            yield {page.status: _said(self._plain(problem_of(error)), bad=True)}
            return
        async for text in self._follow(job, "Full size"):
            yield {page.status: text}
        if window.full is not job:  # it was asked for again
            yield {page.status: gr.skip()}
            return
        if job.problem:
            yield {page.status: _said(self._plain(job.problem), bad=True)}
            return
        notes = [self._plain(note) for note in job.notes]
        files_made = f"{len(made)} file{'s' if len(made) > 1 else ''}"
        yield {page.status: _said(f"Done: {files_made} to download.", notes=notes), page.results: links_to(job, made)}

    def cancel(self, request: gr.Request) -> str:
        """Cancel what this window waits for."""
        self.windows.of(str(request.session_hash)).cancel()
        return _said("Cancelled.")

    def use_mask(self, painting: Any, request: gr.Request, *values: Any) -> str:
        """Take the painting as the mask of the photo that is painted on."""
        window = self.windows.of(str(request.session_hash))
        photo = window.canvas and window.small.get(window.canvas.path)
        data = painting.get("painting") if isinstance(painting, dict) else None
        if not (window.canvas and photo and isinstance(data, str)):
            return _said("")
        window.masks += 1
        name = f"{Path(window.canvas.shown).stem}_mask.png"
        path = window.folder / f"painted-{window.masks}" / name
        window.painted = Given(path, name) if painted_mask(data, photo, path) else None
        return _said("")

    def save(self, name: str, request: gr.Request, *values: Any) -> Updates:
        """Save the light under a name."""
        page, looks = self.page, self.studio.options.looks_folder
        window, screen = self.windows.of(str(request.session_hash)), _screen(values)
        try:
            files, _ = self._files(window, screen, values)
            path = save_look(screen, files, looks, name or "")
        except Exception as error:  # noqa: BLE001  libraries raise anything; the page goes on
            return {page.status: _said(self._plain(problem_of(error)), bad=True)}
        choices = gr.Dropdown(choices=look_names(looks), value=screen.look or path.stem)
        return {page.status: _said(f"Saved as {path}."), page.screen["look"]: choices, page.look_name: ""}

    def close(self, request: gr.Request) -> None:
        """Forget a window."""
        self.windows.close(str(request.session_hash))

    async def _follow(self, job: Job, what: str) -> AsyncGenerator[str, None]:
        """Yield how far a job is until it ends."""
        told = ""
        while not job.is_final:
            waits = job.state == "queued"
            text = _progress("Waiting for another job" if waits else f"{what}: {self._plain(job.stage)}", job.share)
            if text != told:
                told = text
                yield text
            await job.wait(_LOOK)

    def _files(self, window: Window, screen: Screen, values: Any) -> tuple[Files, int]:
        """Return the files of a screen, and which photo is shown. Raises errors that name the file."""
        photos, reference, light_map, mask, index = values[1:_FILES]
        folder, most = window.folder / "files", self.studio.options.max_pixels
        names = ",".join(upload.path.parent.name[:16] for upload in photos or [])
        set_folder = window.folder / f"set-{window.set_of(names)}"
        given = together([keep(upload, folder, most) for upload in photos or []], set_folder)

        def one(upload: Upload | None, wanted: bool) -> Given | None:
            return keep(upload, folder, most) if upload and wanted else None

        relights, by_mask = screen.task == RELIGHT, screen.changes_light
        found = Files(
            given,
            one(reference, relights and screen.light == LightKind.REFERENCE),
            one(light_map, relights and screen.light == LightKind.MAP),
            window.painted_on(given)
            if by_mask and screen.mask == MaskKind.PAINTED
            else one(mask, by_mask and screen.mask == MaskKind.FILE),
        )
        return found, index if isinstance(index, int) and 0 <= index < len(given) else 0

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
        before = window.seen or dict(enumerate(self._seen(Screen()).values()))
        now = self._seen(screen)
        window.seen = dict(enumerate(now.values()))
        parts = ((part, is_seen) for number, (part, is_seen) in enumerate(now.items()) if before[number] != is_seen)
        return {part: gr.update(visible=is_seen) for part, is_seen in parts}

    def _seen(self, now: Screen) -> dict[Any, bool]:
        """Return which parts of the page are seen with a screen; as `make_page` makes it with a new one."""
        page = self.page
        relights, by_mask, light = now.task == RELIGHT, now.changes_light, now.light
        refined, between = now.steps > 0, now.change == Change.BETWEEN
        return {
            page.boxes[RELIGHT]: relights,
            page.screen["preset"]: light == LightKind.PRESET,
            page.boxes[LightKind.SUN]: light == LightKind.SUN,
            page.boxes["reference"]: light == LightKind.REFERENCE,
            page.boxes["map"]: light == LightKind.MAP,
            page.screen["look"]: light == LightKind.LOOK,
            page.boxes["turn"]: light != LightKind.REFERENCE,
            page.screen["rotate"]: light != LightKind.SUN,
            page.boxes["ball"]: light != LightKind.REFERENCE,
            page.boxes["change"]: by_mask,
            page.boxes["mask"]: now.mask == MaskKind.FILE,
            page.boxes[MaskKind.PAINTED]: now.mask == MaskKind.PAINTED,
            page.screen["invert"]: now.mask != MaskKind.NONE,
            page.boxes[DEPTH]: now.task == DEPTH,
            page.screen["ensemble"]: refined,
            page.screen["fast"]: refined,
            page.boxes[TIMELAPSE]: now.task == TIMELAPSE,
            page.screen["between"]: between,
            page.screen["mode"]: between,
            page.screen["window"]: not between,
            page.gallery: now.task == TIMELAPSE,
            page.slider: now.task != TIMELAPSE,
        }


def _screen(values: Any) -> Screen:
    chosen = Screen(**{one.name: value for one, value in zip(fields(Screen), values[_FILES:], strict=True)})
    return replace(chosen, maps=tuple(chosen.maps or ()))


def _said(text: str, *, bad: bool = False, notes: list[str] | None = None) -> str:
    """Return a message as HTML in which all text is text."""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes or [])
    word = f'<span class="{"bad" if bad else ""}">{html.escape(text)}</span>'
    return f'<div role="status" aria-live="polite">{word}{f"<ul>{items}</ul>" if items else ""}</div>'


def _progress(text: str, share: float) -> str:
    bar = f'<progress max="1" value="{share:.3f}" aria-label="Progress"></progress>'
    return f'<div role="status" aria-live="off">{html.escape(text)}{bar}</div>'
