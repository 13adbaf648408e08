"""Show the page: on this machine alone, with nothing from elsewhere, and without a trace when it ends."""

import contextlib
import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from relight_cli.errors import OutputUnwritableError
from relight_cli.interruption import INTERRUPTIONS, watch_writing
from relight_cli.jobs.console import say
from relight_cli.jobs.memory import keep_loaded
from relight_cli.studio.options import HOST, StudioOptions
from relight_cli.studio.screen import TASKS

if TYPE_CHECKING:
    from fastapi import FastAPI

    from relight_cli.serving.worker import Run, Worker

_PATIENCE = 5  # seconds in which a cancelled job may stop by itself
# Before Gradio and the Hub's library are imported: nothing is counted, nothing is asked from elsewhere.
_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@contextlib.contextmanager
def temporary_root() -> Iterator[Path]:
    """Yield the folder of all that is uploaded and made; it is removed however the process is ended, but for a kill.

    Raises OutputUnwritableError if there is no place for it.
    """
    try:
        root = Path(tempfile.mkdtemp(prefix="relight-studio-"))
    except OSError as error:
        raise OutputUnwritableError(
            f"there is no folder for temporary files ({error.strerror or error}): name one in TMPDIR."
        ) from error
    watch_writing(lambda: False, lambda: shutil.rmtree(root, ignore_errors=True))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def show_on(place: socket.socket, context: typer.Context, options: StudioOptions, root: Path) -> None:
    """Show the page until a signal comes."""
    os.environ.update(_QUIET | {"GRADIO_TEMP_DIR": str(root / "gradio")})
    import uvicorn

    from relight_cli.serving.running import commands_of, run_in
    from relight_cli.serving.worker import Worker

    commands = commands_of(context, TASKS)

    def run(name: str, arguments: list[str]) -> None:
        """Run a command as the command line does."""
        run_in(context, commands, name, arguments)

    class Server(uvicorn.Server):
        """A server whose jobs stop with it."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """Cancel the jobs and stop; a second Ctrl-C stops at once."""
            worker.drain()
            logging.getLogger("uvicorn.error").disabled = True  # of streams to the page that are cut now
            super().handle_exit(sig, frame)

    worker, port = Worker(run, options, root=root), place.getsockname()[1]
    app = _make_app(run, worker, options, root, port)
    config = uvicorn.Config(
        app, access_log=False, log_config=None, server_header=False, timeout_graceful_shutdown=1, lifespan="on"
    )
    keep_loaded()
    url = f"http://{HOST}:{port}/"
    say(f"the studio is at {url}; Ctrl-C ends it.")
    if options.browser:
        threading.Thread(target=_open, args=(url,), daemon=True).start()
    with contextlib.suppress(*INTERRUPTIONS):  # uvicorn raises the signal again when all is done
        Server(config).run(sockets=[place])
    worker.drain()
    worker.close(_PATIENCE)


def _make_app(run: "Run", worker: "Worker", options: StudioOptions, root: Path, port: int) -> "FastAPI":
    """Return the application: the page, its events and its downloads, behind the guard of its requests."""
    import gradio as gr
    from fastapi import FastAPI

    from relight_cli.serving.errors import ProblemError
    from relight_cli.serving.limits import answer_problem
    from relight_cli.studio.downloads import add_downloads
    from relight_cli.studio.events import Events
    from relight_cli.studio.guard import PageGuard, WithPolicy
    from relight_cli.studio.page import HERE, make_page
    from relight_cli.studio.windows import Windows
    from relight_cli.studio.work import Studio

    page = make_page(options)
    with page.blocks:
        Events(page, Studio(run, options), Windows(root, worker), root).connect()
    page.blocks.queue(default_concurrency_limit=None, api_open=False)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(ProblemError, answer_problem)
    add_downloads(app, worker)
    app.add_middleware(
        PageGuard, token=None, is_local=True, max_upload=options.max_upload, answered=lambda status: None
    )
    app.add_middleware(WithPolicy)
    font, mono = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
    gr.mount_gradio_app(
        app,
        page.blocks,
        path="/",
        server_name=HOST,
        server_port=port,
        footer_links=[],
        run_history=False,
        allowed_paths=[str(root)],
        show_error=False,
        max_file_size=options.max_upload * 1_000_000,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        theme=gr.themes.Default(font=font, font_mono=mono),
        css_paths=[HERE / "studio.css"],
    )
    return app


def _open(url: str) -> None:
    """Open the page in the user's browser, if there is a screen: browsers of terminals would take this one."""
    has_screen = sys.platform in ("win32", "darwin") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if has_screen:
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(url)
