"""Run the commands of the program in this process, and have a place to listen."""

import socket
from collections.abc import Iterable, Mapping
from typing import Any

import typer

from relight_cli.errors import OutputUnwritableError


def commands_of(context: typer.Context, names: Iterable[str]) -> dict[str, Any]:
    """Return commands of the program by their names."""
    program: Any = context.find_root().command
    return {name: program.commands[name] for name in names}


def run_in(context: typer.Context, commands: Mapping[str, Any], name: str, arguments: list[str]) -> None:
    """Run a command as the command line does, with the user's defaults of `context`."""
    with commands[name].make_context(name, arguments, parent=context.find_root()) as own:
        commands[name].invoke(own)


def listen(host: str, port: int) -> socket.socket:
    """Return the socket of a server. Raises OutputUnwritableError if the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise OutputUnwritableError(
            f"port {port} of {host}: cannot listen there ({error.strerror or error}); choose another --port."
        ) from error
