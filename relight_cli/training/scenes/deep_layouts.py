"""Layouts with more depth than those of `layouts`: streets to the horizon, hills, people, halls."""

import math
from random import Random

from relight_cli.training.scenes.layouts import (
    _GROUNDS,
    _WALLS,
    Layout,
    _add_fence,
    _add_thing,
    _add_tree,
    _base,
    sample_layout,
)
from relight_cli.training.scenes.textures import sample_material

DEEP = 0.55  # share of deep layouts among varied ones


def _add_person(random: Random, layout: Layout, x: float, z: float, tall: float) -> None:
    """Put a person of `tall` metres on the ground: head, trunk, arms and legs."""
    skin = layout.add_material(sample_material(random, ["plain"], 0.3, tint=0.2))
    cloth = layout.add_material(sample_material(random, ["plain", "stripes", "checker"], 0.2, tint=0.8))
    legs = layout.add_material(sample_material(random, ["plain"], 0.3, tint=0.6))
    yaw, lean = random.uniform(0, 2 * math.pi), random.gauss(0, 0.02) * tall
    layout.balls.append(((x + lean, tall * 0.93, z), (tall * 0.05, tall * 0.07, tall * 0.06), yaw, skin))
    layout.balls.append(((x, tall * 0.66, z), (tall * 0.12, tall * 0.2, tall * 0.08), yaw, cloth))
    c, s = math.cos(yaw), math.sin(yaw)
    for side in (-1, 1):
        hip, foot = side * tall * 0.05, side * tall * random.uniform(0.05, 0.12)
        layout.rods.append(
            ((x + hip * c, tall * 0.5, z - hip * s), (x + foot * c, 0.02, z - foot * s), tall * 0.045, legs)
        )
        hand = side * tall * random.uniform(0.14, 0.28)
        shoulder = (x + side * tall * 0.11 * c, tall * 0.8, z - side * tall * 0.11 * s)
        layout.rods.append(
            (shoulder, (x + hand * c, tall * random.uniform(0.42, 0.7), z - hand * s), tall * 0.028, cloth)
        )


def _add_car(random: Random, layout: Layout, x: float, z: float, along: bool) -> None:
    """Put a car on the ground, along the street or across it."""
    paint = layout.add_material(sample_material(random, ["plain"], 2.0, tint=0.9))
    dark = layout.add_material(sample_material(random, ["plain"], 2.0, tint=0.1))
    yaw = (math.pi / 2 if along else 0.0) + random.gauss(0, 0.1)
    length, wide, tall = random.uniform(1.8, 2.4), random.uniform(0.8, 0.95), random.uniform(0.4, 0.55)
    layout.boxes.append(((x, 0.3 + tall, z), (length, tall, wide), yaw, paint))
    layout.boxes.append(((x, 0.3 + 2.6 * tall, z), (length * 0.6, tall * 0.7, wide * 0.9), yaw, dark))
    c, s = math.cos(yaw), math.sin(yaw)
    for front in (-0.65, 0.65):
        for side in (-0.9, 0.9):
            at = (x + front * length * c + side * wide * s, 0.32, z - front * length * s + side * wide * c)
            layout.balls.append((at, (0.33, 0.33, 0.15), yaw, dark))


