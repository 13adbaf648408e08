"""The geometry network: any size, whole views, and the encoder's published layout."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relight_cli.models.efficientnet_lite import CHANNELS, EfficientNetLite
from relight_cli.models.geometry import GeometryConfig, GeometryNetwork


@pytest.fixture(scope="module")
def network() -> GeometryNetwork:
    torch.manual_seed(0)
    return GeometryNetwork(GeometryConfig(width=16)).eval().requires_grad_(False)


@settings(max_examples=10, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_maps_have_the_pictures_size(network: GeometryNetwork, height: int, width: int) -> None:
    maps = network(torch.rand(2, 3, height, width))
    assert [tuple(m.shape) for m in maps] == [(2, c, height, width) for c in (1, 3, 1)]
    assert (maps.disparity > 0).all()
    assert torch.allclose(maps.normals.norm(dim=1), torch.ones(2, height, width), atol=1e-4)
    assert ((maps.sky >= 0) & (maps.sky <= 1)).all()


def test_pictures_of_a_batch_do_not_touch_each_other(network: GeometryNetwork) -> None:
    pictures = torch.rand(2, 3, 64, 96)
    both, alone = network(pictures), network(pictures[1:])
    for one, other in zip(both, alone, strict=True):
        assert torch.allclose(one[1:], other, atol=1e-4)


def test_the_encoder_gives_maps_at_strides_4_to_32() -> None:
    maps = EfficientNetLite().eval()(torch.rand(1, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (1, channels, 64 // stride, 96 // stride) for channels, stride in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]
