"""Surfaces that are hard to tell from light: dark patches in the shapes of shadows, chessboards, writing, skin, leaves.

They replace materials of a layout after it was drawn, so that the layout of a seed stays the same.
"""

from dataclasses import dataclass, replace
from random import Random

from relight_cli.training.scenes.layouts import Layout
from relight_cli.training.scenes.shadow_masks import ShadowMask, sample_mask
from relight_cli.training.scenes.textures import Material, Vector, sample_material

_FIXED = 3  # materials of every layout: ground, walls, sky
# Linear reflectances of skin, from light to dark, chosen by eye.
_SKINS: tuple[Vector, ...] = (
    (0.75, 0.52, 0.41),
    (0.62, 0.39, 0.27),
    (0.48, 0.27, 0.17),
    (0.32, 0.16, 0.09),
    (0.17, 0.08, 0.045),
    (0.07, 0.035, 0.022),
)


@dataclass(frozen=True)
class Patch:
    """A part of the main surface that is of another material; its outline is that of a shadow."""

    shape: ShadowMask  # the patch is where it blocks the light
    material: int


def _times(colour: Vector, gain: float) -> Vector:
    return (colour[0] * gain, colour[1] * gain, colour[2] * gain)


def _darker(material: Material, gain: float) -> Material:
    first, second, third = (_times(colour, gain) for colour in material.colours)
    return replace(material, colours=(first, second, third))


def _chessboard(random: Random, material: Material) -> Material:
    light, dark = random.uniform(0.35, 0.8), random.uniform(0.03, 0.12)
    white, black = _times(_warm(random), light), _times(_warm(random), dark)
    return replace(material, pattern="checker", colours=(white, black, black), dirt=0.0)


def _warm(random: Random) -> Vector:
    warmth = random.uniform(-0.05, 0.25)
    return (1.0, 1 - 0.4 * warmth, 1 - warmth)


def _skin(random: Random, material: Material) -> Material:
    skin = _times(random.choice(_SKINS), random.uniform(0.85, 1.15))
    colours = (skin, _times(skin, random.uniform(0.85, 1.1)), _times(skin, 0.8))
    gloss = (random.uniform(0.02, 0.04), random.uniform(0.35, 0.6))
    return replace(material, pattern="plain", colours=colours, grain=0.05, dirt=random.uniform(0, 0.15), gloss=gloss)


def _dark(random: Random, material: Material) -> Material:
    return _darker(material, random.uniform(0.1, 0.35))


def _written(random: Random, material: Material) -> Material:
    first, second, ink = (_times(_warm(random), value) for value in (0.75, 0.68, 0.05))
    colours = (first, second, ink) if random.random() < 0.7 else (_times(ink, 0.9), ink, first)
    return replace(material, pattern="writing", colours=colours, dirt=0.0)


def _leafy(random: Random, material: Material) -> Material:
    leaves = sample_material(random, ["leaves"], 1.0)
    return replace(material, pattern="leaves", colours=leaves.colours, size=2.0 * material.size)


_KINDS = (_chessboard, _skin, _skin, _dark, _written, _leafy)


def vary_materials(layout: Layout, random: Random, share: float) -> None:
    """Replace a share of the materials of ground and things; most of the trees' grass becomes leaves."""
    for number, material in enumerate(layout.materials):
        if material.pattern == "grass" and number >= _FIXED and random.random() < min(1.0, 3 * share):
            layout.materials[number] = _leafy(random, material)
        elif (number == 0 or number >= _FIXED) and random.random() < share:
            kinds = _KINDS if number else (_chessboard, _leafy)
            layout.materials[number] = random.choice(kinds)(random, material)


def sample_patch(layout: Layout, random: Random) -> Patch | None:
    """Draw a patch of the layout's main surface: a darker variant of it, or any other material, which is added."""
    shape = sample_mask(random, layout.span, indoors=False)
    if shape.kind == "veil":
        return None
    own = layout.materials[layout.canvas]
    if random.random() < 0.6:
        other = _darker(own, random.uniform(0.12, 0.6))
        if own.pattern == "crop":  # which shows a photo, whatever the colours
            other = replace(other, pattern="plain")
    else:
        other = sample_material(random, ["plain", "stains", "asphalt", "tiles", "leaves", "stripes"], own.size)
    return Patch(shape, layout.add_material(other))
