"""The geometry network inside the package."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from rendered_geometry import layout, view

from relight_cli.checkpoints import geometry
from relight_cli.errors import ModelUnavailableError
from relight_cli.relighting.estimated_geometry import estimate_geometry, surface_maps


def test_the_network_in_the_package_knows_a_ground_with_a_ball() -> None:
    known = view(layout(balls=[((0.0, 0.6, 0.0), (0.6, 0.6, 0.6), 0.0, 3)]), 120, 160)
    network = geometry.load_geometry()
    found = estimate_geometry(network, known.picture, known.focal)
    angle = np.degrees(np.arccos((found.normals * known.normals).sum(-1).clip(-1, 1)))
    assert angle.mean() < 30
    assert angle.mean() < np.degrees(np.arccos(known.normals[..., 2].clip(-1, 1))).mean()
    nearness = np.corrcoef((1 / found.depth).ravel(), known.disparity.ravel())[0, 1]
    assert nearness > 0.7
    assert found.sky.mean() < 0.2


def test_any_picture_has_finite_geometry_in_its_own_size() -> None:
    network = geometry.load_geometry()
    for size in [(1, 1), (3, 200), (90, 40), (500, 300)]:
        picture = np.full((*size, 3), np.nan if size == (3, 200) else 0.5, np.float32)
        found = estimate_geometry(network, picture, 50.0)
        assert found.depth.shape == found.sky.shape == size
        assert np.isfinite(found.depth).all()
        assert np.allclose(np.linalg.norm(found.normals, axis=-1), 1, atol=1e-3)
    assert max(surface_maps(network, np.zeros((800, 300, 3), np.float32))[0].shape) == network.config.side


def test_the_file_is_named_by_its_hash_and_a_damaged_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = geometry._FILE.read_bytes()
    assert geometry.geometry_sha256() == hashlib.sha256(data).hexdigest()
    assert len(data) < 8e6
    cut = tmp_path / "geometry.safetensors"
    cut.write_bytes(data[: len(data) // 2])
    monkeypatch.setattr(geometry, "_FILE", cut)
    with pytest.raises(ModelUnavailableError, match="install relight-cli again"):
        geometry.load_geometry()
