"""Small stand-in weights in the published file layout; the pictures and arrays in reference/ were computed from them.

Every tensor is drawn from its own name and the layout's seed.
"""

import json
import re
import zlib
from pathlib import Path

import numpy as np
import torch

REFERENCE = Path(__file__).parent / "reference"


def draw(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    x = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())])).standard_normal(shape, dtype=np.float32)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "weight" and (".norm" in name or "enc_norm" in name or "dec_norm" in name):
        return 1 + 0.1 * x
    if leaf == "bias":
        return 0.05 * x
    if leaf in ("dynamic_token", "mask_token"):
        return x
    if len(shape) >= 2:
        gain = 3.0 if name.endswith("attn.qkv.weight") else 0.12 if name.endswith("dpt.head.4.weight") else 1.0
        return x * np.float32(gain / np.sqrt(int(np.prod(shape[1:]))))
    return 0.1 * x


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
