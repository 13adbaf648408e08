"""Load a relighting network by its model's name, or from a file of one's own training."""

import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from relight_cli.checkpoints.albedo import load_albedo
from relight_cli.checkpoints.consent import Ask
from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.kept_networks import loaded_once
from relight_cli.checkpoints.manifest import WeightsFile, load_manifest
from relight_cli.checkpoints.tiny import load_tiny, tiny_sha256
from relight_cli.checkpoints.trained import PARTS, describe, is_file_name, load_trained, sha256_of
from relight_cli.checkpoints.weights import LookUp, availability, find, require_download
from relight_cli.errors import ModelUnavailableError, UsageError
from relight_cli.models.interface import Model, ModelInfo

if TYPE_CHECKING:
    from relight_cli.devices import Compute

AUTO, CROCODILIGHT, TINY = "auto", "crocodilight", "tiny"
TASKS = ("relight", "deshadow", "albedo", "interpolate-timelapse")
_MAPPERS = {"deshadow": "shadow", "albedo": "albedo"}  # by task: the illumination mapper that it needs


def warn(line: str) -> None:
    """Issue a Python warning."""
    warnings.warn(line, stacklevel=3)


@loaded_once
def load_model(
    name: str | Path = AUTO,
    *,
    tasks: Collection[str] = TASKS,
    device: str = "auto",
    dtype: str = "auto",
    weights_dir: str | Path | None = None,
    offline: bool = False,
    progress: bool = False,
    accept_licence: bool = False,
    ask: Ask | None = None,
    download: bool = True,
    notify: Callable[[str], None] = warn,
) -> Model:
    """Load a relighting network: "tiny", which is inside the package, "crocodilight", the published one, or "auto".

    A name in .safetensors is a file that 'relight-cli train' wrote, or a fine-tuned `tiny`. A line to `notify` says if
    it is for non-commercial use only.

    "auto" loads the published files if they are on this machine or can be downloaded, else "tiny", with one line to
    `notify`; a damaged file is still an error. Only the files that `tasks` need are looked for. `device` is "auto"
    (CUDA, then MPS, then CPU), "cpu", "cuda", "cuda:N" or "mps"; `dtype` is "auto", "float32", "bfloat16" or "float16".
    Files are looked for in `weights_dir`, then in the Hub's cache, then on the Hub unless `offline`; `progress` shows a
    bar while downloading. Nothing is downloaded unless the licence is accepted: by `accept_licence`, by the environment
    variable RELIGHT_ACCEPT_LICENCE, or if `ask`, which gets a question with size and licence, returns True; and never
    without `download`.

    Loading takes seconds, most of them to import torch. Several threads may use the model at a time.
    Raises UsageError for unknown names, DeviceError, ModelUnavailableError.
    """
    from relight_cli.devices import choose

    name = str(name)
    _check(name, tasks)
    compute = choose(device, dtype)
    if is_file_name(name):
        return _load_file(Path(name), _mappers(tasks), compute, notify)
    look_up = LookUp(Path(weights_dir) if weights_dir else None, offline, progress, accept_licence, ask, download)
    instead = "using the embedded model tiny"
    paths = None if name == TINY else _published(name, _files(tasks), look_up, notify, instead)
    return _load_published(tasks, paths, look_up, compute) if paths else _load_tiny(tasks, compute)


def _published(
    name: str, files: Collection[WeightsFile], look_up: LookUp, notify: Callable[[str], None], instead: str
) -> list[Path] | None:
    """Return the paths of published files, checked; None if they cannot be had and the model's name is "auto".

    Then `notify` gets one line, which begins with what is done `instead`. A damaged file is an error all the same.
    """
    here = all(availability(file, look_up) for file in files)
    try:
        require_download(files, look_up)
        return [find(file, look_up, notify) for file in files]
    except ModelUnavailableError as error:
        if here or name == CROCODILIGHT:
            raise
        notify(f"{instead}: {error}")
        return None


def _load_published(tasks: Collection[str], paths: list[Path], look_up: LookUp, compute: "Compute") -> Model:
    from relight_cli.checkpoints.crocodilight import load_crocodilight

    network = load_crocodilight(
        paths[0],
        dict(zip(_mappers(tasks), paths[1:], strict=True)),
        device=compute.device,
        dtype=compute.dtype,
        fused_attention=compute.fused_attention,
    )
    main = _files(tasks)[0]
    found = availability(main, look_up)
    sha256 = found.sha256 if found else None
    return Model(network, CROCODILIGHT, main.revision, sha256, compute.device, compute.tile_batch)


