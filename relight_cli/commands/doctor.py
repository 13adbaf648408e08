"""relight-cli doctor: what this machine and this installation offer."""

import typer

from relight_cli.jobs.console import printable
from relight_cli.jobs.options import WeightsDir

PACKAGES = {  # distribution and what is imported of it; diffusers and transformers are slow, and only looked up
    "torch": "torch",
    "numpy": "numpy",
    "opencv-python": "cv2",
    "pillow": "PIL.Image",
    "imagecodecs": "imagecodecs",
    "tifffile": "tifffile",
    "safetensors": "safetensors",
    "huggingface-hub": "huggingface_hub",
    "tqdm": "tqdm",
    "diffusers": "",
    "transformers": "",
}
EXTRAS = {  # distribution, what is imported, the extra's name
    "av": ("av", "video"),
    "openexr": ("OpenEXR", "exr"),
    "pillow-heif": ("pillow_heif", "heif"),
    "rawpy": ("rawpy", "raw"),
}


def doctor(weights_dir: WeightsDir = None) -> None:
    """Tell device, dtype, memory, versions, checkpoints and broken installs; exit 1 if something is broken."""
    import platform

    from relight_cli._version import __version__
    from relight_cli.errors import ExitCode

    _tell("relight-cli", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    broken = [distribution for distribution, module in PACKAGES.items() if not _tell_package(distribution, module)]
    broken += [distribution for distribution in EXTRAS if not _tell_extra(distribution, *EXTRAS[distribution])]
    if "torch" not in broken:
        _tell_device()
        if "safetensors" not in broken and not _tell_tiny():
            broken.append("tiny")
    if "huggingface-hub" not in broken:
        from relight_cli.checkpoints.manifest import load_manifest
        from relight_cli.checkpoints.weights import LookUp, availability

        for file in load_manifest().select("relight"):
            found = availability(file, LookUp(weights_dir, offline=True))
            _tell("crocodilight", str(found.path) if found else "not here: relight-cli weights fetch relight")
    if broken:
        raise typer.Exit(ExitCode.UNEXPECTED)


def _tell(name: str, what: str) -> None:
    typer.echo(f"{name:15} {printable(what)}")


def _tell_package(distribution: str, module: str) -> bool:
    """Tell a package's version; False if it cannot be imported."""
    from importlib import import_module, metadata

    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        version = "of unknown version"  # another build of the same module, such as opencv-python-headless
    try:
        _ = import_module(module) if module else metadata.version(distribution)
    except Exception as error:  # noqa: BLE001  a broken wheel raises whatever it likes
        _tell(distribution, f"BROKEN ({error}): pip install --force-reinstall {distribution}")
        return False
    _tell(distribution, version)
    return True


def _tell_extra(distribution: str, module: str, extra: str) -> bool:
    """Tell a package that few need; False if it is there and cannot be imported."""
    from importlib.util import find_spec

    if find_spec(module):
        return _tell_package(distribution, module)
    _tell(distribution, f"not here: pip install 'relight-cli[{extra}]'")
    return True


def _tell_device() -> None:
    import os

    from relight_cli.devices import choose, memory_bytes

    compute = choose()
    memory = memory_bytes(compute.device)
    size = f"{memory / 2**30:.1f} GiB" if memory else "memory unknown"
    _tell("device", f"{compute.device}, {os.cpu_count()} cores, {size}")
    _tell("dtype", f"{compute.dtype}, tiny {compute.tiny_dtype}".replace("torch.", ""))


def _tell_tiny() -> bool:
    from relight_cli.checkpoints.tiny import load_tiny
    from relight_cli.errors import ModelUnavailableError

    try:
        load_tiny()
    except ModelUnavailableError as error:
        _tell("tiny", f"BROKEN: {error}")
        return False
    _tell("tiny", "in the package")
    return True
