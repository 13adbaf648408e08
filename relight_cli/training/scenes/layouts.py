"""The layout of a scene: ground, walls, objects, camera; one draw per seed."""

import math
from dataclasses import dataclass, field
from random import Random

from relight_cli.training.scenes.textures import Material, sample_material

Vector = tuple[float, float, float]

_GROUNDS = [
    "asphalt",
    "asphalt",
    "grass",
    "tiles",
    "bricks",
    "pebbles",
    "stains",
    "plain",
    "wood",
    "writing",
    "stripes",
    "checker",
]
_FLOORS = ["wood", "wood", "tiles", "checker", "plain", "stains", "stripes"]
_WALLS = ["bricks", "bricks", "plain", "plain", "stains", "wood", "tiles", "writing", "stripes"]
_THINGS = ["plain", "plain", "checker", "stripes", "stains", "wood", "writing", "bricks", "tiles"]


@dataclass
class Layout:
    """One scene: y is up, the ground is y = 0, lengths are metres.

    Materials 0, 1 and 2 are the ground, the walls of the room, and the sky.
    """

    materials: list[Material]
    eye: Vector
    target: Vector
    field_of_view: float  # radians, along the picture's shorter side
    facing: Vector  # normal of the main surface in the picture
    span: float  # metres, about the width of the picture's content
    canvas: int = 0  # material of the main surface: the ground, or a wall that faces z
    indoors: bool = False
    room: Vector = (500.0, 500.0, 500.0)  # half the room's edges; its floor is the ground
    boxes: list[tuple[Vector, Vector, float, int]] = field(default_factory=list)  # centre, half, yaw, material
    balls: list[tuple[Vector, Vector, float, int]] = field(default_factory=list)  # centre, radii, yaw, material
    rods: list[tuple[Vector, Vector, float, int]] = field(default_factory=list)  # start, end, radius, material

    def add_material(self, material: Material) -> int:
        """Add a material and return its index."""
        self.materials.append(material)
        return len(self.materials) - 1


def _base(random: Random, grounds: list[str], ground_size: float, **places: object) -> Layout:
    materials = [
        sample_material(random, grounds, ground_size, tint=0.25),
        sample_material(random, _WALLS, 0.5),
        sample_material(random, ["clouds"], random.uniform(0.3, 1.0)),
    ]
    return Layout(materials, **places)  # type: ignore[arg-type]


def _add_thing(random: Random, layout: Layout, x: float, z: float, size: float, floor: float = 0.0) -> None:
    """Put a box, ball, flat stack, egg or post of about `size` on the floor at (x, z)."""
    material = layout.add_material(sample_material(random, _THINGS, size * random.uniform(0.3, 1.2), tint=0.7))
    yaw, kind = random.uniform(0, 2 * math.pi), random.random()
    if kind < 0.42:
        half = tuple(size * random.uniform(0.2, 0.7) for _ in range(3))
        layout.boxes.append(((x, floor + half[1], z), (half[0], half[1], half[2]), yaw, material))
        if random.random() < 0.35:
            top = tuple(h * random.uniform(0.35, 0.8) for h in half)
            up = floor + 2 * half[1] + top[1]
            layout.boxes.append(((x, up, z), (top[0], top[1], top[2]), yaw + random.uniform(-0.6, 0.6), material))
    elif kind < 0.68:
        radius = size * random.uniform(0.25, 0.55)
        layout.balls.append(((x, floor + radius, z), (radius, radius, radius), yaw, material))
    elif kind < 0.82:
        radii = tuple(size * random.uniform(0.15, 0.6) for _ in range(3))
        layout.balls.append(((x, floor + radii[1], z), (radii[0], radii[1], radii[2]), yaw, material))
    else:
        radius, tall = size * random.uniform(0.05, 0.22), size * random.uniform(0.6, 1.8)
        lean = (x + random.uniform(-0.2, 0.2) * tall, floor + tall, z + random.uniform(-0.2, 0.2) * tall)
        layout.rods.append(((x, floor - radius * 0.5, z), lean, radius, material))


def _add_tree(random: Random, layout: Layout, x: float, z: float, tall: float) -> None:
    bark = layout.add_material(sample_material(random, ["wood"], 0.15))
    leaves = layout.add_material(sample_material(random, ["grass"], tall * 0.15))
    lean = (x + random.uniform(-0.1, 0.1) * tall, tall * 0.7, z + random.uniform(-0.1, 0.1) * tall)
    layout.rods.append(((x, -0.1, z), lean, tall * random.uniform(0.02, 0.05), bark))
    for _ in range(random.randint(3, 6)):
        centre = (
            lean[0] + random.gauss(0, 0.16) * tall,
            lean[1] + random.uniform(-0.1, 0.3) * tall,
            lean[2] + random.gauss(0, 0.16) * tall,
        )
        radii = tuple(tall * random.uniform(0.1, 0.2) for _ in range(3))
        layout.balls.append((centre, (radii[0], radii[1], radii[2]), random.uniform(0, 3), leaves))


