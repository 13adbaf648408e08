"""Where a command's options say that weights may come from."""

from pathlib import Path
from typing import Any, Protocol

from relight_cli.jobs.progress import ProgressMode
from relight_cli.jobs.questions import terminal_question


class WeightsOptions(Protocol):
    """The options that say it, of any command."""

    @property
    def weights_dir(self) -> Path | None: ...
    @property
    def offline(self) -> bool: ...
    @property
    def yes(self) -> bool: ...
    @property
    def progress(self) -> ProgressMode: ...
    @property
    def quiet(self) -> bool: ...


def look_up_arguments(options: WeightsOptions, *, download: bool = True) -> dict[str, Any]:
    """Return the fields of `checkpoints.weights.LookUp`, which loaders of networks take too."""
    return {
        "weights_dir": options.weights_dir,
        "offline": options.offline,
        "progress": not options.quiet and options.progress != ProgressMode.JSON,
        "accept_licence": options.yes,
        "ask": terminal_question(),
        "download": download,
    }