def _avenue(random: Random) -> Layout:
    """Look along a street between rows of houses or trees, with cars and people."""
    turn, tall = random.gauss(0, 0.12), random.uniform(1.2, 2.2)
    layout = _base(
        random,
        _GROUNDS,
        random.uniform(0.5, 1.5),
        eye=(random.uniform(-1.5, 1.5), tall, 4.0),
        target=(30 * turn, tall + random.uniform(-4, 2), -30.0),
        field_of_view=math.radians(random.uniform(28, 60)),
        facing=(0.0, 0.9, 0.45),
        span=8.0,
    )
    wide = random.uniform(3.5, 10)
    for side in (-1, 1):
        z, trees = random.uniform(-4, 4), random.random() < 0.4
        for _ in range(random.randint(2, 7)):
            if trees:
                _add_tree(random, layout, side * wide * random.uniform(0.9, 1.4), z, random.uniform(3.5, 9))
                z -= random.uniform(4, 12)
                continue
            half = (random.uniform(2, 5), random.uniform(1.5, 7), random.uniform(3, 9))
            house = layout.add_material(sample_material(random, _WALLS, random.uniform(0.5, 3.0)))
            layout.boxes.append(((side * (wide + half[0]), half[1], z - half[2]), half, random.gauss(0, 0.05), house))
            z -= 2 * half[2] + random.choice([0, 0, random.uniform(0, 8)])
    for _ in range(random.randint(0, 4)):
        _add_car(
            random, layout, random.choice([-1, 1]) * wide * random.uniform(0.3, 0.8), random.uniform(-40, -2), True
        )
    for _ in range(random.randint(0, 3)):
        _add_person(random, layout, random.uniform(-1, 1) * wide, random.uniform(-25, 0), random.uniform(1.5, 1.9))
    return layout


def _landscape(random: Random) -> Layout:
    """Look at open country: hills to the horizon, trees, a house, a fence."""
    tall = math.exp(random.uniform(math.log(1.4), math.log(9)))
    layout = _base(
        random,
        ["grass", "grass", "asphalt", "stains", "pebbles", "plain"],
        random.uniform(0.5, 4.0),
        eye=(0.0, tall, 6.0),
        target=(random.uniform(-4, 4), tall * random.uniform(0.4, 1.0) + random.uniform(-1, 2), -25.0),
        field_of_view=math.radians(random.uniform(30, 60)),
        facing=(0.0, 0.9, 0.45),
        span=10.0,
    )
    green = layout.add_material(sample_material(random, ["grass", "stains", "pebbles"], random.uniform(1, 8), tint=0.1))
    for _ in range(random.randint(1, 6)):
        z = -math.exp(random.uniform(math.log(15), math.log(140)))
        radii = (random.uniform(0.3, 1.2) * -z, random.uniform(0.03, 0.3) * -z, random.uniform(0.2, 0.5) * -z)
        layout.balls.append(((random.uniform(-0.8, 0.8) * -z, 0.0, z - radii[2]), radii, random.uniform(0, 3), green))
    for _ in range(random.randint(0, 6)):
        z = -math.exp(random.uniform(0, math.log(60))) + 3
        _add_tree(random, layout, random.uniform(-0.6, 0.6) * (8 - z), z, random.uniform(2.5, 8))
    if random.random() < 0.4:
        house = layout.add_material(sample_material(random, _WALLS, random.uniform(0.4, 1.5)))
        half = (random.uniform(2, 5), random.uniform(1.5, 3), random.uniform(2, 4))
        at = (random.uniform(-12, 12), half[1], random.uniform(-35, -8))
        layout.boxes.append((at, half, random.uniform(-0.7, 0.7), house))
    if random.random() < 0.3:
        _add_fence(random, layout, random.uniform(-3, 3), random.uniform(-6, 0), random.uniform(0.8, 1.4))
    for _ in range(random.choice([0, 0, 1, 2, 4])):
        _add_thing(random, layout, random.uniform(-4, 4), random.uniform(-10, 2), random.uniform(0.4, 2.0))
    return layout