def _add_fence(random: Random, layout: Layout, x: float, z: float, tall: float) -> None:
    material = layout.add_material(sample_material(random, ["wood", "plain"], 0.4))
    yaw, gap = random.uniform(-0.7, 0.7), tall * random.uniform(0.2, 0.5)
    posts = random.randint(4, 7)
    c, s = math.cos(yaw), math.sin(yaw)
    half = tall * random.uniform(0.02, 0.06)
    for k in range(posts):
        along = (k - (posts - 1) / 2) * gap
        layout.boxes.append(((x + along * c, tall / 2, z - along * s), (half, tall / 2, half), yaw, material))
    for up in (0.35, 0.85):
        layout.boxes.append(((x, tall * up, z), (gap * posts / 2, half, half * 0.6), yaw, material))


def _close_ground(random: Random) -> Layout:
    """Look down at the ground, with up to a few things on it."""
    tall = random.uniform(0.8, 3.5)
    ahead = tall * math.tan(math.radians(random.uniform(0, 50)))
    layout = _base(
        random,
        _GROUNDS + ["crop"] * 5,
        tall * random.uniform(0.15, 0.6),
        eye=(0.0, tall, ahead),
        target=(0.0, 0.0, 0.0),
        field_of_view=math.radians(random.uniform(40, 65)),
        facing=(0.0, 1.0, 0.0),
        span=tall * 1.3,
    )
    for _ in range(random.choice([0, 0, 1, 2, 3])):
        x, z = (random.uniform(-0.6, 0.6) * tall for _ in range(2))
        _add_thing(random, layout, x, z, tall * random.uniform(0.1, 0.5))
    if random.random() < 0.35:  # a kerb, a step or the foot of a wall
        material = layout.add_material(sample_material(random, ["plain", "stains", "bricks", "tiles"], 0.4))
        half = (tall * 3, random.choice([0.06, 0.12, 1.5]), 0.3 * tall)
        layout.boxes.append(((0, half[1], -tall * random.uniform(0.4, 1.0)), half, random.uniform(-0.6, 0.6), material))
    if random.random() < 0.3:  # a post next to the camera, its foot in view
        _add_thing(random, layout, random.uniform(-1, 1) * tall, random.uniform(-0.6, 0.2) * tall, tall)
    return layout


def _close_wall(random: Random) -> Layout:
    """Face a wall, with a strip of ground and things in front of it."""
    away, yaw = random.uniform(1.5, 5.0), math.radians(random.uniform(-45, 45))
    look = random.uniform(0.6, 2.0)
    layout = _base(
        random,
        _GROUNDS,
        random.uniform(0.3, 1.2),
        eye=(away * math.sin(yaw), random.uniform(0.8, 2.0), away * math.cos(yaw)),
        target=(0.0, look, 0.0),
        field_of_view=math.radians(random.uniform(40, 65)),
        facing=(0.0, 0.3, 0.95),
        span=away * 1.2,
    )
    wall = layout.add_material(sample_material(random, _WALLS + ["crop"] * 3, random.uniform(0.25, 0.7)))
    layout.boxes.append(((0, 5.0, -0.5), (40.0, 5.0, 0.5), 0.0, wall))
    layout.canvas = wall
    if random.random() < 0.5:  # a ledge, awning or pier that casts a shadow along the wall
        trim = layout.add_material(sample_material(random, ["plain", "wood", "stains"], 0.5))
        deep = random.uniform(0.05, 0.35)
        flat = (random.uniform(0.4, 9), random.uniform(0.03, 0.12), deep)
        upright = (random.uniform(0.06, 0.4), 5.0, deep)
        centre = (random.uniform(-1, 1), look + random.uniform(0.2, 1.0), deep)
        is_flat = random.random() < 0.6
        layout.boxes.append((centre, flat if is_flat else upright, 0.0, trim))
    for _ in range(random.randint(0, 3)):
        _add_thing(random, layout, random.uniform(-1.5, 1.5), random.uniform(0.3, 1.4), random.uniform(0.3, 1.2))
    if random.random() < 0.3:
        _add_fence(random, layout, random.uniform(-1, 1), random.uniform(0.5, 1.5), random.uniform(0.8, 1.6))
    return layout


