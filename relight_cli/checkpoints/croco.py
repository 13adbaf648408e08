"""Read and write CroCo files in the layout of CroCo v2; only this module knows how it names tensors."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relight_cli.checkpoints.crocodilight import read_pickle
from relight_cli.errors import ModelUnavailableError
from relight_cli.models.croco import CroCo, CroCoConfig

REMEDY = "name CroCo_V2_ViTLarge_BaseDecoder.pth, or a file that 'relight-cli train croco' wrote"
OURS = "relight_cli"  # the key of our own facts, which other programs ignore

NAMES = [  # prefixes of tensor names: in the file, ours
    ("patch_embed.proj.", "patch_embedding."),
    ("enc_blocks.", "encoder.blocks."),
    ("enc_norm.", "encoder.norm."),
    ("decoder_embed.", "decoder_embedding."),
    ("dec_blocks.", "decoder."),
    ("dec_norm.", "decoder_norm."),
    ("prediction_head.", "prediction."),
    ("mask_token", "mask_token"),
]
ENCODER = ("patch_embedding.", "encoder.")


def read_croco(path: Path) -> tuple[CroCoConfig, dict[str, Tensor], dict[str, str]]:
    """Return the sizes, the tensors by our names and the licences of a CroCo file, read as tensors only.

    The published file states no licences. Raises ModelUnavailableError.
    """
    content = read_pickle(path, REMEDY)
    if not isinstance(content, dict) or not {"croco_kwargs", "model"} <= content.keys():
        raise ModelUnavailableError(f"{path} lacks 'croco_kwargs' or 'model': {REMEDY}.")
    state = {
        ours: tensor
        for key, tensor in content["model"].items()
        if isinstance(tensor, Tensor) and (ours := _renamed(str(key)))
    }
    try:
        config = _config(content["croco_kwargs"], state)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ModelUnavailableError(f"{path} describes no CroCo network ({error!r}): {REMEDY}.") from error
    own = content.get(OURS)
    licences = own.get("licences") if isinstance(own, dict) else None
    return config, state, dict(licences) if isinstance(licences, dict) else {}


def load_encoder(path: Path, network: nn.Module, state: dict[str, Tensor]) -> None:
    """Load the patch embedding and the encoder of a CroCo file into a network that has both; no tensor may lack."""
    load_parts(path, network, state, ENCODER)


def load_parts(path: Path, network: nn.Module, state: dict[str, Tensor], prefixes: tuple[str, ...]) -> None:
    """Load the tensors under some names, all of which the file must have. Raises ModelUnavailableError."""
    wanted = {key: value for key, value in network.state_dict().items() if key.startswith(prefixes)}
    if faults := [key for key, value in wanted.items() if key not in state or state[key].shape != value.shape]:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ModelUnavailableError(
            f"{path} lacks {', '.join(faults[:3])}{more}, or holds them in other shapes: {REMEDY}."
        )
    network.load_state_dict({key: state[key].float() for key in wanted}, strict=False)


def write_croco(path: Path, network: CroCo, licences: dict[str, str], recipe: dict[str, Any]) -> None:
    """Write a network in CroCo v2's layout, with licences and recipe under a key of our own."""
    config = network.config
    sizes = {
        "img_size": config.image_size,
        "patch_size": config.patch_size,
        "enc_embed_dim": config.width,
        "enc_depth": config.depth,
        "enc_num_heads": config.heads,
        "dec_embed_dim": config.decoder_width,
        "dec_depth": config.decoder_depth,
        "dec_num_heads": config.decoder_heads,
        "pos_embed": f"RoPE{config.rope_base:g}",
    }
    back = [(ours, theirs) for theirs, ours in NAMES]
    model = {_swap(key, back): tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
    with path.open("wb") as file:  # into a name torch.save hides the error of the system
        torch.save({"croco_kwargs": sizes, "model": model, OURS: {"licences": licences, "recipe": recipe}}, file)


def _config(croco: dict[str, Any], state: dict[str, Tensor]) -> CroCoConfig:
    """Read the sizes from `croco_kwargs`, and what they leave out from the tensors."""
    if (pos_embed := croco.get("pos_embed", "RoPE100"))[:4] != "RoPE":
        raise ValueError(f"unknown position embedding {pos_embed}")
    size = croco.get("img_size", 224)
    width, heads = croco["enc_embed_dim"], croco["enc_num_heads"]
    if width % (4 * heads):
        raise ValueError(f"{width} channels in {heads} heads")
    return CroCoConfig(
        image_size=size if isinstance(size, int) else int(size[0]),
        patch_size=state["patch_embedding.weight"].shape[-1],
        width=width,
        depth=croco["enc_depth"],
        heads=heads,
        decoder_width=croco.get("dec_embed_dim", CroCoConfig.decoder_width),
        decoder_depth=croco.get("dec_depth", CroCoConfig.decoder_depth),
        decoder_heads=croco.get("dec_num_heads", CroCoConfig.decoder_heads),
        rope_base=float(pos_embed[4:]),
    )


def _renamed(key: str) -> str | None:
    """Return our name of a tensor of the file, which may stand under `croco.`; None for one of no use."""
    key = re.sub(r"^(module\.)?(croco\.)?", "", key)
    ours = _swap(key, NAMES)
    return None if ours == key and key != "mask_token" else ours


def _swap(key: str, names: list[tuple[str, str]]) -> str:
    return next((new + key.removeprefix(old) for old, new in names if key.startswith(old)), key)
