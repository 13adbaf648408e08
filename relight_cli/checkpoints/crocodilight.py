"""Load the published network; only this module knows how the published files name and store tensors."""

import ctypes
import json
import mmap
import pickle
import re
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from relight_cli.checkpoints.uninitialised import Uninitialised
from relight_cli.errors import ModelUnavailableError
from relight_cli.models.crocodilight import BlockStack, CroCoDiLight, CroCoDiLightConfig
from relight_cli.models.dpt import STRIDE

REMEDY = "put the published file there, fetch it again with 'relight-cli weights fetch relight', or use --model tiny"

# Prefixes of tensor names: published, ours.
NAMES = [
    ("croco.patch_embed.proj.", "patch_embedding."),
    ("croco.enc_blocks.", "encoder.blocks."),
    ("croco.enc_norm.", "encoder.norm."),
    ("croco.out_decoder_embed.", "decoder.embedding."),
    ("croco.out_dec_blocks.", "decoder.blocks."),
    ("croco.out_dec_norm.", "decoder.norm."),
    ("croco.head.dpt.head.", "head.output."),
    ("lighting_extractor.dynamic_token", "delighting.query"),
    ("lighting_extractor.base_blocks.", "delighting.blocks."),
    ("lighting_entangler.base_blocks.", "relighting.blocks."),
]
for _level in range(4):
    NAMES += [
        (f"croco.head.dpt.act_{_level + 1}_postprocess.", f"head.reassemble.{_level}."),
        (f"croco.head.dpt.scratch.layer{_level + 1}_rn.", f"head.projections.{_level}."),
        (f"croco.head.dpt.scratch.refinenet{_level + 1}.resConfUnit1.", f"head.fusions.{_level}.skip_unit."),
        (f"croco.head.dpt.scratch.refinenet{_level + 1}.resConfUnit2.", f"head.fusions.{_level}.path_unit."),
        (f"croco.head.dpt.scratch.refinenet{_level + 1}.out_conv.", f"head.fusions.{_level}.project."),
    ]
# The two-view decoder, second names of tensors, and the skip unit of the deepest level, which has no skip
UNUSED = re.compile(
    r"croco\.(mask_token$|decoder_embed\.|dec_blocks\.|dec_norm\.|prediction_head\."
    r"|head\.dpt\.(act_postprocess\.|scratch\.layer_rn\.|scratch\.refinenet4\.resConfUnit1\.))"
)


def load_crocodilight(
    path: Path,
    mappers: dict[str, Path],
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    fused_attention: bool = True,
) -> CroCoDiLight:
    """Load the published network and illumination mappers, given as paths by name (`shadow`, `albedo`).

    Files are mapped: tensors that the network does not use are never in memory. Without `fused_attention` float32 keeps
    the published network's order of rounding, at 1.5 times the time.
    Raises ModelUnavailableError, naming the file and the keys that are missing, surplus or of another shape.
    """
    content = _converted(path, dtype) or read_pickle(path)
    if not isinstance(content, dict) or not {"croco_kwargs", "model"} <= content.keys():
        raise ModelUnavailableError(f"{path} lacks 'croco_kwargs' or 'model': {REMEDY}.")
    state = _tensors(path, content["model"])
    try:
        config = replace(_config(content["croco_kwargs"], state), fused_attention=fused_attention)
        with torch.device("meta"), Uninitialised():
            network = CroCoDiLight(config)
    except Exception as error:  # sizes and shapes in the file may be anything
        raise ModelUnavailableError(f"{path} describes no CroCoDiLight network ({error!r}): {REMEDY}.") from error
    _load_strictly(network, path, state, NAMES, device, dtype)
    load_mappers(network, mappers, device=device, dtype=dtype)
    return network.eval().requires_grad_(False)


