"""Pairs for the light transfer network, and its training."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file

from relight_cli.training.light_pairs import SIDE, LightPairs, LitSources
from relight_cli.training.light_transfer import train


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    """Return folders of photos and of rendered views, as noise with some structure."""
    rng = np.random.default_rng(0)
    photos, views = tmp_path / "photos", tmp_path / "views"
    photos.mkdir()
    views.mkdir()
    for n in range(10):  # eight are held out
        coarse = rng.integers(0, 255, (9, 12, 3), np.uint8)
        cv2.imwrite(str(photos / f"{n}.png"), cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_NEAREST))
    normals = rng.normal(size=(2, 3, 60, 80)) + np.array([0, 0, 2.0])[:, None, None]
    light = rng.uniform(0.05, 0.5, (2, 7, 60, 80))
    shard = np.concatenate((light, normals / np.linalg.norm(normals, axis=1, keepdims=True)), axis=1)
    np.save(views / "views_00000000.npy", shard.astype(np.float16))
    return photos, views


def test_pairs_are_light_and_know_what_was_pasted(sources: tuple[Path, Path]) -> None:
    maker = LightPairs(LitSources.of(*sources), 1)
    pairs = [maker.pair() for _ in range(60)]
    for pair in pairs:
        for picture in (pair.photo, pair.truth, pair.reference):
            assert picture.shape == (SIDE, SIDE, 3)
            assert picture.dtype == np.float32
            assert ((picture >= 0) & (picture <= 1)).all()
        assert set(np.unique(pair.patch)) <= {0, 1}
    shares = np.array([pair.patch.mean() for pair in pairs])
    assert (shares == 0).any()
    assert (shares > 0.02).any()
    # What is not pasted over differs from the truth by softness alone: its means over large areas are the truth's.
    far = [cv2.dilate(pair.patch, np.ones((41, 41))) == 0 for pair in pairs]
    errors = [
        np.abs((p.reference - p.truth)[where].mean()) for p, where in zip(pairs, far, strict=True) if where.mean() > 0.3
    ]
    assert len(errors) > 10
    assert np.median(errors) < 0.02


def test_the_same_seed_makes_the_same_pairs(sources: tuple[Path, Path]) -> None:
    first, second = (LightPairs(LitSources.of(*sources), 7).pair() for _ in range(2))
    assert (first.reference == second.reference).all()
    assert (first.photo == second.photo).all()


def test_training_changes_every_parameter(sources: tuple[Path, Path], tmp_path: Path) -> None:
    def trained(steps: int) -> dict:
        train(*sources, tmp_path / "run", steps=steps, batch=2, seed=3, start=None)
        return load_file(tmp_path / "run" / "light_transfer.safetensors")

    first, second = trained(1), trained(3)
    assert first.keys() == second.keys()
    assert all((first[name] != second[name]).any() for name in first)