def _load_tiny(tasks: Collection[str], compute: "Compute") -> Model:
    network = load_tiny(device=compute.device, dtype=compute.tiny_dtype)
    if _mappers(tasks):
        network.view_surfaces = load_geometry(device=compute.device)
    if "albedo" in tasks:
        network.view_albedo = load_albedo(device=compute.device, dtype=compute.tiny_dtype)
    return Model(network, TINY, None, tiny_sha256(), compute.device, compute.tile_batch, compute.tiny_workers)


def _load_file(path: Path, mappers: Collection[str], compute: "Compute", notify: Callable[[str], None]) -> Model:
    """Load the network of a trained file."""
    from relight_cli.models.tiny import Tiny

    file = describe(path)
    network = load_trained(
        file,
        mappers,
        notify,
        device=compute.device,
        dtype=compute.dtype,
        tiny_dtype=compute.tiny_dtype,
        fused_attention=compute.fused_attention,
    )
    workers = 1
    if isinstance(network, Tiny):
        workers = compute.tiny_workers
        network.view_surfaces = load_geometry(device=compute.device) if mappers else None
    return Model(network, path.name, None, sha256_of(path), compute.device, compute.tile_batch, workers)


def with_mappers(model: Model, name: str | Path, look_up: LookUp, notify: Callable[[str], None] = warn) -> Model:
    """Return a model that was loaded under this name, with the mappers of deshadow and albedo, loaded now if need be.

    If their files are neither on this machine nor can be downloaded, "auto" gives "tiny", with one line to `notify`.
    Errors are those of `load_model`. Not for several threads at a time.
    """
    missing = {mapper: task for task, mapper in _MAPPERS.items() if mapper not in model.network.mapper_names}
    if not missing:
        return model
    if is_file_name(str(name)):
        describe(Path(name)).require((), missing)
    import torch

    from relight_cli.checkpoints.crocodilight import load_mappers
    from relight_cli.devices import choose
    from relight_cli.models.crocodilight import CroCoDiLight

    assert isinstance(model.network, CroCoDiLight)
    instead = "the light of another scene is found with the embedded model tiny"
    paths = _published(str(name), _files(missing.values())[1:], look_up, notify, instead)
    if paths is None:
        return _load_tiny((), choose(model.device, "auto"))
    parameter: torch.nn.Parameter = next(model.network.parameters())
    found = dict(zip(missing, paths, strict=True))
    load_mappers(model.network, found, device=model.device, dtype=parameter.dtype)
    return model


def expected_model(name: str, tasks: Collection[str], weights_dir: Path | None) -> ModelInfo:
    """Return the model that `load_model` would load without the Hub: for "auto", from the files on this machine.

    Raises ModelUnavailableError for a file that is none, or has not been trained for the tasks.
    """
    if is_file_name(name):
        describe(Path(name)).require(PARTS, _mappers(tasks))
        return ModelInfo(Path(name).name, None, sha256_of(Path(name)))
    files = _files(tasks)
    found = [availability(file, LookUp(weights_dir)) for file in files] if name != TINY else []
    if name == CROCODILIGHT or (found and all(found)):
        return ModelInfo(CROCODILIGHT, files[0].revision, found[0].sha256 if found[0] else None)
    return ModelInfo(TINY, None, tiny_sha256())


def _check(name: str, tasks: Collection[str]) -> None:
    if name not in (AUTO, CROCODILIGHT, TINY) and not is_file_name(name):
        choices = f"choose {AUTO}, {CROCODILIGHT} or {TINY}, or name a file in .safetensors"
        raise UsageError(f"unknown model '{name}': {choices}.")
    if isinstance(tasks, str) or (unknown := [task for task in tasks if task not in TASKS]):
        raise UsageError(f"unknown tasks {tasks if isinstance(tasks, str) else unknown}: give some of {TASKS}.")


def _mappers(tasks: Collection[str]) -> list[str]:
    return [mapper for task, mapper in _MAPPERS.items() if task in tasks]


def _files(tasks: Collection[str]) -> list[WeightsFile]:
    names = ("CroCoDiLight.pth", *(f"CroCoDiLight_{mapper}_mapper.pth" for mapper in _mappers(tasks)))
    return [load_manifest().file(name) for name in names]
