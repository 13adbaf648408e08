"""relight-cli doctor: check the machine and the installation."""

import typer

from relight_cli.jobs.applied_defaults import describe_defaults
from relight_cli.jobs.console import printable
from relight_cli.jobs.option_types import Verbose, WeightsDir

PACKAGES = {  # distribution: module to import; empty for slow ones, which are only looked up
    "torch": "torch",
    "numpy": "numpy",
    "opencv-python": "cv2",
    "pillow": "PIL.Image",
    "imagecodecs": "imagecodecs",
    "tifffile": "tifffile",
    "safetensors": "safetensors",
    "huggingface-hub": "huggingface_hub",
    "platformdirs": "platformdirs",
    "tqdm": "tqdm",
    "tomlkit": "tomlkit",
    "astral": "astral",
    "tzfpy": "tzfpy",
    "diffusers": "",
    "transformers": "",
}
EXTRAS = {  # distribution: (module to import, pip extra)
    "av": ("av", "video"),
    "opencolorio": ("PyOpenColorIO", "ocio"),
    "openexr": ("OpenEXR", "exr"),
    "pillow-heif": ("pillow_heif", "heif"),
    "rawpy": ("rawpy", "raw"),
    "ray": ("ray", "ray"),
    "s3fs": ("s3fs", "remote"),
    "gcsfs": ("gcsfs", "remote"),
    "adlfs": ("adlfs", "remote"),
    "scikit-image": ("skimage", "eval"),
    "fastapi": ("fastapi", "serve"),
    "uvicorn": ("uvicorn", "serve"),
    "python-multipart": ("python_multipart", "serve"),
    "prometheus-client": ("prometheus_client", "serve"),
    "gradio": ("gradio", "studio"),
}
SLOW = {"gradio"}  # takes seconds to import: only looked for


def doctor(context: typer.Context, weights_dir: WeightsDir = None, verbose: Verbose = False) -> None:
    """Check the installation: versions, device, dtype, memory, weights and defaults of your own.

    Exits with code 1 if something is broken.
    """
    import platform

    from relight_cli._version import __version__
    from relight_cli.errors import ExitCode

    _print("relight-cli", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    broken = [distribution for distribution, module in PACKAGES.items() if not _check_package(distribution, module)]
    broken += [distribution for distribution in EXTRAS if not _check_extra(distribution, *EXTRAS[distribution])]
    if "torch" not in broken:
        _print_device()
        if "safetensors" not in broken and not _check_tiny():
            broken.append("tiny")
    if "huggingface-hub" not in broken:
        from relight_cli.checkpoints.manifest import fetch_command, load_manifest
        from relight_cli.checkpoints.weights import LookUp, availability

        for file in load_manifest().select("relight"):
            found = availability(file, LookUp(weights_dir, offline=True))
            _print("crocodilight", str(found.path) if found else f"{file.name} not found: run {fetch_command(file)}")
    for name, text in describe_defaults(context):
        _print(name, text)
        broken += [name] if text.startswith("BROKEN") else []
    if broken:
        raise typer.Exit(ExitCode.UNEXPECTED)


def _print(name: str, text: str) -> None:
    typer.echo(f"{name:15} {printable(text)}")


def _check_package(distribution: str, module: str) -> bool:
    """Print the version of a package; return False if it cannot be imported."""
    from importlib import import_module, metadata

    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        version = "unknown version"  # another build of the same module, such as opencv-python-headless
    try:
        _ = import_module(module) if module else metadata.version(distribution)
    except Exception as error:  # noqa: BLE001  a broken wheel may raise anything
        _print(distribution, f"BROKEN ({error}): pip install --force-reinstall {distribution}")
        return False
    _print(distribution, version)
    return True


def _check_extra(distribution: str, module: str, extra: str) -> bool:
    """Print the version of an optional package; return False if it is installed and cannot be imported."""
    from importlib.util import find_spec

    if find_spec(module):
        return _check_package(distribution, "" if distribution in SLOW else module)
    _print(distribution, f"not installed: pip install 'relight-cli[{extra}]'")
    return True


def _print_device() -> None:
    import os

    from relight_cli.devices import choose, memory_bytes

    compute = choose()
    memory = memory_bytes(compute.device)
    size = f"{memory / 2**30:.1f} GiB" if memory else "memory unknown"
    _print("device", f"{compute.device}, {os.cpu_count()} cores, {size}")
    _print("dtype", f"{compute.dtype}, tiny {compute.tiny_dtype}".replace("torch.", ""))


def _check_tiny() -> bool:
    from relight_cli.checkpoints.tiny import load_tiny
    from relight_cli.errors import ModelUnavailableError

    try:
        load_tiny()
    except ModelUnavailableError as error:
        _print("tiny", f"BROKEN: {error}")
        return False
    _print("tiny", "included")
    return True