def _street(random: Random) -> Layout:
    """Look at eye level at houses, trees, fences and things on open ground."""
    layout = _base(
        random,
        _GROUNDS,
        random.uniform(0.4, 1.5),
        eye=(0.0, random.uniform(1.3, 4.0), 7.0),
        target=(random.uniform(-1, 1), random.uniform(-0.3, 0.8), 0.0),
        field_of_view=math.radians(random.uniform(42, 65)),
        facing=(0.0, 0.9, 0.45),
        span=5.0,
    )
    for _ in range(random.randint(0, 3)):
        house = layout.add_material(sample_material(random, _WALLS, random.uniform(0.3, 1.0)))
        half = (random.uniform(1.5, 5), random.uniform(1.2, 4), random.uniform(1, 3))
        side = random.choice([-1, 1])
        centre = (side * random.uniform(1, 6), half[1], random.uniform(-12, -3))
        layout.boxes.append((centre, half, random.uniform(-0.5, 0.5), house))
    for _ in range(random.randint(0, 2)):
        _add_tree(random, layout, random.uniform(-4, 4), random.uniform(-5, 3), random.uniform(2.0, 5.0))
    if random.random() < 0.4:
        _add_fence(random, layout, random.uniform(-2, 2), random.uniform(-2, 2.5), random.uniform(0.8, 1.4))
    for _ in range(random.randint(1, 4)):
        _add_thing(random, layout, random.uniform(-2.5, 2.5), random.uniform(-3, 3), random.uniform(0.5, 1.8))
    return layout


def _table_top(random: Random) -> Layout:
    """Look at small things on a table, with a backdrop; the table is the ground."""
    pitch, yaw = math.radians(random.uniform(15, 60)), random.uniform(-0.5, 0.5)
    away = random.uniform(1.0, 1.7)
    layout = _base(
        random,
        ["wood", "wood", "plain", "checker", "tiles", "stripes", "stains", "writing", "crop"],
        random.uniform(0.1, 0.4),
        eye=(away * math.cos(pitch) * math.sin(yaw), away * math.sin(pitch), away * math.cos(pitch) * math.cos(yaw)),
        target=(0.0, 0.1, 0.0),
        field_of_view=math.radians(random.uniform(35, 50)),
        facing=(0.0, 0.9, 0.45),
        span=1.2,
    )
    if random.random() < 0.75:
        wall = layout.add_material(sample_material(random, _WALLS, random.uniform(0.1, 0.4)))
        layout.boxes.append(((0, 2, -random.uniform(0.8, 1.5)), (6, 2, 0.1), random.uniform(-0.3, 0.3), wall))
    for k in range(random.randint(2, 6)):
        angle = 2.4 * k + random.uniform(-0.5, 0.5)  # golden angle: few collisions
        radius = 0.17 * math.sqrt(k + 0.3)
        _add_thing(random, layout, radius * math.sin(angle), radius * math.cos(angle), random.uniform(0.12, 0.32))
    return layout


def _room(random: Random) -> Layout:
    """Look into a furnished room."""
    half = (random.uniform(1.8, 3.5), random.uniform(1.2, 1.6), random.uniform(1.8, 3.5))
    yaw = random.uniform(-0.6, 0.6)
    layout = _base(
        random,
        _FLOORS,
        random.uniform(0.2, 0.8),
        eye=(half[0] * 0.8 * math.sin(yaw), random.uniform(1.0, 1.8), half[2] * 0.9),
        target=(random.uniform(-0.5, 0.5), random.uniform(0.3, 1.0), -half[2] * 0.5),
        field_of_view=math.radians(random.uniform(50, 70)),
        facing=(0.0, 0.8, 0.6),
        span=2.6,
        indoors=True,
        room=half,
    )
    for _ in range(random.randint(2, 5)):
        x, z = random.uniform(-0.8, 0.8) * half[0], random.uniform(-0.9, 0.25) * half[2]
        _add_thing(random, layout, x, z, random.uniform(0.5, 1.3))
    if random.random() < 0.6:  # a table
        top = layout.add_material(sample_material(random, ["wood", "plain", "stains"], 0.3))
        x, z = random.uniform(-0.5, 0.5) * half[0], random.uniform(-0.6, 0.1) * half[2]
        wide, deep, up = random.uniform(0.4, 0.8), random.uniform(0.3, 0.5), random.uniform(0.45, 0.75)
        layout.boxes.append(((x, up, z), (wide, 0.025, deep), 0.0, top))
        for sx in (-1, 1):
            for sz in (-1, 1):
                leg = (x + sx * (wide - 0.05), 0.0, z + sz * (deep - 0.05))
                layout.rods.append((leg, (leg[0], up, leg[2]), 0.025, top))
        _add_thing(random, layout, x, z, random.uniform(0.2, 0.4), floor=up + 0.025)
    return layout


_KINDS = [(_close_ground, 0.38), (_close_wall, 0.16), (_street, 0.18), (_table_top, 0.15), (_room, 0.13)]


def sample_layout(random: Random) -> Layout:
    """Draw a scene of any kind."""
    draws, weights = zip(*_KINDS, strict=True)
    layout: Layout = random.choices(draws, weights)[0](random)
    return layout
