"""relight-cli serve: a warm process that answers HTTP requests."""

from pathlib import Path
from typing import Annotated

import typer

from relight_cli.errors import MissingExtraError
from relight_cli.jobs.option_types import Device, Dtype, Network, Offline, Verbose, WeightsDir, Yes

EXTRA = "the server needs an extra: pip install 'relight-cli[serve]'"


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any that is free.")] = 8765,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File whose first line clients must send as a bearer token; needed beyond this machine.",
        ),
    ] = None,
    max_upload: Annotated[int, typer.Option(min=1, metavar="MB", help="Refuse larger requests.")] = 200,
    max_pixels: Annotated[int, typer.Option(min=1, metavar="N", help="Refuse pictures with more than N pixels.")] = (
        100_000_000
    ),
    queue: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="Photos that may wait; more are answered with 429.")
    ] = 8,
    time_limit: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Longest work on a photo.")] = 300.0,
    keep: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Time to fetch the result of a job.")] = 600.0,
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
    """Answer HTTP requests: POST a photo to /v1/relight, deshadow, albedo or refine-depth, and get the picture back.

    One process keeps the networks loaded. It takes the options of the commands, opens no file and no address that a
    client names, and listens on this machine only unless --host and --token-file say otherwise. SIGTERM stops it when
    the photos that clients wait for are made.
    """
    from importlib.util import find_spec

    from relight_cli.serving.options import ServeOptions

    if not all(map(find_spec, ("fastapi", "uvicorn", "python_multipart", "prometheus_client"))):
        raise MissingExtraError(EXTRA)
    options = ServeOptions(
        host=host,
        port=port,
        token_file=token_file,
        max_upload=max_upload,
        max_pixels=max_pixels,
        queue=queue,
        time_limit=time_limit,
        keep=keep,
        model=model,
        weights_dir=weights_dir,
        offline=offline,
        device=device,
        dtype=dtype.value,
    )
    token = options.token()
    from relight_cli.checkpoints.kept_networks import networks_kept, warm_up
    from relight_cli.jobs.console import say
    from relight_cli.jobs.questions import terminal_question
    from relight_cli.serving.running import listen
    from relight_cli.serving.server import serve_on

    with listen(options) as place, networks_kept():
        warm_up(options, accept_licence=yes, ask=terminal_question(), notify=say)
        serve_on(place, context, options, token)
