"""relight-cli lights: list, show, save and preview lights that belong to no photo."""

from pathlib import Path
from typing import Annotated

import typer

from relight_cli.jobs.console import notifier, printable
from relight_cli.jobs.light_options import LightOptions, light_of
from relight_cli.jobs.option_types import Quiet, Verbose
from relight_cli.jobs.options import with_options

lights_app = typer.Typer(no_args_is_help=True, help="List, show, save and preview lights.")

Name = Annotated[
    str | None,
    typer.Argument(
        metavar="LIGHT",
        help="Preset, file.toml, environment map (.hdr, .exr, 2:1), or a mix of them: golden-hour:0.7,look.toml:0.3.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]


@lights_app.command("list", short_help="List the presets.")
def list_lights(verbose: Verbose = False) -> None:
    """List the presets, one a line: name, two or more spaces, what it is. A terminal cuts lines at its width."""
    import shutil
    import sys

    from relight_cli.jobs.light_files import load_light, preset_names

    names = preset_names()
    widest = max(map(len, names))
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for name in names:
        line = f"{name:{widest}}  {load_light(name).origin}"
        typer.echo(line if columns is None or len(line) <= columns else f"{line[: columns - 3]}...")


@lights_app.command(short_help="Print the facts of a light.")
@with_options(LightOptions)
def show(options: LightOptions, light: Name = None, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Print the facts of a light: its suns, its ambient light, where it comes from."""
    from relight_cli.jobs.streams import write_stdout
    from relight_cli.relighting.lights.facts import facts

    lines = [f"{name:8}  {printable(text)}" for name, text in facts(light_of(light, options, notifier(quiet)))]
    write_stdout("".join(f"{line}\n" for line in lines).encode())


@lights_app.command(short_help="Write a light as TOML.")
@with_options(LightOptions)
def save(
    options: LightOptions,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE.toml|-", help="File to write, or - for stdout.")
    ],
    light: Name = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a light as TOML that can be edited, and given as LIGHT again."""
    from relight_cli.errors import UsageError
    from relight_cli.jobs.light_files import SUFFIX, save_light
    from relight_cli.jobs.streams import write_stdout
    from relight_cli.relighting.lights.look import to_toml

    if output != "-" and Path(output).suffix.lower() != SUFFIX:
        raise UsageError(f"--output {output}: a light is written as TOML; end the name in {SUFFIX}, or give -.")
    chosen = light_of(light, options, notifier(quiet))
    if output == "-":
        write_stdout(to_toml(chosen).encode())
    else:
        save_light(chosen, output, overwrite=overwrite)


@lights_app.command(short_help="Draw a ball on a floor under a light.")
@with_options(LightOptions)
def preview(
    options: LightOptions,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE|-", help="Picture to write, or - for a PNG on stdout."),
    ],
    light: Name = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw a grey ball on a floor under a light, with the shadows of its suns.

    The camera looks level at the ball, as in a photo on which the light is put.
    """
    from relight_cli.jobs.light_preview import write_preview

    write_preview(light_of(light, options, notifier(quiet)), output, overwrite=overwrite)
