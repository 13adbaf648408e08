"""The scene for Blender: its geometry and light here, and the scene itself where a Python with bpy is named."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenImageIO
import pytest
from command_line import Command

import relight_cli as rl

FOLDER = Path(__file__).parent.parent.parent / "integrations" / "blender"
BPY_PYTHON = os.environ.get("RELIGHT_BPY_PYTHON")  # the Python of an environment with bpy, OpenImageIO and numpy<2
sys.path.insert(0, str(FOLDER))
import scene_data  # noqa: E402


def readme_commands() -> list[str]:
    """The lines of the README that install Blender as a Python module and run the script with it."""
    return re.findall(r"^(?:python3\.11 |blender/bin/).*$", (FOLDER / "README.md").read_text(), re.MULTILINE)


@pytest.fixture
def made(command: Command, tmp_path: Path) -> Path:
    """A folder with layers.exr and look.toml of a photo, and its depth."""
    picture = np.kron(np.random.default_rng(4).uniform(0.2, 0.7, (6, 8, 3)), np.ones((8, 8, 1)))
    rl.write_photo(rl.Photo((picture * 255).astype(np.uint8)), tmp_path / "photo.jpg")
    np.savez(tmp_path / "depth.npz", depth=np.tile(np.linspace(3, 2, 48, dtype=np.float32)[:, None], (1, 64)))
    done = command(
        *("relight", "photo.jpg", "--model", "tiny", "--light", "golden-hour", "--save-light", "look.toml"),
        *("--layers", "layers.exr", "-o", "relit.exr", "--working-space", "linear-srgb", "--depth", "depth.npz"),
    )
    assert (done.code, done.err) == (0, "")
    return tmp_path


def test_surfaces_and_light_are_those_of_the_tool(made: Path) -> None:
    layers, look = scene_data.read_layers(made / "layers.exr"), scene_data.read_look(made / "look.toml")
    assert np.allclose(layers.depth, np.load(made / "depth.npz")["depth"], rtol=0.02)
    relit = OpenImageIO.ImageInput.open(str(made / "relit.exr")).read_image(format=OpenImageIO.FLOAT)
    assert np.abs(layers.colours.clip(0, 1) - relit).max() < 0.01
    theirs = rl.load_light(str(made / "look.toml"))
    assert np.allclose(scene_data.irradiance(look, layers.normals), theirs.irradiance(layers.normals), rtol=1e-3)
    shown = layers.albedo * scene_data.irradiance(look, layers.normals) * 2 ** scene_data.exposure(layers, look)
    assert np.median(shown) == pytest.approx(np.median(layers.colours), rel=0.3)
    # and the mesh is what the camera sees
    vertices, normals, textures, faces = scene_data.grid(layers, 512, 5.0)
    height, width = layers.depth.shape
    column = width / 2 + layers.focal * vertices[:, 0] / vertices[:, 1]  # the camera looks along y, z is up
    row = height / 2 - layers.focal * vertices[:, 2] / vertices[:, 1]
    assert np.allclose(textures, np.stack((column / width, 1 - row / height), axis=-1), atol=1e-6)
    assert np.median(vertices[:, 1]) == pytest.approx(5.0, rel=1e-3)
    a, b, d = (vertices[faces[:, n]] for n in (0, 1, 3))
    across = np.cross(b - a, d - a)
    assert (np.einsum("nc,nc->n", across, a) < 0).all()  # each face shows its front to the camera
    assert normals[:, 2].mean() > 0  # the ground faces up
    few = scene_data.grid(layers, 16, 5.0)[0]
    assert len(few) < len(vertices) / 8
    sky = scene_data.Layers(layers.colours, layers.albedo, layers.depth, layers.normals, layers.depth > 2.6, 50.0)
    assert len(scene_data.grid(sky, 512, 5.0)[3]) < len(faces) * 0.7


def test_the_environment_lights_as_the_harmonics_do() -> None:
    rows = np.random.default_rng(6).uniform(-0.03, 0.03, (9, 3))
    look = scene_data.Look(rows + np.eye(9)[:, :1] * 0.5, (), None)  # nowhere negative, which Blender would cut off
    width = 128
    pixels = scene_data.environment(look, width)
    around, above = np.meshgrid(
        (0.5 - (np.arange(width) + 0.5) / width) * 2 * np.pi, (1 - (np.arange(width // 2) + 0.5) / (width // 2)) * np.pi
    )
    world = np.stack((np.sin(above) * np.cos(around), np.sin(above) * np.sin(around), np.cos(above)), axis=-1)
    weight = np.sin(above) * (2 * np.pi / width) * (np.pi / (width // 2))
    for normal in np.concatenate((np.eye(3), -np.eye(3))):
        cosine = (world @ scene_data.to_world(normal)).clip(0, None)
        seen = np.einsum("hwc,hw->c", pixels, cosine * weight) / np.pi  # as Blender shows a white surface
        assert np.allclose(seen, scene_data.irradiance(look, normal), rtol=2e-3)


def test_smoothing_takes_bumps_and_keeps_edges() -> None:
    rng = np.random.default_rng(0)
    depth = np.where(np.arange(60) < 30, 2.0, 3.0) * np.exp(rng.normal(0, 0.004, (40, 60)))
    smooth = scene_data.smoothed(depth, 200)
    assert np.log(smooth[:, :25]).std() < np.log(depth[:, :25]).std() / 4
    assert np.diff(smooth, axis=1)[:, 29].min() > 0.9
    assert np.allclose(scene_data.smoothed(depth, 0), depth)


def test_the_readme_installs_what_the_tests_use() -> None:
    make = (FOLDER.parents[1] / "Makefile").read_text()
    environment, install, _ = readme_commands()
    assert environment == "python3.11 -m venv blender"
    assert install.removeprefix("blender/bin/pip install ") in make


@pytest.mark.skipif(not BPY_PYTHON, reason="RELIGHT_BPY_PYTHON names no Python with bpy")
def test_blender_builds_and_renders_the_scene(made: Path) -> None:
    *_, run = readme_commands()
    words = shlex.split(run)[1:]
    words[0] = str(FOLDER / words[0])
    more = ["--depth", "depth.npz", "--model", "tiny", "--samples", "16"]
    more += ["--relight-cli", str(Path(sys.executable).with_name("relight-cli"))]
    subprocess.run([BPY_PYTHON, *words, *more], cwd=made, check=True, capture_output=True)
    script = (
        "import bpy, json, sys; bpy.ops.wm.open_mainfile(filepath='scene.blend'); s = bpy.context.scene;"
        "n = bpy.data.node_groups.new('c', 'CompositorNodeTree').nodes.new('CompositorNodeImage');"
        "n.image = bpy.data.images.load(sys.argv[1]);"
        "print('FOUND' + json.dumps([{o.name: o.type for o in s.objects}, {o.name: o.type for o in n.outputs},"
        "s.camera.data.lens, len(s.objects['Photo'].data.vertices)]))"
    )
    asked = [BPY_PYTHON, "-c", script, made / "layers.exr"]
    out = subprocess.run(asked, cwd=made, check=True, capture_output=True, text=True).stdout
    objects, passes, lens, vertices = json.loads(out.partition("FOUND")[2])
    assert objects == {"Photo": "MESH", "Camera": "CAMERA", "Sun 1": "LIGHT"}
    kinds = {"Combined": "RGBA", "albedo": "RGBA", "depth": "VALUE", "normals": "VECTOR", "shadow": "VALUE"}
    assert kinds.items() <= passes.items()  # the passes of --layers, as the compositor names them
    assert (lens, vertices) == (pytest.approx(50 * np.hypot(64, 48) / 64 * 36 / np.hypot(36, 24), rel=1e-3), 48 * 64)
    picture = rl.read_photo(made / "picture.png").to_srgb()
    relit = rl.read_photo(made / "relit.exr").to_srgb().clip(0, 1)
    assert picture.shape == relit.shape
    assert abs(picture[4:-4, 4:-4].mean() - relit[4:-4, 4:-4].mean()) < 0.1
