"""The network that a stage starts from: the parts of its file, and new ones for the rest."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from relight_cli.checkpoints.croco import load_encoder, load_parts, read_croco
from relight_cli.checkpoints.crocodilight import load_crocodilight
from relight_cli.checkpoints.licences import CROCO_V2, NOT_STATED
from relight_cli.checkpoints.trained import (
    CROCODILIGHT,
    PARTS,
    config_of,
    describe,
    is_file_name,
    read_tensors,
)
from relight_cli.errors import ModelUnavailableError
from relight_cli.models.croco import CroCo, CroCoConfig
from relight_cli.models.crocodilight import BlockStack, CroCoDiLight, CroCoDiLightConfig
from relight_cli.training.crocodilight.config import NetworkConfig, TrainConfig

MAPPERS = ("shadow", "albedo")
ENCODER = PARTS["encoder"][0]
WITHOUT_MAPPERS = tuple(name for names, _ in PARTS.values() for name in names)
PUBLISHED = "CroCoDiLight.pth"  # the name of the published network's file, which can be fine-tuned


@dataclass(frozen=True)
class Start:
    """A network, and what its file says about it."""

    network: CroCo | CroCoDiLight
    licences: dict[str, str]  # of what it is made from
    parts: tuple[str, ...]  # what the names of the tensors start with that are not new
    recipe: list[dict[str, Any]] = field(default_factory=list)  # of the stages before


def start_of(config: TrainConfig) -> Start:
    """Build the network of a run. Raises ModelUnavailableError for a file that lacks what the stage needs."""
    torch.manual_seed(config.schedule.seed)
    if config.start and not config.start.is_file():
        raise ModelUnavailableError(f"{config.start}: no such file; correct start in the configuration.")
    if config.stage == "croco":
        return _croco(config)
    assert config.start
    if config.start.name == PUBLISHED:
        start = Start(load_crocodilight(config.start, {}), {"encoder": CROCO_V2, "start": CROCO_V2}, WITHOUT_MAPPERS)
    elif is_file_name(config.start.name):
        start = _earlier(config.start, config.stage)
    else:
        start = _on_encoder(config)
    assert isinstance(start.network, CroCoDiLight)
    if config.stage in MAPPERS:
        sizes = start.network.config
        mapper = BlockStack(sizes, sizes.relighting_depth, sizes.heads, sizes.mlp_ratio)
        mapper.load_state_dict(start.network.relighting.state_dict())
        start.network.mappers[config.stage] = mapper
    return start


def initialise(network: nn.Module) -> None:
    """Draw first values: Xavier's for linear layers, as CroCo has them, and small ones for learnable tokens."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    for name, parameter in network.named_parameters():
        if name.endswith(("query", "mask_token")):
            nn.init.normal_(parameter, std=0.02)
        if name == "patch_embedding.weight":
            nn.init.xavier_uniform_(parameter.view(len(parameter), -1))


def _croco(config: TrainConfig) -> Start:
    """Return a new CroCo, or one from a file, which goes on learning."""
    if config.start:
        sizes, state, licences = read_croco(config.start)
        network = CroCo(sizes)
        load_parts(config.start, network, state, ("",))
        return Start(network, licences or {"encoder": config.licence or CROCO_V2}, ("",))
    network = CroCo(croco_sizes(config.network))
    initialise(network)
    return Start(network, {"encoder": config.licence or NOT_STATED}, ("",))


def _on_encoder(config: TrainConfig) -> Start:
    """Return a new network on the encoder of a CroCo file."""
    assert config.start
    if config.stage != "decoder":
        raise ModelUnavailableError(
            f"{config.start} is no file in .safetensors: give the output of the stage before {config.stage} as start."
        )
    sizes, state, licences = read_croco(config.start)
    network = CroCoDiLight(sizes_on(sizes, config.network))
    initialise(network)
    load_encoder(config.start, network, state)
    return Start(network, licences or {"encoder": config.licence or CROCO_V2}, ENCODER)


def _earlier(path: Path, stage: str) -> Start:
    """Return the network of an earlier stage's file; parts that it lacks are new."""
    file = describe(path)
    if file.network != CROCODILIGHT:
        raise ModelUnavailableError(f"{path} holds {file.network}: start from CroCo's file or from an earlier stage.")
    needed = {"decoder": ("encoder",), "light": ("encoder", "decoder")}.get(stage, ("encoder", "decoder", "light"))
    file.require(needed, ())
    network = CroCoDiLight(config_of(file))
    initialise(network)
    sizes = network.config
    for name in file.mappers:
        network.mappers[name] = BlockStack(sizes, sizes.relighting_depth, sizes.heads, sizes.mlp_ratio)
    tensors = read_tensors(file, "cpu", torch.float32)
    parts = tuple(sorted({key.partition(".")[0] + "." for key in tensors}))
    load_parts(path, network, tensors, parts)
    return Start(network, file.licences, parts, list(file.facts["recipe"]))


def croco_sizes(network: NetworkConfig) -> CroCoConfig:
    """Return the sizes of a new CroCo."""
    return CroCoConfig(
        image_size=network.tile_size,
        width=network.width,
        depth=network.encoder_depth,
        heads=network.encoder_heads,
        decoder_width=network.croco_decoder_width,
        decoder_depth=network.croco_decoder_depth,
        decoder_heads=network.croco_decoder_heads,
    )


def sizes_on(croco: CroCoConfig, network: NetworkConfig) -> CroCoDiLightConfig:
    """Return the sizes of a network on an encoder: the encoder's own, the others from the configuration."""
    own = {key: value for key, value in asdict(croco.relighting()).items() if key not in ("heads", "mlp_ratio")}
    w1, w2, w3, w4 = network.dpt_widths
    inner, last = network.dpt_output_widths
    return CroCoDiLightConfig(
        **own
        | {
            "tile_size": network.tile_size,
            "delighting_depth": network.delighting_depth,
            "relighting_depth": network.relighting_depth,
            "decoder_depth": network.decoder_depth,
            "heads": network.heads,
            "mlp_ratio": network.mlp_ratio,
            "dpt_widths": (w1, w2, w3, w4),
            "dpt_features": network.dpt_features,
            "dpt_output_widths": (inner, last),
        }
    )
