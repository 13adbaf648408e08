"""relight-cli studio: try a light in the browser."""

import typer

from relight_cli.errors import MissingExtraError
from relight_cli.jobs.options import with_options
from relight_cli.studio.options import StudioOptions

EXTRA = "the studio needs an extra: pip install 'relight-cli[studio]'"


@with_options(StudioOptions)
def studio(context: typer.Context, options: StudioOptions) -> None:
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
    from relight_cli.jobs.questions import terminal_question
    from relight_cli.serving.running import listen
    from relight_cli.studio.options import HOST
    from relight_cli.studio.server import show_on, temporary_root

    with listen(HOST, options.port) as place, temporary_root() as root, networks_kept():
        warm_up(options, ask=terminal_question(), notify=say)
        show_on(place, context, options, root)
