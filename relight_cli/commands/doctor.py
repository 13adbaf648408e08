"""relight-cli doctor: what this machine and this installation offer."""

import typer


def doctor() -> None:
    """Tell device, dtype, memory, versions, checkpoints and broken installs; exit 1 if something is broken."""
    import os
    import platform
    from importlib import import_module, metadata

    from relight_cli import __version__
    from relight_cli.errors import ExitCode, RelightError
    from relight_cli.manifest import load_manifest
    from relight_cli.weights import LookUp, availability

    broken = False
    typer.echo(f"relight-cli   {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for distribution, module in PACKAGES.items():
        try:
            import_module(module)
        except Exception as error:  # noqa: BLE001  a broken wheel raises whatever it likes
            broken = True
            typer.echo(f"{distribution:13} BROKEN ({error}): pip install --force-reinstall {distribution}")
        else:
            typer.echo(f"{distribution:13} {metadata.version(distribution)}")
    if not broken:
        from relight_cli.checkpoints import load_tiny
        from relight_cli.devices import choose, memory_bytes

        compute = choose()
        typer.echo(
            f"device        {compute.device}, {os.cpu_count()} cores, {memory_bytes(compute.device) / 2**30:.1f} GiB"
        )
        typer.echo(f"dtype         {str(compute.dtype).removeprefix('torch.')}")
        try:
            load_tiny()
        except RelightError as error:
            broken = True
            typer.echo(f"tiny          BROKEN: {error}")
        else:
            typer.echo("tiny          in the package")
    for file in load_manifest().files:
        if "relight" in file.used_by:
            found = availability(file, LookUp(offline=True))
            typer.echo(
                f"crocodilight  {found.path if found else 'not on this machine (relight-cli weights fetch relight)'}"
            )
    if broken:
        raise typer.Exit(ExitCode.UNEXPECTED)


PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "opencv-python": "cv2",
    "pillow": "PIL.Image",
    "imagecodecs": "imagecodecs",
    "tifffile": "tifffile",
    "safetensors": "safetensors",
    "huggingface-hub": "huggingface_hub",
    "tqdm": "tqdm",
}
