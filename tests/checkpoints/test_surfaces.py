"""Which network estimates surfaces: Depth Anything V2 Small where it can be had, else the embedded one."""

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from mean_light import MeanLight
from photo_fixtures import noise
from tiny_diffusion import MANIFEST

from relight_cli.checkpoints import manifest, surfaces
from relight_cli.checkpoints.geometry import geometry_sha256
from relight_cli.checkpoints.surfaces import find_surfaces
from relight_cli.checkpoints.weights import LookUp
from relight_cli.models.depth_anything import DepthNetwork
from relight_cli.models.geometry import GeometryNetwork
from relight_cli.models.interface import Model
from relight_cli.photos.depth_files import DISPARITY, DepthMap
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting.estimated_geometry import depth_map_of
from relight_cli.relighting.lit_subject import working_copy

SIDE = 84  # six patches of the network
LIT = ("relight", "photo.png", "--light", "golden-hour")
TINY, PUBLISHED = (Model(MeanLight(), name, None, None) for name in ("tiny", "crocodilight"))


@pytest.fixture(scope="module")
def parts(tiny_parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder with a tiny Depth Anything alone, and a manifest that knows the relighting network too."""
    folder = tmp_path_factory.mktemp("surfaces")
    shutil.copytree(tiny_parts / surfaces.REPOSITORY, folder / surfaces.REPOSITORY)
    ours = next(x for x in MANIFEST.read_text().split("[[repository]]") if "CroCoDiLight.pth" in x)
    assert tomllib.loads(f"[[repository]]{ours}")
    (folder / "manifest.toml").write_text(f"{(tiny_parts / 'manifest.toml').read_text()}\n[[repository]]{ours}")
    return folder


@pytest.fixture(autouse=True)
def manifest_of_parts(parts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(manifest, "_PLACES", (parts / "manifest.toml",))
    monkeypatch.setenv("HF_HOME", str(tmp_path / ".hf"))
    write_photo(Photo(noise((SIDE, SIDE, 3), seed=4)), tmp_path / "photo.png")


def test_depth_anything_is_taken_where_it_is(parts: Path) -> None:
    notes: list[str] = []
    for model in (TINY, PUBLISHED):
        found = find_surfaces("auto", model, LookUp(parts, offline=True), notify=notes.append)
        assert all(isinstance(found.load(), DepthNetwork) for _ in range(2))
        assert found.sha256 == surfaces.expected_surfaces("auto", parts) != geometry_sha256()
    assert notes == []


@pytest.mark.parametrize(("model", "said"), [(TINY, "weights fetch Depth-Anything"), (PUBLISHED, "offline")])
def test_the_embedded_network_is_taken_else_with_one_line(model: Model, said: str) -> None:
    notes: list[str] = []
    found = find_surfaces("auto", model, LookUp(offline=True), notify=notes.append)
    assert notes == []
    assert isinstance(found.load(), GeometryNetwork)
    assert found.sha256 == surfaces.expected_surfaces("auto", None) == geometry_sha256()
    assert len(notes) == 1
    assert "embedded network" in notes[0]
    assert said in notes[0]


def test_tiny_stands_for_what_is_inside_the_package(parts: Path) -> None:
    notes: list[str] = []
    found = find_surfaces("tiny", TINY, LookUp(parts), notify=notes.append)
    assert isinstance(found.load(), GeometryNetwork)
    assert surfaces.expected_surfaces("tiny", parts) == geometry_sha256()
    assert notes == []


def test_the_command_lights_the_surfaces_of_depth_anything(command: Command, parts: Path, tmp_path: Path) -> None:
    """The result is that of the network's disparity in a file."""
    done = command(*LIT, "--weights-dir", parts, "-o", "found.png")
    assert done.code == 0, done.err
    assert "surfaces" not in done.err
    network = find_surfaces("auto", TINY, LookUp(parts, offline=True)).load()
    assert isinstance(network, DepthNetwork)
    copy = working_copy(read_photo(tmp_path / "photo.png"), SIDE, SIDE)
    found = depth_map_of(network, copy)
    assert isinstance(found, DepthMap)
    assert found.quantity == DISPARITY
    np.savez(tmp_path / "d.npz", disparity=found.values)
    assert command(*LIT, "--model", "tiny", "--depth", "d.npz", "-o", "given.png").code == 0
    assert command(*LIT, "--model", "tiny", "-o", "embedded.png").code == 0
    first, second, other = (read_photo(tmp_path / f"{n}.png").pixels for n in ("found", "given", "embedded"))
    assert (first == second).all()
    assert (first != other).any()


def test_outputs_are_made_again_when_depth_anything_arrives(command: Command, parts: Path, tmp_path: Path) -> None:
    done = command(*LIT)
    assert done.code == 0
    assert sum("surfaces are estimated by the embedded network" in line for line in done.lines) == 1
    made = (tmp_path / "photo_relit.png").read_bytes()
    assert command(*LIT, "--skip-existing").code == 0
    assert (tmp_path / "photo_relit.png").read_bytes() == made
    assert command(*LIT, "--skip-existing", "--weights-dir", parts).code == 0
    again = (tmp_path / "photo_relit.png").read_bytes()
    assert again != made
    assert command(*LIT, "--skip-existing", "--weights-dir", parts).code == 0
    assert (tmp_path / "photo_relit.png").read_bytes() == again


@pytest.mark.parametrize(
    "task", [("deshadow",), ("albedo",), ("relight", "--light", "photo.png", "--reference", "aligned")]
)
def test_layers_of_another_network_are_made_again(command: Command, parts: Path, task: tuple[str, ...]) -> None:
    pytest.importorskip("OpenEXR")
    words = (task[0], "photo.png", *task[1:], "--layers", "l.exr", "-o", "o.png", "--skip-existing", "-q")
    assert command(*words).code == 0
    embedded, seen = Path("l.exr").read_bytes(), []
    for _ in range(2):
        assert command(*words, "--weights-dir", parts).code == 0
        seen.append((Path("l.exr").stat().st_mtime_ns, Path("l.exr").read_bytes()))
    assert seen[0] == seen[1]
    assert seen[0][1] != embedded


def test_outputs_by_a_depth_map_and_a_reference_are_up_to_date(command: Command, parts: Path, tmp_path: Path) -> None:
    """The map tells the photo's surfaces; the network may have to tell those of the reference."""
    np.save(tmp_path / "d.npy", np.linspace(2, 3, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE))
    words = ("relight", "photo.png", "--light", "photo.png", "--depth", "d.npy", "-o", "o.png", "--skip-existing")
    seen = []
    for _ in range(2):
        assert command(*words, "--weights-dir", parts, "-q").code == 0
        seen.append((tmp_path / "o.png").stat().st_mtime_ns)
    assert seen[0] == seen[1]


def test_a_damaged_file_is_an_error(command: Command, parts: Path, tmp_path: Path) -> None:
    shutil.copytree(parts, tmp_path / "weights")
    damaged = tmp_path / "weights" / surfaces.REPOSITORY / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-8])
    done = command(*LIT, "--weights-dir", "weights", "-q")
    assert (done.code, len(done.lines)) == (6, 1)
    assert "model.safetensors" in done.err
