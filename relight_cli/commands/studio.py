"""relight-cli studio: try a light in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from relight_cli.errors import MissingExtraError
from relight_cli.jobs.option_types import Device, Dtype, Network, Offline, Verbose, WeightsDir, Yes

EXTRA = "the studio needs an extra: pip install 'relight-cli[studio]'"


def studio(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0: any that is free.")] = 8766,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    looks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Folder of the saved looks.",
            show_default="looks, next to relight.toml in your configuration folder",
        ),
    ] = None,
    max_upload: Annotated[int, typer.Option(min=1, metavar="MB", help="Refuse more than this at once.")] = 2000,
    max_pixels: Annotated[int, typer.Option(min=1, metavar="N", help="Refuse pictures with more than N pixels.")] = (
        100_000_000
    ),
    model: Network = "auto",
    weights_dir: WeightsDir = None,
    offline: Offline = False,
    yes: Yes = False,
    device: Device = "auto",
    dtype: Annotated[
        Dtype, typer.Option(case_sensitive=False, help="Precision of the networks, as in the commands.")
    ] = Dtype.AUTO,
    verbose: Verbose = False,
) -> None:
    """Open a page in the browser to try a light on photos, see it, and make them at full size.

    The page shows a preview, the files to download, which are those of the command line byte by byte, and the command
    line itself. It is at 127.0.0.1 and works offline; nothing leaves this machine. What is dropped on it is deleted
    when the studio ends.
    """
    from importlib.util import find_spec

    if not find_spec("gradio"):
        raise MissingExtraError(EXTRA)
    from relight_cli.checkpoints.kept_networks import networks_kept, warm_up
    from relight_cli.jobs.console import say
    from relight_cli.jobs.defaults import user_file
    from relight_cli.jobs.questions import terminal_question
    from relight_cli.serving.running import listen
    from relight_cli.studio.options import StudioOptions
    from relight_cli.studio.server import show_on, temporary_root

    options = StudioOptions(
        port=port,
        browser=browser,
        looks=looks or user_file().parent / "looks",
        max_upload=max_upload,
        max_pixels=max_pixels,
        model=model,
        weights_dir=weights_dir,
        offline=offline,
        device=device,
        dtype=dtype.value,
    )
    with listen(options) as place, temporary_root() as root, networks_kept():
        warm_up(options, accept_licence=yes, ask=terminal_question(), notify=say)
        show_on(place, context, options, root)
