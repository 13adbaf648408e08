"""What ComfyUI lends to the nodes: its progress bar, the interrupt button, its device and its folder of models."""

import functools
import logging
from collections.abc import Callable
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
import torch

import relight_cli as rl

FOLDER = "relight"  # in ComfyUI's folder of models
PUBLISHED = "CroCoDiLight.pth"
_STEPS = 1000  # of the bar, per image
_TASKS = ("relight", "deshadow", "albedo", "interpolate-timelapse")
_log = logging.getLogger("relight")

folder_paths.add_model_folder_path(FOLDER, str(Path(folder_paths.models_dir) / FOLDER))


class Progress:
    """ComfyUI's progress bar over the images of a batch; each report lets the user interrupt."""

    def __init__(self, images: int) -> None:
        self._bar = comfy.utils.ProgressBar(images * _STEPS)
        self._image = 0
        self.report(0, 1)

    def report(self, done: int, total: int) -> None:
        """Show the share of the present image that is done. Raises ComfyUI's exception of an interruption."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        self._bar.update_absolute(self._image * _STEPS + round(_STEPS * done / max(total, 1)))

    def next_image(self) -> None:
        """Show the present image as done."""
        self.report(1, 1)
        self._image += 1


def model_names() -> list[str]:
    """Return the choices of a node's `model`: those of the package, and the trained files in the folder of models."""
    files = [name for name in folder_paths.get_filename_list(FOLDER) if Path(name).suffix == ".safetensors"]
    return ["auto", "tiny", "crocodilight", *(name for name in files if Path(name).name == name)]


def relighting_model(name: str) -> rl.Model:
    """Return the model of this name, ready on ComfyUI's device; it stays loaded.

    Nothing is downloaded: the published files are looked for in ComfyUI's models/relight and in the cache of Hugging
    Face. Raises UsageError, DeviceError, ModelUnavailableError.
    """
    path = folder_paths.get_full_path(FOLDER, name) if name.endswith(".safetensors") else None
    if name not in model_names():
        raise rl.UsageError(f"there is no model {name!r}: choose one of {', '.join(model_names())}.")
    return _relighting_model(str(path or name), device(), _weights_dir(PUBLISHED), _state())


def depth_model(name: str, fast: bool, refined: bool) -> rl.DepthModel:
    """Return the networks of depth refinement, ready on ComfyUI's device; see `relighting_model`."""
    return _depth_model(name, fast, refined, device(), _weights_dir("stable-diffusion-v1-5"), _state())


@functools.lru_cache(maxsize=1)
def geometry_network(on: str) -> object:
    """Return the network that finds where surfaces face."""
    with torch.inference_mode(False):
        return rl.load_geometry(device=on)


def device() -> str:
    """Return ComfyUI's device, or the CPU where relight-cli knows none of its kind."""
    chosen = comfy.model_management.get_torch_device()
    return str(chosen) if chosen.type in ("cpu", "cuda", "mps") else "cpu"


def log(line: object) -> None:
    """Write a line to ComfyUI's log."""
    _log.info("%s", line)


# ComfyUI runs nodes in inference mode, whose tensors never take part in a gradient again: networks are loaded outside.


@functools.lru_cache(maxsize=2)
def _relighting_model(name: str, on: str, weights_dir: str | None, state: object) -> rl.Model:
    with torch.inference_mode(False):
        return rl.load_model(name, tasks=_TASKS, device=on, weights_dir=weights_dir, download=False, notify=_warn)


@functools.lru_cache(maxsize=1)
def _depth_model(
    name: str, fast: bool, refined: bool, on: str, weights_dir: str | None, state: object
) -> rl.DepthModel:
    with torch.inference_mode(False):
        return rl.load_depth_model(
            name, fast=fast, refined=refined, device=on, weights_dir=weights_dir, download=False, notify=_warn
        )


_warn: Callable[[str], None] = _log.warning


def _folders() -> list[Path]:
    return [Path(folder) for folder in folder_paths.get_folder_paths(FOLDER)]


def _weights_dir(wanted: str) -> str | None:
    """Return the first folder of models that has a file or a folder of this name, else the first there is."""
    there = [folder for folder in _folders() if folder.is_dir()]
    found = next((folder for folder in there if (folder / wanted).exists()), next(iter(there), None))
    return str(found) if found else None


def _state() -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file in the folders of models does, so that it is loaded anew."""
    paths = [path for folder in _folders() if folder.is_dir() for path in sorted(folder.iterdir())]
    return tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
