"""The albedo network inside the package."""

import hashlib
from pathlib import Path

import pytest
import torch
from skimage import data

from relight_cli.checkpoints import albedo, geometry, tiny
from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.models import load_model
from relight_cli.errors import ModelUnavailableError
from relight_cli.models.interface import ALBEDO, SHADOW
from relight_cli.models.tiny import Tiny


def test_only_what_needs_albedo_loads_the_network() -> None:
    model = load_model("tiny", tasks=("relight", "deshadow"), device="cpu")
    assert isinstance(model.network, Tiny)
    assert model.network.whole_views.mapper_names == (SHADOW,)
    full = load_model("tiny", tasks=("albedo",), device="cpu").network
    assert full.whole_views
    assert full.whole_views.mapper_names == (SHADOW, ALBEDO)


def test_what_looks_for_shadows_knows_the_sky() -> None:
    photo = torch.from_numpy(data.camera()).expand(1, 3, -1, -1) / 255  # a man before grass, houses and the sky
    views = load_model("tiny", tasks=("deshadow",), device="cpu").network.whole_views
    assert views
    sky = views.sky(photo)
    assert sky.shape == (1, 1, 512, 512)
    assert sky[..., :60, :].mean() > 0.9
    assert sky[..., 260:, :].max() < 0.01
    changed = views.look(SHADOW, photo).change(SHADOW).abs().mean(dim=1, keepdim=True)
    assert changed[sky > 0.9].mean() > 0.01  # there is something to keep


def test_its_encoder_is_that_of_the_geometry_network() -> None:
    own, shared = albedo.load_albedo().encoder.state_dict(), load_geometry().encoder.state_dict()
    assert all(torch.equal(value, shared[name]) for name, value in own.items())


def test_the_hash_is_of_all_that_tiny_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = albedo._FILE.read_bytes()
    parts = tiny._FILE.read_bytes() + body + geometry._FILE.read_bytes()
    assert tiny.tiny_sha256() == hashlib.sha256(parts).hexdigest()
    assert len(body) < 10e6
    cut = tmp_path / "albedo.safetensors"
    cut.write_bytes(body[: len(body) // 2])
    monkeypatch.setattr(albedo, "_FILE", cut)
    with pytest.raises(ModelUnavailableError, match="install relight-cli again"):
        albedo.load_albedo()