def _portrait(random: Random) -> Layout:
    """Look at one to three people from near, before a wall, houses or open ground."""
    tall, away = random.uniform(1.5, 1.9), math.exp(random.uniform(math.log(0.9), math.log(6)))
    layout = _base(
        random,
        _GROUNDS,
        random.uniform(0.4, 1.5),
        eye=(0.0, tall * random.uniform(0.75, 1.05), away),
        target=(random.uniform(-0.2, 0.2), tall * (0.85 if away < 2 else random.uniform(0.4, 0.8)), 0.0),
        field_of_view=math.radians(random.uniform(25, 50)),
        facing=(0.0, 0.3, 0.95),
        span=0.8 * away + 0.5,
    )
    _add_person(random, layout, random.uniform(-0.15, 0.15) * away, 0.0, tall)
    for _ in range(random.choice([0, 0, 1, 2])):
        _add_person(random, layout, random.uniform(-0.5, 0.5) * away, random.uniform(-3, 0.2), random.uniform(1.4, 1.9))
    if random.random() < 0.6:
        wall = layout.add_material(sample_material(random, _WALLS + ["crop"] * 3, random.uniform(0.3, 1.2)))
        at = (0.0, 3.0, -random.uniform(0.8, 12))
        layout.boxes.append((at, (40.0, random.choice([3.0, 8.0]), 0.3), random.gauss(0, 0.3), wall))
    for _ in range(random.randint(0, 3)):
        _add_tree(random, layout, random.uniform(-6, 6), random.uniform(-14, -2), random.uniform(2.0, 6.0))
    return layout


def _hall(random: Random) -> Layout:
    """Look through a large furnished room: cupboards at the walls, tables, beds, things and people."""
    half = (random.uniform(2, 5), random.uniform(1.2, 2.0), random.uniform(2, 7))
    layout = _base(
        random,
        ["wood", "wood", "tiles", "plain", "stains", "checker"],
        random.uniform(0.2, 0.8),
        eye=(half[0] * random.uniform(-0.7, 0.7), random.uniform(0.9, 1.9), half[2] * 0.92),
        target=(half[0] * random.uniform(-0.6, 0.6), random.uniform(0.2, 1.3), -half[2] * random.uniform(0.1, 0.8)),
        field_of_view=math.radians(random.uniform(42, 65)),
        facing=(0.0, 0.8, 0.6),
        span=3.0,
        indoors=True,
        room=half,
    )
    for _ in range(random.randint(2, 7)):  # cupboards, shelves and beds with their backs to a wall
        box = (random.uniform(0.3, 1.1), random.choice([0.25, 0.45, 0.9, 1.0]), random.uniform(0.2, 0.5))
        skin = layout.add_material(sample_material(random, ["wood", "plain", "crop", "stripes"], 0.5))
        wall, along = random.randrange(3), random.uniform(-0.9, 0.7)
        side = half[0] - box[2]
        at = (
            (along * half[0], box[1], box[2] - half[2]) if wall == 2 else ((-1) ** wall * side, box[1], along * half[2])
        )
        layout.boxes.append((at, box, 0.0 if wall == 2 else math.pi / 2, skin))
        if box[1] < 0.6:
            _add_thing(random, layout, at[0], at[2], random.uniform(0.2, 0.5), floor=2 * box[1])
    for _ in range(random.randint(0, 3)):
        place = (random.uniform(-0.7, 0.7) * half[0], random.uniform(-0.9, 0.4) * half[2])
        _add_thing(random, layout, *place, random.uniform(0.4, 1.2))
    if random.random() < 0.35:
        place = (random.uniform(-0.6, 0.6) * half[0], random.uniform(-0.8, 0.3) * half[2])
        _add_person(random, layout, *place, random.uniform(1.5, 1.85))
    return layout


def sample_deep_layout(random: Random) -> Layout:
    """Draw a scene of any of these kinds."""
    layout: Layout = random.choice([_avenue, _landscape, _portrait, _hall])(random)
    return layout


def sample_varied_layout(random: Random) -> Layout:
    """Draw a layout to train on: deep ones, and plain ones of which half of the bare grounds are left out."""
    if random.random() < DEEP:
        return sample_deep_layout(random)
    while True:
        layout = sample_layout(random)
        things = len(layout.boxes) + len(layout.balls) + len(layout.rods)
        if things > 1 or random.random() < 0.3:
            return layout
