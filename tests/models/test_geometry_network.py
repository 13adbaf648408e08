"""The geometry network: any size, whole views, and the encoder's published layout."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relight_cli.models.efficientnet_lite import CHANNELS, EfficientNetLite
from relight_cli.models.geometry import GeometryConfig, GeometryNetwork, decode_surfaces


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


def test_gradients_pass_after_a_look(network: GeometryNetwork) -> None:
    """Angles of a size that were first needed in inference mode serve a refinement later."""
    picture = torch.rand(1, 3, 160, 64)  # a size that no other test needs
    with torch.inference_mode():
        network(picture)
    maps = [one.requires_grad_() for one in network.encoder(picture)]
    decode_surfaces(maps, network.view(maps[-1]), network.fusions, network.head).sum().backward()
    assert all(one.grad is not None and one.grad.abs().max() > 0 for one in maps)


def test_the_far_end_of_a_view_counts(network: GeometryNetwork) -> None:
    """What is seen at one end changes the other, beyond the reach of the convolutions."""
    picture = torch.rand(1, 3, 32, 1600)
    other = picture.clone()
    other[..., -32:] = 0
    one, two = network(picture).normals, network(other).normals
    assert not torch.allclose(one[..., :32], two[..., :32], atol=1e-6)
