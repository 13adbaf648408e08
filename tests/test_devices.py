import pytest
import torch

from relight_cli.devices import choose, device_error
from relight_cli.errors import DeviceError, UsageError


def test_dtypes() -> None:
    assert choose("cpu", "float32").dtype == torch.float32
    assert not choose("cpu", "float32").fused_attention
    assert choose("cpu", "bfloat16").dtype == torch.bfloat16
    automatic = choose("cpu", "auto")
    assert automatic.fused_attention
    assert automatic.dtype in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize("name", ["toaster", "cuda:x", "cpu:1", ""])
def test_unknown_devices_are_usage(name: str) -> None:
    with pytest.raises(UsageError, match="choose auto, cpu"):
        choose(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_device_is_named() -> None:
    with pytest.raises(DeviceError, match="cuda:3"):
        choose("cuda:3")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_out_of_memory_is_told_in_one_sentence(error: Exception) -> None:
    known = device_error(error)
    assert known is not None
    assert known.exit_code == 7
    assert "--tile-batch" in str(known)


def test_other_errors_are_not_the_devices() -> None:
    assert device_error(RuntimeError("shape mismatch")) is None
    assert device_error(ValueError("x")) is None
