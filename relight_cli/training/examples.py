"""The example photos: one still life in a cool high light and in a warm low one.

`python -m relight_cli.training.examples` renders examples/photo.jpg and examples/reference.jpg.
"""

from pathlib import Path

from torch import Tensor

from relight_cli.training.scenes.camera import develop
from relight_cli.training.scenes.layouts import Layout
from relight_cli.training.scenes.lights import Light, temperature_colour
from relight_cli.training.scenes.scenes import Scene, SceneOptions, render_scenes
from relight_cli.training.scenes.shadow_masks import ShadowMask
from relight_cli.training.scenes.textures import Material, Vector
from relight_cli.training.sheets import save_picture

_OPTIONS = SceneOptions(size=(480, 720), lights=2, shadow_rays=72, ambient_rays=36, supersampling=3)
_WINDOW = [
    (-0.62, -0.8, 0.62, 0.8, 0.0),
    (0.0, -0.8, 0.0, 0.8, 0.035),
    (-0.62, -0.25, 0.62, -0.25, 0.03),
    (-0.62, 0.3, 0.62, 0.3, 0.03),
]


def _material(pattern: str, size: float, *colours: Vector, grain: float = 0.1, dirt: float = 0.1) -> Material:
    first, second, third = (*colours, colours[-1], colours[-1])[:3]
    return Material(pattern, size, 0.0, (first, second, third), grain, dirt, 0.0, 1234)


def _still_life() -> Layout:
    layout = Layout(
        [
            _material("wood", 0.17, (0.4, 0.24, 0.12), (0.27, 0.15, 0.07), grain=0.15),
            _material("plain", 1.0, (0.5, 0.5, 0.5)),
            _material("clouds", 1.0, (0.5, 0.6, 0.7)),
        ],
        eye=(0.12, 0.62, 1.5),
        target=(0.03, 0.17, 0.0),
        field_of_view=0.56,
        facing=(0.0, 0.8, 0.6),
        span=1.2,
    )
    add = layout.add_material
    plaster = add(_material("stains", 0.7, (0.62, 0.58, 0.5), (0.54, 0.5, 0.43), (0.45, 0.4, 0.34), grain=0.2))
    layout.boxes.append(((0, 1, -0.62), (4, 1, 0.1), 0.0, plaster))
    _add_books(layout)
    _add_bottles(layout)
    _add_fruit(layout)
    return layout


def _add_books(layout: Layout) -> None:
    add = layout.add_material
    covers: list[Vector] = [(0.08, 0.16, 0.3), (0.5, 0.34, 0.1), (0.6, 0.56, 0.47)]
    for k, (cover, yaw) in enumerate(zip(covers, (0.2, 0.42, 0.12), strict=True)):
        half = (0.17 - 0.015 * k, 0.02 + 0.004 * (k == 0), 0.115 - 0.008 * k)
        layout.boxes.append(((-0.36, 0.024 + 0.044 * k, -0.02), half, yaw, add(_material("plain", 0.2, cover))))
    ball = add(_material("stripes", 0.13, (0.65, 0.6, 0.52), (0.45, 0.09, 0.07), (0.1, 0.12, 0.25)))
    layout.balls.append(((-0.38, 0.2, -0.02), (0.068, 0.068, 0.068), 0.7, ball))
    note = add(_material("writing", 0.16, (0.75, 0.72, 0.65), (0.7, 0.67, 0.6), (0.06, 0.06, 0.08), dirt=0.0))
    layout.boxes.append(((-0.08, 0.002, 0.3), (0.13, 0.002, 0.09), -0.25, note))
    pencil = add(_material("plain", 0.1, (0.6, 0.42, 0.06)))
    layout.rods.append(((-0.12, 0.012, 0.27), (0.07, 0.012, 0.35), 0.007, pencil))


def _add_bottles(layout: Layout) -> None:
    add = layout.add_material
    glaze = add(_material("plain", 0.2, (0.1, 0.26, 0.22), (0.14, 0.32, 0.26), grain=0.2, dirt=0.3))
    layout.rods.append(((-0.02, 0.06, -0.2), (-0.02, 0.24, -0.2), 0.075, glaze))
    layout.rods.append(((-0.02, 0.25, -0.2), (-0.02, 0.43, -0.2), 0.026, glaze))
    tin = add(_material("checker", 0.09, (0.6, 0.56, 0.48), (0.13, 0.2, 0.33)))
    layout.boxes.append(((0.52, 0.12, -0.24), (0.07, 0.12, 0.07), 0.5, tin))


def _add_fruit(layout: Layout) -> None:
    add = layout.add_material
    clay = add(_material("plain", 0.2, (0.36, 0.16, 0.09), (0.42, 0.2, 0.12), grain=0.3))
    layout.balls.append(((0.28, 0.06, -0.02), (0.17, 0.062, 0.17), 0.0, clay))
    orange = add(_material("plain", 0.05, (0.75, 0.28, 0.04), (0.8, 0.33, 0.05), grain=0.2))
    apple = add(_material("plain", 0.08, (0.4, 0.06, 0.04), (0.5, 0.22, 0.06), dirt=0.4))
    lemon = add(_material("plain", 0.05, (0.75, 0.58, 0.08), (0.7, 0.5, 0.06)))
    for x, z, radius, fruit in ((0.22, 0.03, 0.062, orange), (0.34, 0.0, 0.06, apple), (0.27, -0.1, 0.062, orange)):
        layout.balls.append(((x, 0.15, z), (radius, radius, radius), 0.0, fruit))
    layout.balls.append(((0.42, 0.042, 0.24), (0.062, 0.042, 0.042), 0.6, lemon))
    layout.balls.append(((0.16, 0.047, 0.27), (0.047, 0.047, 0.047), 0.0, apple))


def _tinted(kelvin: float, gain: float) -> Vector:
    red, green, blue = temperature_colour(kelvin)
    return (red * gain, green * gain, blue * gain)


def render_example(options: SceneOptions = _OPTIONS) -> tuple[Tensor, Tensor]:
    """Render the still life twice, (3, H, W) sRGB each: cool from high on the left, warm from low on the right."""
    cool = Light((-520, 760, 480), 9.0, 1040, _tinted(7400, 1.25), _tinted(9000, 0.42), _tinted(7500, 0.36))
    warm = Light((760, 330, 420), 6.0, 930, _tinted(3500, 2.3), _tinted(6000, 0.3), _tinted(5000, 0.27))
    leaves = ShadowMask("foliage", 1.1, 2.2, [], 7, 0.22, 0.4)
    window = ShadowMask("opening", 0.72, 1.6, _WINDOW, 0, 0.0, 0.05)
    views = render_scenes([Scene(_still_life(), [cool, warm], [leaves, window])], options)
    first, second = develop(views.albedo[0] * views.shading[0], 0.4, knee=0.75)
    return first, second


def main() -> None:
    """Write both photos to examples/ in the working folder."""
    folder = Path("examples")
    folder.mkdir(exist_ok=True)
    for picture, name in zip(render_example(), ("photo.jpg", "reference.jpg"), strict=True):
        save_picture(picture, folder / name)


if __name__ == "__main__":
    main()
