"""LPIPS against its formula (Zhang et al., CVPR 2018, equation 1), and what happens without its backbone."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from small_training import write_backbone

import relight_cli
from relight_cli.checkpoints.lpips import load_lpips
from relight_cli.checkpoints.weights import LookUp
from relight_cli.errors import ModelUnavailableError
from relight_cli.models.lpips import Backbone

DATA = Path(relight_cli.__file__).parent / "data" / "lpips"


@pytest.fixture(scope="module")
def alex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backbone(tmp_path_factory.mktemp("backbone") / "alexnet.pth")


def silent(line: str) -> None:
    pass


def test_the_distance_is_that_of_the_formula(alex: Path) -> None:
    """d = sum over levels l of the mean over places of |w_l * (y_l - z_l)|^2, with w_l^2 in the file of weights."""
    metric = load_lpips("alex", alex, LookUp(offline=True), silent)
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.rand(2, 3, 64, 72, generator=generator) for _ in range(2))
    raw = torch.load(alex, weights_only=True)

    def levels(picture: torch.Tensor) -> list[np.ndarray]:
        x = (2 * picture - 1 - torch.tensor([-0.030, -0.088, -0.188])[:, None, None]) / torch.tensor(
            [0.458, 0.448, 0.450]
        )[:, None, None]
        found = []
        for number, stride, padding, pool in ((0, 4, 2, False), (3, 1, 2, True), (6, 1, 1, True)):
            x = F.max_pool2d(x, 3, 2) if pool else x
            weight, bias = raw[f"features.{number}.weight"], raw[f"features.{number}.bias"]
            x = F.conv2d(x, weight, bias, stride, padding).relu()
            found.append(x)
        for number in (8, 10):
            x = F.conv2d(x, raw[f"features.{number}.weight"], raw[f"features.{number}.bias"], 1, 1).relu()
            found.append(x)
        return [one.double().numpy() for one in found]

    weights = load_file(DATA / "alex.safetensors")
    expected = np.zeros(2)
    for level, (y, z) in enumerate(zip(levels(a), levels(b), strict=True)):
        y, z = (one / (np.sqrt(np.square(one).sum(1, keepdims=True)) + 1e-10) for one in (y, z))
        squared = weights[f"lin{level}"].double().numpy()[None, :, None, None] * np.square(y - z)
        expected += squared.sum(1).mean((1, 2))
    np.testing.assert_allclose(metric(a, b).numpy(), expected, rtol=1e-4)
    assert metric(a, a).abs().max() == 0
    torch.testing.assert_close(metric(a, b), metric(b, a))


def test_black_pictures_have_a_gradient(alex: Path) -> None:
    metric = load_lpips("alex", alex, LookUp(offline=True), silent)
    picture = torch.zeros(1, 3, 64, 64, requires_grad=True)
    metric(picture, torch.rand(1, 3, 64, 64)).sum().backward()
    assert picture.grad is not None
    assert picture.grad.isfinite().all()
    assert picture.grad.any()


def test_the_levels_of_vgg_are_those_of_the_paper() -> None:
    sizes = [tuple(level.shape[1:]) for level in Backbone("vgg")(torch.zeros(1, 3, 32, 32))]
    assert sizes == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (512, 2, 2)]
    weights = load_file(DATA / "vgg.safetensors")
    assert [len(weights[f"lin{level}"]) for level in range(5)] == [64, 128, 256, 512, 512]
    assert all((weight >= 0).all() for weight in weights.values())


def test_the_licence_of_the_weights_is_beside_them() -> None:
    assert "Richard Zhang" in (DATA / "LICENSE").read_text()
    notice = DATA.parents[2] / "NOTICE"
    assert "Richard Zhang" in notice.read_text(encoding="utf-8")


def test_a_damaged_backbone_is_refused(alex: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(alex.read_bytes()).hexdigest()[:8]
    right, wrong = tmp_path / f"alexnet-owt-{digest}.pth", tmp_path / "alexnet-owt-00000000.pth"
    for path in (right, wrong):
        path.write_bytes(alex.read_bytes())
    assert load_lpips("alex", right, LookUp(offline=True), silent)
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "small.safetensors")
    for path, words in ((wrong, "00000000"), (tmp_path / "small.safetensors", "convolutions"), (None, "needs a file")):
        with pytest.raises(ModelUnavailableError, match=words) as raised:
            load_lpips("alex", path, LookUp(offline=True), silent)
        assert '"gradients"' in str(raised.value)


def test_the_backbone_comes_from_the_weights_folder(tmp_path: Path) -> None:
    """A file of another hash than the published one is refused before it is read."""
    folder = tmp_path / "vgg16.tv_in1k"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"not the published file")
    with pytest.raises(ModelUnavailableError, match="is not the published file"):
        load_lpips("vgg", None, LookUp(tmp_path, offline=True), silent)
