"""relight-cli serve: a warm process that answers HTTP requests."""

import typer

from relight_cli.errors import MissingExtraError
from relight_cli.jobs.options import with_options
from relight_cli.serving.options import ServeOptions

EXTRA = "the server needs an extra: pip install 'relight-cli[serve]'"


@with_options(ServeOptions)
def serve(context: typer.Context, options: ServeOptions) -> None:
    """Answer HTTP requests: POST a photo to /v1/relight, deshadow, albedo or refine-depth, and get the picture back.

    One process keeps the networks loaded. It takes the options of the commands, opens no file and no address that a
    client names, and listens on this machine only unless --host and --token-file say otherwise. SIGTERM stops it when
    the photos that clients wait for are made.
    """
    from importlib.util import find_spec

    if not all(map(find_spec, ("fastapi", "uvicorn", "python_multipart", "prometheus_client"))):
        raise MissingExtraError(EXTRA)
    token = options.token()
    from relight_cli.checkpoints.kept_networks import networks_kept, warm_up
    from relight_cli.jobs.console import say
    from relight_cli.jobs.questions import terminal_question
    from relight_cli.serving.running import listen
    from relight_cli.serving.server import serve_on

    with listen(options.host, options.port) as place, networks_kept():
        warm_up(options, ask=terminal_question(), notify=say)
        serve_on(place, context, options, token)
