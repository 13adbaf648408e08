"""The options of the server."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from relight_cli.errors import UsageError

SHORTEST_TOKEN = 16  # characters


@dataclass(frozen=True)
class ServeOptions:
    """The options of `relight-cli serve`."""

    host: str = "127.0.0.1"
    port: int = 8765  # 0: any that is free
    token_file: Path | None = None  # its first line is what clients must send
    max_upload: int = 200  # MB of a request
    max_pixels: int = 100_000_000  # of a picture
    queue: int = 8  # requests that wait, besides the one at work
    time_limit: float = 300.0  # seconds of work on a photo
    keep: float = 600.0  # seconds for which the result of a job is kept
    model: str = "auto"
    weights_dir: Path | None = None
    offline: bool = False
    device: str = "auto"
    dtype: str = "auto"

    @property
    def names_host(self) -> bool:
        """Whether the command has --host."""
        return True

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
