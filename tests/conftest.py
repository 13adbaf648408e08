import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Run, make_command
from forked import COMMAND_LINE, run_forked
from standin import write_standin
from tiny_diffusion import write_tiny

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo


def pytest_configure() -> None:
    """Restore Ctrl-C for commands under test: background jobs and their children ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with the stand-in checkpoints that the pictures in reference/ were computed with."""
    return write_standin(tmp_path_factory.mktemp("standin"))


@pytest.fixture(scope="session")
def small_standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with stand-in checkpoints of a network that takes a fiftieth of the time."""
    return write_standin(tmp_path_factory.mktemp("small_standin"), small=True)


@pytest.fixture(scope="session")
def tiny_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with tiny networks for depth refinement and their manifest."""
    return write_tiny(tmp_path_factory.mktemp("parts"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command line as a process in an empty folder, offline."""

    def run(*arguments: str | Path, input: bytes | None = None, **environment: str) -> subprocess.CompletedProcess:  # noqa: A002
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("RELIGHT_", "HF_"))}
        own = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "XDG_CONFIG_HOME": str(tmp_path / ".config")}
        return run_forked(COMMAND_LINE, arguments, cwd=tmp_path, env=clean | own | environment, input=input)

    return run


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> Command:
    """Run the command line in this process, in an empty folder."""
    return make_command(monkeypatch, capfdbinary, tmp_path)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A small picture in two lights: photo.png and reference.png, in the folder of `run`."""
    rng = np.random.default_rng(5)
    texture = np.kron(rng.uniform(0.2, 0.8, (12, 16, 3)), np.ones((10, 10, 1)))
    ramp = np.linspace(0.4, 1.1, texture.shape[1])[None, :, None] * np.array([1.1, 1.0, 0.8])
    for name, light in (("photo", 1.0), ("reference", ramp)):
        pixels = (np.clip(texture * light, 0, 1) * 255).round().astype(np.uint8)
        write_photo(Photo(pixels), tmp_path / f"{name}.png")
    return tmp_path
