"""Files that 'relight-cli train' writes, and fine-tuned files of `tiny`: a whole network in one safetensors file.

The tensors have our names; the metadata has the sizes, the licences of all that the network was made from, and the
recipe of every stage. It is under one key, so that equal runs write equal files.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relight_cli.checkpoints.licences import licence_line
from relight_cli.checkpoints.tiny import tiny_from
from relight_cli.errors import ModelUnavailableError
from relight_cli.paths import is_file

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from relight_cli.models.crocodilight import CroCoDiLight, CroCoDiLightConfig
    from relight_cli.models.tiny import Tiny

SUFFIX = ".safetensors"
CROCODILIGHT, TINY = "crocodilight", "tiny"
PARTS = {  # of the network: what its tensors' names start with, and the stage that trains it
    "encoder": (("patch_embedding.", "encoder."), "croco"),
    "decoder": (("decoder.", "head."), "decoder"),
    "light": (("delighting.", "relighting."), "light"),
}
REMEDY = "name a file that 'relight-cli train' wrote"


@dataclass(frozen=True)
class TrainedFile:
    """What a file says about itself, without its tensors."""

    path: Path
    network: str  # "crocodilight" or "tiny"
    facts: Mapping[str, Any]  # config, licences and recipe of the stages; of tiny, the metadata
    keys: frozenset[str]  # names of its tensors

    @property
    def licences(self) -> dict[str, str]:
        """What the network was made from, and under which licences: "encoder", the folders of pictures."""
        if self.network == CROCODILIGHT:
            return dict(self.facts["licences"])
        return {"weights": self.facts["licence"]} if "licence" in self.facts else {}

    @property
    def mappers(self) -> list[str]:
        """Names of the illumination mappers in the file."""
        if self.network != CROCODILIGHT:
            return list(json.loads(self.facts["config"])["mappers"])
        return sorted({key.split(".")[1] for key in self.keys if key.startswith("mappers.")})

    @property
    def parts(self) -> list[str]:
        """The `PARTS` in the file."""
        return [part for part, (names, _) in PARTS.items() if any(key.startswith(names) for key in self.keys)]

    def require(self, parts: Collection[str], mappers: Collection[str]) -> None:
        """Raise ModelUnavailableError unless the file has these parts and illumination mappers."""
        untrained = [part for part in parts if self.network == CROCODILIGHT and part not in self.parts]
        stages = [PARTS[part][1] for part in untrained]
        if stages := [*stages, *(mapper for mapper in mappers if mapper not in self.mappers)]:
            first = f"'relight-cli train {stages[0]}' with start = \"{self.path.name}\""
            raise ModelUnavailableError(
                f"{self.path} has not been trained for this yet, it lacks the stages {', '.join(stages)}: run {first}."
            )


def is_file_name(name: str) -> bool:
    """Return whether the name of a model is that of a file."""
    return Path(name).suffix.lower() == SUFFIX


def describe(path: Path) -> TrainedFile:
    """Read what a file says about itself. Raises ModelUnavailableError."""
    from safetensors import SafetensorError, safe_open

    if not is_file(path):
        raise ModelUnavailableError(f"{path}: no such file; {REMEDY}.")
    try:
        with safe_open(path, "pt") as file:
            metadata, keys = file.metadata() or {}, frozenset(file.keys())
        if CROCODILIGHT in metadata:
            found = TrainedFile(path, CROCODILIGHT, json.loads(metadata[CROCODILIGHT]), keys)
        else:
            found = TrainedFile(path, TINY, metadata, keys)
        if not all(isinstance(one, str) for one in (*found.licences, *found.licences.values(), *found.mappers)):
            raise ValueError("licences and mappers are no texts")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelUnavailableError(f"{path} is damaged or describes no relighting network: {REMEDY}.") from error
    return found


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file. Raises ModelUnavailableError."""
    try:
        with path.open("rb") as body:
            return hashlib.file_digest(body, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailableError(f"{path} cannot be read ({error.strerror}): make it readable.") from error


def load_trained(
    file: TrainedFile,
    mappers: Collection[str],
    notify: Callable[[str], None],
    *,
    device: str,
    dtype: "torch.dtype",
    tiny_dtype: "torch.dtype",
    fused_attention: bool = True,
) -> "CroCoDiLight | Tiny":
    """Load the network of a file, which must have these mappers; one line to `notify` if it is non-commercial.

    Raises ModelUnavailableError.
    """
    file.require(PARTS, mappers)
    if line := licence_line(str(file.path), file.licences):
        notify(line)
    if file.network != CROCODILIGHT:
        return tiny_from(file.path, REMEDY, device=device, dtype=tiny_dtype)
    network = build(replace(config_of(file), fused_attention=fused_attention), file.mappers)
    load_tensors(file, network, device=device, dtype=dtype)
    return network.eval().requires_grad_(False)


def config_of(file: TrainedFile) -> "CroCoDiLightConfig":
    """Return the sizes of the network. Raises ModelUnavailableError."""
    from relight_cli.models.crocodilight import CroCoDiLightConfig

    try:
        described = file.facts["config"].items()
        sizes: dict[str, Any] = {key: tuple(x) if isinstance(x, list) else x for key, x in described}
        return CroCoDiLightConfig(**sizes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelUnavailableError(f"{file.path} states no sizes of its network: {REMEDY}.") from error


def build(config: "CroCoDiLightConfig", mappers: Collection[str]) -> "CroCoDiLight":
    """Return a network without values, for `load_tensors`."""
    import torch

    from relight_cli.checkpoints.uninitialised import Uninitialised
    from relight_cli.models.crocodilight import BlockStack, CroCoDiLight

    with torch.device("meta"), Uninitialised():
        network = CroCoDiLight(config)
        for name in mappers:
            network.mappers[name] = BlockStack(config, config.relighting_depth, config.heads, config.mlp_ratio)
    return network


def load_tensors(file: TrainedFile, network: "CroCoDiLight", *, device: str, dtype: "torch.dtype") -> None:
    """Load all tensors of a file, which must be those of the network. Raises ModelUnavailableError."""
    try:
        network.load_state_dict(read_tensors(file, device, dtype), strict=True, assign=True)
    except RuntimeError as error:
        raise ModelUnavailableError(f"{file.path} does not fit the network that it describes: {REMEDY}.") from error


def read_tensors(file: TrainedFile, device: str, dtype: "torch.dtype") -> "dict[str, Tensor]":
    """Return all tensors of a file. Raises ModelUnavailableError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file.path, "pt") as opened:
            return {key: opened.get_tensor(key).to(device, dtype) for key in file.keys}
    except (OSError, SafetensorError) as error:
        raise ModelUnavailableError(f"{file.path} cannot be read ({error}): {REMEDY}.") from error


def write_trained(
    path: Path,
    network: "CroCoDiLight",
    tensors: "Mapping[str, Tensor]",
    licences: Mapping[str, str],
    recipe: list[dict[str, Any]],
) -> None:
    """Write tensors of a network, with its sizes, the licences and the recipe of every stage. Raises OSError."""
    from safetensors.torch import save_file

    sizes = {key: value for key, value in asdict(network.config).items() if key != "fused_attention"}
    facts = {"config": sizes, "licences": dict(licences), "recipe": recipe}
    path.touch()
    mode = path.stat().st_mode  # safetensors makes files that only their owner may read
    save_file(
        {key: value.detach().cpu().contiguous() for key, value in tensors.items()},
        path,
        {CROCODILIGHT: json.dumps(facts)},
    )
    path.chmod(mode)
