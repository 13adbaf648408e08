"""Build a Blender scene from a photo: its surfaces as a mesh with its albedo, its camera, and a light of relight-cli.

    blender --python relight_scene.py -- photo.jpg --light golden-hour
    python relight_scene.py photo.jpg --light look.toml --save scene.blend --render picture.png   (with bpy from PyPI)

relight-cli finds albedo, depth and normals (--layers) and writes the light (--save-light); this script needs only what
Blender's own Python has: NumPy and OpenImageIO.
"""

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))  # Blender does not add the folder of its script

from scene_data import Array, Layers, Look, environment, exposure, grid, read_layers, read_look, to_world

NOT_PHOTOS = (".toml", ".hdr", ".exr")  # files of --light that are no reference photos
SENSOR = 36.0  # millimetres: the width of the camera's sensor
STEPS = 400  # of the smoothing of an estimated depth


def parse(words: list[str]) -> argparse.Namespace:
    """Return the arguments that follow `--` in Blender, or all of them."""
    parser = argparse.ArgumentParser(prog="relight_scene.py", description=__doc__.splitlines()[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("--light", help="preset, look.toml, environment map or reference; default: the photo's own")
    parser.add_argument("--depth", type=Path, help="depth map of the photo, as of refine-depth; default: estimated")
    parser.add_argument("--model", help="of relight-cli")
    parser.add_argument("--distance", type=float, default=5.0, help="metres from the camera to the middle depth")
    parser.add_argument("--smooth", type=int, help="steps that smooth the depth; default: 0 with --depth, else 400")
    parser.add_argument("--side", type=int, default=512, help="vertices along the longer side of the mesh, at most")
    parser.add_argument("--relight-cli", default="relight-cli", metavar="PROGRAM", help="where relight-cli is")
    parser.add_argument("--save", type=Path, metavar="FILE.blend", help="write the scene")
    parser.add_argument("--render", type=Path, metavar="FILE.png", help="render a picture with Cycles")
    parser.add_argument("--samples", type=int, default=64, help="samples per pixel of --render")
    parser.add_argument("--percent", type=int, default=100, help="size of --render, of the photo's")
    return parser.parse_args(words[words.index("--") + 1 :] if "--" in words else words)


def main(words: list[str]) -> None:
    """Build the scene, then save and render it if that is asked for."""
    options = parse(words)
    if not options.photo.is_file():
        sys.exit(f"relight_scene: {options.photo}: no such file; check the path")
    with tempfile.TemporaryDirectory() as folder:
        layers, look = run_relight_cli(options, Path(folder))
    steps = (0 if options.depth else STEPS) if options.smooth is None else options.smooth
    build(layers, look, distance=options.distance, side=options.side, smooth=steps)
    import bpy

    scene = bpy.context.scene
    if options.save:
        bpy.ops.file.pack_all()
        bpy.ops.wm.save_as_mainfile(filepath=str(options.save.resolve()))
    if options.render:
        scene.cycles.samples = options.samples
        scene.render.resolution_percentage = options.percent
        scene.render.filepath = str(options.render.resolve())
        bpy.ops.render.render(write_still=True)


def run_relight_cli(options: argparse.Namespace, folder: Path) -> tuple[Layers, Look]:
    """Return the layers of the photo and the light, both made by relight-cli. Exits with its line if it fails."""
    program = shutil.which(options.relight_cli)
    if program is None:
        sys.exit(f"relight_scene: {options.relight_cli} is not found; install relight-cli, or give --relight-cli")
    light = options.light or str(options.photo)
    command = [program, "relight", f"--light={light}", f"--save-light={folder / 'look.toml'}"]
    command += [f"--layers={folder / 'layers.exr'}", f"--output={folder / 'relit.exr'}"]
    command += ["--working-space=linear-srgb", "--quiet"]
    if Path(light).is_file() and Path(light).suffix.lower() not in NOT_PHOTOS:
        command.append("--reference=scene")
    command += [f"--model={options.model}"] if options.model else []
    command += [f"--depth={options.depth}"] if options.depth else []
    done = subprocess.run([*command, "--", str(options.photo)], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return read_layers(folder / "layers.exr"), read_look(folder / "look.toml")


def build(layers: Layers, look: Look, *, distance: float, side: int, smooth: int) -> None:
    """Replace what is in Blender by the scene."""
    import bpy

    bpy.ops.wm.read_homefile(use_empty=True)
    scene = bpy.context.scene
    add_mesh(scene, grid(layers, side, distance, smooth), layers.albedo)
    add_camera(scene, layers)
    for number, sun in enumerate(look.suns, 1):
        add_sun(scene, sun, f"Sun {number}")
    set_world(scene, look)
    scene.render.engine = "CYCLES"
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.exposure = exposure(layers, look)


def image_of(name: str, pixels: Array, space: str = "Linear Rec.709") -> Any:
    """Return a float image of pixels (H, W, 3), bottom row first."""
    import bpy

    height, width, _ = pixels.shape
    image = bpy.data.images.new(name, width, height, float_buffer=True)
    image.colorspace_settings.name = space
    image.pixels.foreach_set(np.concatenate((pixels, np.ones((height, width, 1))), axis=-1).astype(np.float32).ravel())
    image.update()
    image.pack()
    return image


def add_mesh(scene: Any, surfaces: tuple[Array, Array, Array, Array], albedo: Array) -> None:
    """Add surfaces, as of `grid`, with the albedo (H, W, 3) as the colour of a diffuse material."""
    import bpy

    vertices, normals, textures, faces = surfaces
    mesh = bpy.data.meshes.new("Photo")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.uv_layers.new(name="Photo").uv.foreach_set("vector", textures[corners].astype(np.float32).ravel())
    mesh.shade_smooth()
    mesh.normals_split_custom_set_from_vertices(normals.tolist())
    material = bpy.data.materials.new("Albedo")
    nodes, links = node_tree(material)
    texture, diffuse, output = (
        nodes.new(kind) for kind in ("ShaderNodeTexImage", "ShaderNodeBsdfDiffuse", "ShaderNodeOutputMaterial")
    )
    texture.image = image_of("Albedo", albedo[::-1].clip(0, 1))
    links.new(texture.outputs["Color"], diffuse.inputs["Color"])
    links.new(diffuse.outputs["BSDF"], output.inputs["Surface"])
    mesh.materials.append(material)
    scene.collection.objects.link(bpy.data.objects.new("Photo", mesh))


def node_tree(owner: Any) -> tuple[Any, Any]:
    """Return the empty nodes and the links of a material or a world."""
    if owner.node_tree is None:  # from Blender 6.0 on it is always there
        owner.use_nodes = True
    owner.node_tree.nodes.clear()
    return owner.node_tree.nodes, owner.node_tree.links


def add_camera(scene: Any, layers: Layers) -> None:
    """Add the camera of the photo in the origin, looking along y."""
    import bpy

    height, width = layers.depth.shape
    camera = bpy.data.cameras.new("Camera")
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", SENSOR
    camera.lens = layers.focal * SENSOR / width
    camera.clip_start, camera.clip_end = 0.01, 1e5
    holder = bpy.data.objects.new("Camera", camera)
    holder.rotation_euler = (math.pi / 2, 0, 0)
    scene.collection.objects.link(holder)
    scene.camera = holder
    scene.render.resolution_x, scene.render.resolution_y = width, height


def add_sun(scene: Any, sun: dict[str, Array], name: str) -> None:
    """Add a sun: its strength is the irradiance of a surface that faces it, times pi (see `environment`)."""
    import bpy
    from mathutils import Vector

    brightest = float(sun["irradiance"].max())
    lamp = bpy.data.lights.new(name, "SUN")
    lamp.energy = math.pi * brightest
    lamp.color = (sun["irradiance"] / max(brightest, 1e-12)).tolist()
    lamp.angle = 2 * math.radians(float(sun["radius"]))
    holder = bpy.data.objects.new(name, lamp)
    holder.rotation_euler = Vector(to_world(sun["direction"]).tolist()).to_track_quat("Z", "Y").to_euler()
    scene.collection.objects.link(holder)


def set_world(scene: Any, look: Look) -> None:
    """Light the scene with the harmonics; the camera sees the sky of the look, if it has one."""
    import bpy

    scene.world = bpy.data.worlds.new("Light")
    nodes, links = node_tree(scene.world)
    texture, light, output = (
        nodes.new(kind) for kind in ("ShaderNodeTexEnvironment", "ShaderNodeBackground", "ShaderNodeOutputWorld")
    )
    texture.image = image_of("Harmonics", environment(look))
    links.new(texture.outputs["Color"], light.inputs["Color"])
    links.new(light.outputs["Background"], output.inputs["Surface"])
    if look.sky is not None:
        path, sky, mix = (
            nodes.new(kind) for kind in ("ShaderNodeLightPath", "ShaderNodeBackground", "ShaderNodeMixShader")
        )
        sky.inputs["Color"].default_value = (*look.sky.tolist(), 1)
        links.new(path.outputs["Is Camera Ray"], mix.inputs["Fac"])
        links.new(light.outputs["Background"], mix.inputs[1])
        links.new(sky.outputs["Background"], mix.inputs[2])
        links.new(mix.outputs["Shader"], output.inputs["Surface"])


if __name__ == "__main__":
    main(sys.argv[1:])
