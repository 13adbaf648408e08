"""The options of the studio."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from relight_cli.jobs.defaults import user_file
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

HOST = "127.0.0.1"


@dataclass(frozen=True)
class StudioOptions:
    """The options of `relight-cli studio`."""

    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0: any that is free.")] = 8766
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True
    looks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Folder of the saved looks.",
            show_default="looks, next to relight.toml in your configuration folder",
        ),
    ] = None
    max_upload: Annotated[int, typer.Option(min=1, metavar="MB", help="Refuse more than this at once.")] = 2000
    max_pixels: MaxPixels = 100_000_000
    model: Network = "auto"
    weights_dir: WeightsDir = None
    offline: Offline = False
    yes: Yes = False
    device: Device = "auto"
    dtype: Precision = Dtype.AUTO
    verbose: Verbose = False

    queue: ClassVar[int] = 60  # jobs of all windows
    time_limit: ClassVar[float] = 90 * 24 * 3600.0  # seconds: refine-depth takes days on a CPU, and can be cancelled
    keep: ClassVar[float] = time_limit  # a result is kept until the window is closed, or makes another one

    @property
    def looks_folder(self) -> Path:
        """The folder of the saved looks; it need not exist."""
        return self.looks or user_file().parent / "looks"
