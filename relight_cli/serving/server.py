"""Listen, answer, and stop in order: on SIGTERM what clients wait for is made, and nothing else is taken."""

import contextlib
import socket
from types import FrameType

import typer
import uvicorn
from fastapi import FastAPI

from relight_cli.interruption import INTERRUPTIONS
from relight_cli.jobs.console import say
from relight_cli.jobs.memory import keep_loaded
from relight_cli.serving.app import make_app
from relight_cli.serving.options import ServeOptions
from relight_cli.serving.running import commands_of, run_in
from relight_cli.serving.tasks import TASKS

CONNECTIONS = 512  # at a time; more are answered with 503


class Server(uvicorn.Server):
    """A server that tells its jobs when it is to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop when the answers that are begun are sent; a second Ctrl-C stops at once."""
        assert isinstance(self.config.app, FastAPI)
        self.config.app.state.service.worker.drain()
        super().handle_exit(sig, frame)


def serve_on(place: socket.socket, context: typer.Context, options: ServeOptions, token: str | None) -> None:
    """Answer requests until a signal comes."""
    commands = commands_of(context, TASKS)
    app = make_app(commands, lambda name, arguments: run_in(context, commands, name, arguments), options, token)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=30,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=int(options.time_limit * (options.queue + 1)) + 10,
        h11_max_incomplete_event_size=1 << 16,
    )
    keep_loaded()
    host, port = place.getsockname()[:2]
    try:
        say(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}; Ctrl-C stops it.")
    except BaseException:  # nobody reads what is said
        app.state.service.worker.close()
        raise
    with contextlib.suppress(*INTERRUPTIONS):  # uvicorn raises the signal again when all is done
        Server(config).run(sockets=[place])
