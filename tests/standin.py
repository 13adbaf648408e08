"""Small stand-in weights in the published file layout; the pictures and arrays in reference/ were computed from them.

Every tensor is drawn from its own name and the layout's seed, so that the network is well conditioned and yet all of it
counts: branches are short beside what they are added to, queries and keys are long enough for positions to matter, and
the channels of `LIGHT` let every token find the one illumination latent among all others.
"""

import json
import re
import zlib
from pathlib import Path

import numpy as np
import torch

REFERENCE = Path(__file__).parent / "reference"
LIGHT = 16  # every 16th channel is the light's; blocks hardly write there, so that the illumination latent stands out


def draw(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    x = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())])).standard_normal(shape, dtype=np.float32)
    if name.endswith("norm1.weight"):  # the norm before each attention
        return (1 + np.float32(0.1) * x) * emphasis(shape[0], 6)
    if re.search(r"norm\w*\.weight$", name):
        return 1 + np.float32(0.1) * x
    if name.endswith(("dynamic_token", "mask_token")):
        return x * emphasis(shape[-1], 4)
    gain = gains(name, shape[0])
    if len(shape) == 1:
        return x * gain
    inputs = tuple(range(1, len(shape)))
    if re.search(r"mlp\.fc2\.|resConfUnit|dpt\.head\.4\.", name):  # else the mean of what is rectified drowns the rest
        x = x - x.mean(inputs, dtype=np.float64, keepdims=True).astype(np.float32)
    return x * (gain / np.sqrt(np.float32(np.prod(shape[1:])))).reshape(-1, *(1 for _ in inputs))


def gains(name: str, channels: int) -> np.ndarray:
    """Give the size of a layer's weights or biases for each channel that it writes."""
    is_bias = name.endswith(".bias")
    if ".attn.qkv." in name:
        return np.repeat(np.float32([0.5, 0.5, 0.05] if is_bias else [1.6, 1.6, 2]), channels // 3)
    gain = np.ones(channels, np.float32)
    if is_bias:
        gain *= np.float32(0.2 if "patch_embed" in name else 0.05)
    elif re.search(r"attn\.proj\.|mlp\.fc2\.|dpt\.head\.4\.", name):
        gain *= np.float32(0.4)
    return gain * emphasis(channels, 0.1) if re.search(r"attn\.proj\.|mlp\.fc2\.|patch_embed\.", name) else gain


def emphasis(channels: int, gain: float) -> np.ndarray:
    """Give a factor for each channel: the gain for the light's, one for the others."""
    return np.where(np.arange(channels) % LIGHT == 0, np.float32(gain), np.float32(1))


def first_name(key: str) -> str:
    """Some tensors stand in the file under two names; both are drawn from the first."""
    key = re.sub(r"act_postprocess\.(\d)\.", lambda m: f"act_{int(m[1]) + 1}_postprocess.", key)
    return re.sub(r"layer_rn\.(\d)\.", lambda m: f"layer{int(m[1]) + 1}_rn.", key)


def tensors(keys: list, seed: int) -> dict[str, torch.Tensor]:
    return {k: torch.from_numpy(np.ascontiguousarray(draw(first_name(k), tuple(s), seed))) for k, s in keys}


def write_standin(folder: Path) -> Path:
    """Write CroCoDiLight.pth and the two mappers (the same tensors) to a folder, and give the folder."""
    layout = json.loads((REFERENCE / "layout.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    model = {"croco_kwargs": layout["croco_kwargs"], "model": tensors(layout["model"], layout["seed"])}
    torch.save(model, folder / "CroCoDiLight.pth")
    for task in ("shadow", "albedo"):
        torch.save(tensors(layout["mapper"], layout["mapper_seed"]), folder / f"CroCoDiLight_{task}_mapper.pth")
    return folder


def photo(height: int, width: int, seed: int) -> np.ndarray:
    """Give the picture (H, W, 3), uint8, that `stages.npz` was computed on."""
    rng = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    out = np.zeros((height, width, 3))
    for c in range(3):
        for _ in range(6):
            fx, fy, ph, a = (
                rng.uniform(-0.06, 0.06),
                rng.uniform(-0.06, 0.06),
                rng.uniform(0, 6.28),
                rng.uniform(0.1, 0.3),
            )
            out[..., c] += a * np.sin(fx * x + fy * y + ph)
    out = 0.5 + 0.5 * np.tanh(out) + (((x // 37 + y // 53) % 2) * 0.15 - 0.075)[..., None]
    return (np.clip(out, 0, 1) * 255).round().astype(np.uint8)