def load_mappers(network: CroCoDiLight, mappers: dict[str, Path], *, device: str, dtype: torch.dtype) -> None:
    """Add illumination mappers, given as paths by name, to a loaded network; errors as in `load_crocodilight`."""
    config = network.config
    for name, path in mappers.items():
        tensors = _tensors(path, (_converted(path, dtype) or {}).get("model") or read_pickle(path))
        state = {key.removeprefix("latent_mapper."): value for key, value in tensors.items()}
        with torch.device("meta"), Uninitialised():
            mapper = BlockStack(config, _depth(state, "base_blocks"), config.heads, config.mlp_ratio)
        _load_strictly(mapper, path, state, [("base_blocks.", "blocks.")], device, dtype)
        network.mappers[name] = mapper.eval().requires_grad_(False)


def convert(path: Path, dtype: torch.dtype) -> Path:
    """Write the tensors that the network uses of a published file, cast to `dtype`, next to it; return the new path.

    `load_crocodilight` then maps that file without casting. Raises ModelUnavailableError, also if the folder is not
    writable.
    """
    content = read_pickle(path)
    described = {"of": _mark(path)}
    if isinstance(content, dict) and "model" in content:
        described["croco_kwargs"] = json.dumps(content.get("croco_kwargs"))
        content = content["model"]
    used = {key: tensor for key, tensor in _tensors(path, content).items() if not UNUSED.match(key)}
    target = converted_path(path, dtype)
    temporary = target.with_name(f".{target.name}.tmp")
    mapped = zipfile.is_zipfile(path)
    cast = {key: _cast(tensor, "cpu", dtype, mapped=mapped).contiguous() for key, tensor in used.items()}
    try:
        save_file(cast, temporary, described)
        temporary.replace(target)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise ModelUnavailableError(f"{target} cannot be written ({error}): make room or make it writable.") from error
    return target


def converted_path(path: Path, dtype: torch.dtype) -> Path:
    """Return the path of the file that `convert` writes for a published file."""
    return path.with_name(f"{path.stem}.{str(dtype).removeprefix('torch.')}.safetensors")


def _converted(path: Path, dtype: torch.dtype) -> dict[str, Any] | None:
    """Read the file that `convert` wrote for this file; None if there is none or it belongs to another version."""
    try:
        with safe_open(converted_path(path, dtype), "pt") as file:
            described = file.metadata() or {}
            if described.get("of") != _mark(path):
                return None
            model = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return {"croco_kwargs": json.loads(described.get("croco_kwargs", "null")), "model": model}
    except (OSError, SafetensorError, ValueError):
        return None


def _mark(path: Path) -> str:
    """Return a mark that identifies this version of a file."""
    status = path.stat()
    return f"{status.st_size} bytes of {status.st_mtime_ns}"


def _cast(tensor: Tensor, device: str, dtype: torch.dtype, *, mapped: bool) -> Tensor:
    """Copy a tensor of a file to a device and dtype; release the pages of a mapped file that it was read from.

    Otherwise they count as memory of this process until the file is closed: the network twice, once in each dtype.
    """
    cast = tensor.to(device, dtype)
    if mapped and sys.platform == "linux" and cast.data_ptr() != tensor.data_ptr():
        size, start = mmap.PAGESIZE, -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        length = (tensor.data_ptr() + tensor.nbytes - start) // size * size
        if length > 0:
            ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), mmap.MADV_DONTNEED)
    return cast


