"""Pictures with known sky, and the training of the decoder of the sky on them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from relight_cli.checkpoints import geometry
from relight_cli.training import sky, sky_pictures
from relight_cli.training.geometry_pictures import GeometryViews
from relight_cli.training.sky_pictures import SkyPhotos, SkyPictures


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """17 photos of blue over brown, masks for all but the last, and two views whose upper halves are sky."""
    rng = np.random.default_rng(0)
    for name in ("photos", "masks", "views"):
        (tmp_path / name).mkdir()
    for number in range(17):
        horizon = 20 + 2 * number
        picture = np.where(np.arange(96)[:, None, None] < horizon, (120, 160, 230), (110, 80, 40))
        grain = rng.integers(-9, 10, (96, 128, 3))
        Image.fromarray((picture + grain).astype(np.uint8)).save(tmp_path / f"photos/{number:02}.png")
        mask = np.where(np.arange(96)[:, None] < horizon, 255, 0) + np.zeros((1, 128))
        if number < 16:
            Image.fromarray(mask.astype(np.uint8)).save(tmp_path / f"masks/{number:02}.png")
    views = np.zeros((2, 10, 48, 64), np.float16)
    views[:, :6], views[:, 6, 24:], views[:, 9, 24:] = 0.3, 0.2, 1
    np.save(tmp_path / "views/views_00000000.npy", views)
    return tmp_path


def photos_of(folder: Path) -> SkyPhotos:
    return SkyPhotos(sorted((folder / "photos").iterdir()), folder / "masks")


def test_pictures_keep_their_masks_under_another_sky(folders: Path) -> None:
    photos = photos_of(folders)
    assert photos.with_sky == list(range(16))
    skies = [photos.sky((32, 48), np.random.default_rng(seed)) for seed in range(4)]
    assert any(sky is not None for sky in skies)
    assert all((sky[2] > sky[0] + 0.2).all() for sky in skies if sky is not None)  # nothing but blue
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sky_pictures, "OTHER_SKY", 1.0)
        patched.setattr(sky_pictures, "OF_PHOTOS", 1.0)
        patched.setattr(sky_pictures, "photographed", lambda linear, rng: linear)
        pictures = SkyPictures(photos, GeometryViews(folders / "views"))
        del photos.pictures[16], photos.masks[16]  # the one without a mask
        batches = [pictures.draw(2, np.random.default_rng(seed)) for seed in range(6)]
    assert {value for _, masks in batches for value in masks.unique().tolist()} == {0.0, 1.0}
    for batch, masks in batches:
        blue = batch[:, 2:] > batch[:, :1]
        assert (blue == (masks == 1)).float().mean() > 0.97  # but for the border


def test_what_is_unknown_teaches_nothing(folders: Path) -> None:
    pictures = SkyPictures(photos_of(folders), GeometryViews(folders / "views"))
    pictures.photos.masks = [np.full_like(mask, 128) for mask in pictures.photos.masks]
    assert pictures.photos.crop((32, 32), np.random.default_rng(0))[1].unique().tolist() == [128]
    drawn = [pictures.draw(4, np.random.default_rng(seed))[1] for seed in range(2)]
    assert any((masks == -1).all(dim=(1, 2, 3)).any() for masks in drawn)
    for path in (folders / "masks").iterdir():
        Image.fromarray(np.full((96, 128), 128, np.uint8)).save(path)
    photos = photos_of(folders)
    with pytest.raises(ValueError, match="no mask"):
        SkyPictures(photos, GeometryViews(folders / "views"))
    masks = torch.tensor([1.0, 0, -1, -1]).reshape(1, 1, 2, 2)
    logits = torch.tensor([30.0, -30, 30, -30]).reshape(1, 1, 2, 2)
    assert sky.sky_loss(logits, masks) < 1e-6
    assert sky.sky_loss(-logits, masks) > 20
    far = torch.zeros(1, 1, 40, 40)
    far[..., :20, :] = 1
    wrong = torch.where(far == 1, 5.0, -5.0)
    at_the_border, elsewhere = wrong.clone(), wrong.clone()
    at_the_border[..., 19, :], elsewhere[..., 2, :] = -5, -5
    assert sky.sky_loss(at_the_border, far) > 2 * sky.sky_loss(elsewhere, far)


def test_a_run_learns_resumes_and_changes_nothing_but_the_sky(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sky_pictures, "SIDES", (64,) * 5)
    target = tmp_path / "geometry.safetensors"
    shutil.copy(str(geometry._FILE), target)
    before = load_file(target)
    places = [folders / name for name in ("photos", "masks", "views", "run")]
    options = {"held_out": folders / "views", "batch": 1, "rate": 1e-3}
    sky.main(*places, steps=1, **options)
    sky.main(*places, steps=2, export=target, **options)
    lines = [json.loads(line) for line in (folders / "run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    after = load_file(target)
    changed = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert changed
    assert all(key.startswith("sky.") for key in changed)
    with safe_open(target, "pt") as file:
        described = file.metadata()
    assert [part["from_step"] for part in json.loads(described["sky"])["recipe"]] == [0, 1]
    assert "sky_iou" not in json.loads(described["figures"])
    assert set(json.loads(described["sky"])["figures"]) >= {"photos_iou", "photos_wrong", "views_iou"}
