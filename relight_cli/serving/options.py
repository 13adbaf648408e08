"""The options of the server."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import typer

from relight_cli.errors import UsageError
from relight_cli.jobs.option_types import (
    Device,
    Dtype,
    MaxPixels,
    Network,
    Offline,
    Precision,
    Verbose,
    WeightsDir,
    Yes,
)

SHORTEST_TOKEN = 16  # characters


class JobLimits(Protocol):
    """What limits the jobs of a worker."""

    @property
    def queue(self) -> int: ...
    @property
    def time_limit(self) -> float: ...
    @property
    def keep(self) -> float: ...


@dataclass(frozen=True)
class ServeOptions:
    """The options of `relight-cli serve`."""

    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any that is free.")] = 8765
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File whose first line clients must send as a bearer token; needed beyond this machine.",
        ),
    ] = None
    max_upload: Annotated[int, typer.Option(min=1, metavar="MB", help="Refuse larger requests.")] = 200
    max_pixels: MaxPixels = 100_000_000
    queue: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="Photos that may wait; more are answered with 429.")
    ] = 8
    time_limit: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Longest work on a photo.")] = 300.0
    keep: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Time to fetch the result of a job.")] = 600.0
    model: Network = "auto"
    weights_dir: WeightsDir = None
    offline: Offline = False
    yes: Yes = False
    device: Device = "auto"
    dtype: Precision = Dtype.AUTO
    verbose: Verbose = False

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def token(self) -> str | None:
        """Return the token that clients must send. Raises UsageError if there is none, or none that is good enough."""
        if self.token_file is None:
            if not self.is_local:
                raise UsageError(f"--host {self.host} can be reached from other machines: give --token-file, too.")
            return None
        try:
            with self.token_file.open(encoding="ascii") as file:
                token = file.readline(4096).strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text in ASCII"
            raise UsageError(f"--token-file {self.token_file} cannot be read ({reason}): name another file.") from error
        if len(token) < SHORTEST_TOKEN or not token.isprintable() or " " in token:
            raise UsageError(
                f"--token-file {self.token_file}: its first line must be a token of {SHORTEST_TOKEN} characters or "
                "more, without blanks: make one with 'openssl rand -hex 32'."
            )
        return token
