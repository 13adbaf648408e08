"""The options of the studio."""

from dataclasses import dataclass
from pathlib import Path

from relight_cli.serving.options import ServeOptions

HOST = "127.0.0.1"
LONGEST = 90 * 24 * 3600.0  # seconds of work: refine-depth takes days on a CPU, and somebody can cancel
MOST_WAITING = 60  # jobs of all windows


@dataclass(frozen=True)
class StudioOptions(ServeOptions):
    """The options of `relight-cli studio`: a server for the people at this machine."""

    port: int = 8766  # 0: any that is free
    max_upload: int = 2000  # MB of what is dropped on the page at once
    queue: int = MOST_WAITING
    time_limit: float = LONGEST
    keep: float = LONGEST
    looks: Path = Path("looks")  # folder of the saved lights
    browser: bool = True  # open the page

    @property
    def names_host(self) -> bool:
        """Whether the command has --host: the studio is for this machine alone."""
        return False
