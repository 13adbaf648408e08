"""Make a network of the published size with random weights, and a file of it in the published layout."""

from pathlib import Path

import torch

from relight_cli.checkpoints.crocodilight import NAMES
from relight_cli.models.crocodilight import CroCoDiLight, CroCoDiLightConfig

WIDTH = 1024


def random_network(dtype: torch.dtype, *, fused: bool = True) -> CroCoDiLight:
    """Return the full-size network with random weights that keep its activations finite."""
    with torch.device("meta"):
        network = CroCoDiLight(CroCoDiLightConfig(fused_attention=fused))
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, tensor in network.state_dict().items():
        norm = ".norm" in key and key.endswith("weight")
        spread = 0.02 if tensor.ndim > 1 else 0.0
        state[key] = (torch.randn(tensor.shape, generator=generator) * spread + norm).to(dtype)
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def write_published(path: Path) -> None:
    """Write a random network in the published layout, with an unused two-view decoder of the published size."""
    state = {}
    for key, tensor in random_network(torch.float32).state_dict().items():
        theirs, ours = next(names for names in NAMES if key.startswith(names[1]))
        state[theirs + key.removeprefix(ours)] = tensor
    state["croco.dec_blocks.0.unused"] = torch.zeros(114_800_000)
    kwargs = {"img_size": 448, "enc_embed_dim": WIDTH, "enc_depth": 24, "enc_num_heads": 16, "pos_embed": "RoPE100"}
    torch.save({"croco_kwargs": kwargs, "model": state}, path)
