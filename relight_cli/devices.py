"""The device and the dtype that networks run with."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relight_cli.errors import DeviceError, UsageError

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16")
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed", "insufficient memory")


@contextmanager
def garbage_kept() -> Iterator[None]:
    """Collect no garbage while modules are imported, which leave none: a tenth of the time of `import torch`."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@dataclass(frozen=True)
class Compute:
    """The device and the dtype of a run."""

    device: str  # "cpu", "cuda", "cuda:1", "mps"
    dtype: "torch.dtype"
    dtype_is_auto: bool  # the dtype was not requested by name
    fused_attention: bool  # False if float32 was requested: it keeps the published order of rounding

    @property
    def tiny_dtype(self) -> "torch.dtype":
        """The dtype of `tiny`: float32 unless another one was requested.

        Its output is a gain on the photo's own pixels, where bfloat16 adds noise of 0.003 stops (measured on a smooth
        ramp), which is visible in 16-bit pictures.
        """
        import torch

        return torch.float32 if self.dtype_is_auto else self.dtype

    @property
    def tiny_workers(self) -> int:
        """The number of batches of tiles that `tiny` computes at a time: one per thread of torch on a CPU."""
        import torch

        return torch.get_num_threads() if self.device == "cpu" else 1

    @property
    def tile_batch(self) -> int:
        """The number of tiles at a time that uses the device well and needs little memory."""
        return 2 if self.device == "cpu" else 8


def choose(device: str = "auto", dtype: str = "auto") -> Compute:
    """Choose the device (CUDA, then MPS, then CPU) and the dtype (bfloat16 where it is fast, else float32).

    Raises UsageError for an unknown name, DeviceError for a device that is not available.
    """
    with garbage_kept():
        import torch

    if dtype not in ("auto", *DTYPES):
        raise UsageError(f"unknown --dtype '{dtype}': choose auto, {', '.join(DTYPES)}.")
    device = device.lower()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdigit())):
        raise UsageError(f"unknown --device '{device}': choose auto, cpu, cuda, cuda:N or mps.")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[kind]:
        raise DeviceError(f"device '{device}' is not available here: use --device auto, or see `relight-cli doctor`.")
    if kind == "cuda":  # deterministic results, and full float32 precision
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
    if dtype == "auto":
        dtype = "bfloat16" if multiplies_bfloat16(kind) else "float32"
        return Compute(device, getattr(torch, dtype), dtype_is_auto=True, fused_attention=True)
    return Compute(device, getattr(torch, dtype), dtype_is_auto=False, fused_attention=dtype != "float32")


def multiplies_bfloat16(kind: str) -> bool:
    """Return whether the device multiplies bfloat16 in hardware, faster than float32."""
    import torch

    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error means that the device or the machine ran out of memory."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)


def is_device_lost(error: Exception) -> bool:
    """Return whether an error means that the device failed: it computes nothing more in this process."""
    failed = "CUDA error" in str(error) or type(error).__name__ == "AcceleratorError"
    return failed and not is_out_of_memory(error)


def device_error(error: Exception) -> DeviceError | None:
    """Return a DeviceError for an error that means out of memory or a failed device, else None."""
    message = str(error)
    if is_out_of_memory(error):
        return DeviceError("out of memory: try --tile-batch 1, a smaller photo, or --device cpu.")
    if is_device_lost(error):
        return DeviceError(f"the device failed ({message.splitlines()[0]}): try --device cpu.")
    return None


def memory_bytes(device: str) -> int:
    """Return the memory of the device in bytes; 0 if the system does not report it."""
    import os

    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_properties(device).total_memory
    if device == "mps":
        return torch.mps.recommended_max_memory()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