def read_pickle(path: Path, remedy: str = REMEDY) -> Any:
    """Unpickle tensors and plain containers, nothing else, mapping the file where its format allows.

    Raises ModelUnavailableError, which ends in `remedy`.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise ModelUnavailableError(f"{path} cannot be read ({error.strerror or error}): {remedy}.") from error
    except (pickle.UnpicklingError, UnicodeDecodeError) as error:
        raise ModelUnavailableError(
            f"{path} holds objects other than tensors, or is not a checkpoint: {remedy}."
        ) from error
    except Exception as error:  # damaged bytes can make the unpickler raise any exception
        raise ModelUnavailableError(f"{path} is truncated or damaged: {remedy}.") from error


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if not isinstance(content, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in content.items()
    ):
        raise ModelUnavailableError(f"{path} holds no named tensors: {REMEDY}.")
    return content


def _depth(state: dict[str, Tensor], blocks: str) -> int:
    """Count the blocks under a published name."""
    found = (re.match(rf"{re.escape(blocks)}\.(\d+)\.", key) for key in state)
    return 1 + max((int(m[1]) for m in found if m), default=-1)


def _config(croco: dict[str, Any], state: dict[str, Tensor]) -> CroCoDiLightConfig:
    """Read the sizes from `croco_kwargs`, and those that it lacks from the tensors."""
    if (pos_embed := croco.get("pos_embed", "RoPE100"))[:4] != "RoPE":
        raise ValueError(f"unknown position embedding {pos_embed}")
    width, dpt = croco["enc_embed_dim"], "croco.head.dpt"

    def channels(key: str) -> int:
        return state[f"{dpt}.{key}.weight"].shape[0]

    config = CroCoDiLightConfig(
        tile_size=croco["img_size"],
        patch_size=croco.get("patch_size", 16),
        width=width,
        encoder_heads=croco["enc_num_heads"],
        encoder_depth=croco["enc_depth"],
        encoder_mlp_ratio=state["croco.enc_blocks.0.mlp.fc1.weight"].shape[0] / width,
        delighting_depth=_depth(state, "lighting_extractor.base_blocks"),
        relighting_depth=_depth(state, "lighting_entangler.base_blocks"),
        decoder_depth=_depth(state, "croco.out_dec_blocks"),
        mlp_ratio=state["croco.out_dec_blocks.0.mlp.fc1.weight"].shape[0] / width,
        dpt_widths=(
            channels("act_1_postprocess.0"),
            channels("act_2_postprocess.0"),
            channels("act_3_postprocess.0"),
            channels("act_4_postprocess.0"),
        ),
        dpt_features=channels("scratch.layer1_rn"),
        dpt_output_widths=(channels("head.0"), channels("head.2")),
        rope_base=float(pos_embed[4:]),
    )
    if config.patch_size != STRIDE or config.tile_size % (2 * STRIDE):
        raise ValueError(f"tiles are not multiples of {2 * STRIDE} in patches of {STRIDE}: {croco}")
    if width % (4 * config.encoder_heads) or width % (4 * config.heads):
        raise ValueError(f"sizes are not divisible: {croco}")
    if config.decoder_depth <= max(config.decoder_taps):
        raise ValueError(f"the decoder has only {config.decoder_depth} blocks")
    return config


def _load_strictly(
    module: nn.Module,
    path: Path,
    state: dict[str, Tensor],
    names: list[tuple[str, str]],
    device: str,
    dtype: torch.dtype,
) -> None:
    """Load the tensors of a published file, renamed, into a module; no key may be missing or surplus."""
    found = {_rename(key, names): tensor for key, tensor in state.items() if not UNUSED.match(key)}
    expected = module.state_dict()
    back = [(ours, theirs) for theirs, ours in names]
    faults = {
        "missing": [_rename(key, back) for key in expected if key not in found],
        "surplus": [_rename(key, back) for key in found if key not in expected],
        "of another shape": [
            f"{_rename(k, back)} {tuple(found[k].shape)} for {tuple(expected[k].shape)}"
            for k in expected
            if k in found and found[k].shape != expected[k].shape
        ],
    }
    if any(faults.values()):
        listed = "; ".join(f"{fault}: {_first_few(keys)}" for fault, keys in faults.items() if keys)
        raise ModelUnavailableError(f"{path} does not fit the network ({listed}): {REMEDY}.")
    mapped = zipfile.is_zipfile(path)
    module.load_state_dict(
        {k: _cast(t, device, dtype, mapped=mapped) for k, t in found.items()}, strict=True, assign=True
    )


def _rename(key: str, names: list[tuple[str, str]]) -> str:
    return next((new + key.removeprefix(old) for old, new in names if key.startswith(old)), key)


def _first_few(keys: Iterable[str], most: int = 4) -> str:
    listed = sorted(keys)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
