"""Pairs for the agreement network, and its training."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file

from relight_cli.training import agreement, light_pairs
from relight_cli.training.agreement import train
from relight_cli.training.light_pairs import LightPairs, LitSources

SIDE = 64


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make small pairs, of few lights."""
    for module, names in ((light_pairs, {"DRAWN": 12, "CELLS": (8, 21)}), (agreement, {"LIGHTS": 4, "CELLS": (8, 17)})):
        for name, value in ({"SIDE": SIDE} | names).items():
            monkeypatch.setattr(module, name, value)


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
    pairs = [maker.pair() for _ in range(40)]
    for pair in pairs:
        for picture in (pair.photo, pair.truth, pair.reference):
            assert picture.shape == (SIDE, SIDE, 3)
            assert picture.dtype == np.float32
            assert ((picture >= 0) & (picture <= 1 + 1e-6)).all()
        assert set(np.unique(pair.patch)) <= {0, 1}
    shares = np.array([pair.patch.mean() for pair in pairs])
    assert (shares == 0).any()
    assert (shares > 0.02).any()
    # What is not pasted over differs from the truth by softness alone: its means over large areas are the truth's.
    far = [cv2.dilate(pair.patch, np.ones((27, 27))) == 0 for pair in pairs]
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
        file = tmp_path / f"{steps}.safetensors"
        train(*sources, file, count=6, steps=steps, seed=3, start=None, rate=4e-3)
        return load_file(file)

    first, second = trained(2), trained(4)
    assert first.keys() == second.keys()
    assert all((first[name] != second[name]).any() for name in first)
