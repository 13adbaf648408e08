"""Rendered scenes are deterministic and consistent, and shadows are where geometry puts them."""

import math
from collections.abc import Callable
from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from relight_cli.relighting.lights.environment import map_directions
from relight_cli.training.examples import render_example
from relight_cli.training.scenes.camera import develop
from relight_cli.training.scenes.gloss import lobe
from relight_cli.training.scenes.layouts import Layout
from relight_cli.training.scenes.lights import (
    Light,
    environment_light,
    sample_lamp,
    sample_sun,
    temperature_colour,
)
from relight_cli.training.scenes.patterns import PATTERNS, Samples
from relight_cli.training.scenes.ray_tracing import FAR
from relight_cli.training.scenes.scenes import Scene, SceneOptions, Views, render_scenes, render_views
from relight_cli.training.scenes.shadow_masks import MASK_SIZE, ShadowMask, draw_masks, sample_mask, through_masks
from relight_cli.training.scenes.staging import sample_scene
from relight_cli.training.scenes.surroundings import Turn, environment_of
from relight_cli.training.scenes.textures import ALBEDO_RANGE, Material
from relight_cli.training.scenes.variety import Patch

TINY = SceneOptions(size=32, lights=2)
GREY = Material("plain", 1.0, 0.0, ((0.5, 0.5, 0.5),) * 3, 0.0, 0.0, 0.0, 0)


@pytest.fixture(scope="module")
def views() -> Views:
    return render_views(40, 6, TINY)


def _ball_on_plane(light: Light) -> Scene:
    """Return a view straight down, 8 m wide, of a ball of radius 0.5 m with its centre 1 m above the origin."""
    layout = Layout([GREY] * 3, (0.0, 8.0, 1e-3), (0.0, 0.0, 0.0), 2 * math.atan(0.5), (0.0, 1.0, 0.0), 8.0)
    layout.balls.append(((0.0, 1.0, 0.0), (0.5, 0.5, 0.5), 0.0, 0))
    return Scene(layout, [light], [None])


def _sun(x: float, y: float, z: float, radius: float = 1.0) -> Light:
    return Light((x * 1000, y * 1000, z * 1000), radius, 1000 * math.hypot(x, y, z), (1, 1, 1), (0.2,) * 3, (0.2,) * 3)


def test_same_seed_gives_the_same_bits(views: Views) -> None:
    again = render_views(40, 6, TINY)
    for field in fields(Views):
        assert torch.equal(getattr(views, field.name), getattr(again, field.name)), field.name
    assert not torch.allclose(views.albedo, render_views(46, 6, TINY).albedo, atol=0.05)


def test_views_of_a_batch_are_the_scenes_rendered_one_by_one(views: Views) -> None:
    scenes = [sample_scene(40 + b, TINY) for b in range(6)]
    together = render_scenes(scenes, TINY)
    for b, scene in enumerate(scenes):
        alone = render_scenes([scene], TINY)
        for field in fields(Views):
            one, many = getattr(alone, field.name)[0], getattr(together, field.name)[b]
            # A ray that grazes an edge may fall to either side by rounding: all but a few pixels must agree.
            assert ((one - many).abs() > 1e-3 * (1 + one.abs())).float().mean() < 0.01, (b, field.name)
    seventh = render_views(45, 1, TINY)
    assert torch.equal(seventh.shading[0], views.shading[5])


def test_ranges_and_shapes(views: Views) -> None:
    assert views.albedo.shape == (6, 3, 32, 32)
    assert views.shading.shape == views.shadow_free.shape == (6, 2, 3, 32, 32)
    assert views.depth.shape == (6, 1, 32, 32)
    for field in fields(Views):
        assert getattr(views, field.name).isfinite().all(), field.name
        assert getattr(views, field.name).dtype == torch.float32
    assert views.albedo.min() >= ALBEDO_RANGE[0] - 1e-5
    assert views.albedo.max() <= ALBEDO_RANGE[1] + 1e-5
    assert views.shading.min() >= 0
    assert ((views.depth > 0) & (views.depth <= FAR)).all()
    length = views.normals.norm(dim=1)
    assert ((length - 1).abs().lt(1e-3) | length.lt(1e-3)).all()


def test_light_without_shadows_is_never_darker(views: Views) -> None:
    assert (views.shadow_free >= views.shading - 1e-5 * (1 + views.shading)).all()
    assert (views.shadow_free > views.shading * 1.2).any(), "six views have no shadow"


def test_pictures_are_exposed_about_mid_grey(views: Views) -> None:
    weights = torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]
    mean = (views.albedo[:, None] * views.shading * weights).sum(2).mean((-2, -1))
    assert ((mean / 0.18).log2().abs() <= 1.5 + 1e-3).all()


@pytest.mark.parametrize(("x", "z"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-0.8, -0.6)])
def test_a_balls_shadow_is_opposite_the_sun(x: float, z: float) -> None:
    # The sun is at (x, 1, z), so the shadow of the ball's centre, 1 m up, is at (-x, -z) on the ground.
    options = SceneOptions(size=128, lights=1, supersampling=1, shadow_rays=4)
    scene = _ball_on_plane(_sun(x, 1.0, z))
    view = render_scenes([scene], options)
    taken = ((view.shadow_free - view.shading)[0, 0, 0] > 0.2) & (view.normals[0, 1] > 0.999)
    rows, columns = taken.nonzero().float().T
    metres = 8 / 128
    across, down = (columns + 0.5) * metres - 4, (rows + 0.5) * metres - 4
    # With the sun overhead the ball hides its shadow from the camera, except for a thin ring.
    if x == z == 0:
        seen = (across.square() + down.square()).sqrt()
        assert seen.numel() == 0 or (seen.max() < 0.65 and seen.min() > 0.4)
        return
    # On the ground a ball's shadow is an ellipse, 0.5 m across and 0.5 / sin(elevation) along.
    slant = math.sqrt(1 + x * x + z * z)
    along, width = ((across + x) * x + (down + z) * z) / math.hypot(x, z), ((across + x) * z - (down + z) * x)
    inside = (along / (0.5 * slant)).square() + (width / math.hypot(x, z) / 0.5).square()
    assert inside.max() < 1.35
    hidden = 0.35  # share of the shadow that the ball hides from above
    assert taken.sum() * metres**2 > (1 - hidden) * math.pi * 0.5 * 0.5 * slant


def test_a_wide_sun_casts_a_soft_shadow_without_noise() -> None:
    options = SceneOptions(size=128, lights=1)
    hard, soft = (
        render_scenes([_ball_on_plane(_sun(1.2, 1.0, 0.0, radius))], options).shading[0, 0, 0]
        for radius in (2.0, 250.0)
    )
    row = soft[64, 8:44]  # from full light into the middle of the shadow
    assert (hard[64, 8:44].diff().abs().max() > 3 * row.diff().abs().max()).item()
    # A penumbra without noise first falls and then rises, monotonically.
    darkest = int(row.argmin())
    assert (row[: darkest + 1].diff() < 0.01).all()
    assert (row[darkest:].diff() > -0.01).all()


def test_shadow_of_a_mask_softens_with_its_distance() -> None:
    bar = [(0.0, -2.0, 0.0, 2.0, 0.1)]
    volumes = draw_masks([ShadowMask("sticks", 1.0, 1.0, bar, 0, 0.5, 0.0), None], "cpu")
    assert volumes.shape[2:] == (MASK_SIZE, MASK_SIZE)
    x = torch.linspace(-0.5, 0.5, 101).expand(2, -1)
    zero = torch.zeros_like(x)
    sharp, soft = (through_masks(volumes, x, zero, zero + radius) for radius in (0.0, 0.1))
    assert torch.allclose(sharp[1], torch.ones(101))
    assert torch.allclose(soft[1], torch.ones(101))
    assert sharp[0, 50] < 1e-3
    assert sharp[0, 30] > 0.999
    assert sharp[0].diff().abs().max() > 3 * soft[0].diff().abs().max()
    assert abs(sharp[0].mean() - soft[0].mean()) < 0.03


def test_a_mask_that_would_shade_the_whole_view_is_dropped() -> None:
    wall = ShadowMask("sticks", 4.0, 5.0, [(-1.0, 0.0, 1.0, 0.0, 0.9)], 0, 0.5, 0.0)
    pole = ShadowMask("sticks", 4.0, 5.0, [(-1.0, 0.0, 1.0, 0.0, 0.1)], 0, 0.5, 0.0)
    options = SceneOptions(size=32, lights=1)
    scene = _ball_on_plane(_sun(0.5, 1.0, 0.0))
    bare, hidden, striped = (
        render_scenes([replace(scene, masks=[mask])], options).shading for mask in (None, wall, pole)
    )
    assert torch.equal(bare, hidden)
    assert 0.05 < ((bare - striped) > 0.1).float().mean() < 0.3


def test_every_mask_lets_some_light_pass() -> None:
    random = Random(3)
    masks = [sample_mask(random, 2.0, indoors=k % 3 == 0) for k in range(12)]
    levels = draw_masks(masks, "cpu").mean((1, 2, 3))
    assert (levels > 0.03).all()
    assert (levels < 0.999).any()


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_patterns_are_finite_and_smooth_from_afar(name: str) -> None:
    x, y = torch.meshgrid(torch.linspace(-3, 3, 97), torch.linspace(-2, 4, 89), indexing="ij")
    x, y = x.flatten(), y.flatten()
    seed = torch.full_like(x, 5, dtype=torch.int32)
    near, far = (PATTERNS[name](Samples(x, y, torch.full_like(x, width), seed)) for width in (0.01, 2.0))
    for part in near:
        assert part.isfinite().all()
    if name != "clouds":  # the sky has no distance
        assert far[0].std() <= near[0].std() + 1e-6
        assert far[1].std() <= max(0.05, near[1].std())


@pytest.mark.parametrize(
    ("kelvin", "x", "y"),
    # Planckian locus at 2856 K (CIE illuminant A), daylight at 6504 K (D65) and 5003 K (D50): CIE 15:2004, table T.3.
    [(2856, 0.44757, 0.40745), (6504, 0.31272, 0.32903), (5003, 0.34567, 0.35850)],
)
def test_colour_temperatures_are_on_the_locus(kelvin: float, x: float, y: float) -> None:
    rgb = torch.tensor(temperature_colour(kelvin))
    to_xyz = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ rgb
    assert float(xyz[0] / xyz.sum()) == pytest.approx(x, abs=2e-3)
    assert float(xyz[1] / xyz.sum()) == pytest.approx(y, abs=2e-3)
    assert float(xyz[1]) == pytest.approx(1, abs=2e-3)


def test_lights_face_the_scene() -> None:
    random = Random(1)
    for k in range(60):
        light = sample_sun(random, (0, 0, 0), (0, 1, 0)) if k % 2 else sample_lamp(random, (0, 0, 0), (0, 1, 0), 2.0)
        assert light.position[1] > 0.2 * light.reach
        assert min(light.key) > 0
        assert min(light.zenith) > 0


def test_crops_of_photos_become_surfaces() -> None:
    options = replace(TINY, lights=1)
    seed = next(s for s in range(200) if sample_scene(s, options, crops=True).layout.materials[0].pattern == "crop")
    red = torch.tensor([0.8, 0.1, 0.1])[:, None, None].expand(3, 20, 30)
    view = render_views(seed, 1, options, crops=red[None])
    share = (view.albedo[0, 0] > 2 * view.albedo[0, 1]).float().mean()
    assert share > 0.2


def test_size_may_be_oblong() -> None:
    view = render_views(2, 1, SceneOptions(size=(16, 24), lights=1))
    assert view.shading.shape == (1, 1, 3, 16, 24)


def test_develop_exposes_curves_and_adds_noise() -> None:
    grey = torch.full((3, 64, 64), 0.18)
    assert develop(grey).mean() == pytest.approx(0.4613, abs=1e-3)
    assert develop(grey, 1.0).mean() == pytest.approx(0.6343, abs=1e-3)
    ramp = develop(torch.linspace(0, 4, 100).expand(3, 1, 100), knee=0.6)
    assert (ramp.diff(dim=-1) >= 0).all()
    assert ramp[..., 60].max() < 1, "the shoulder must not clip where the plain curve does"
    first, second = (
        develop(grey, shot_noise=0.02, read_noise=0.005, generator=torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(first, second)
    # The sRGB curve's slope at 0.18 is about 1.13; shot noise there is 0.02 * sqrt(0.18).
    assert first.std() == pytest.approx(1.13 * math.hypot(0.02 * math.sqrt(0.18), 0.005), rel=0.1)


def test_the_example_pair_shows_one_view_under_two_lights() -> None:
    photo, reference = render_example(SceneOptions(size=(40, 60), lights=2))
    assert photo.shape == reference.shape == (3, 40, 60)
    warmth = [float(p[0].mean() / p[2].mean()) for p in (photo, reference)]
    assert warmth[1] > 1.3 * warmth[0]
    assert (photo - reference).abs().mean() > 0.08


def _map(bright: Callable[[NDArray[np.float64]], NDArray[np.bool_]], level: float) -> NDArray[np.float64]:
    """Return a map (64, 128, 3) of radiance 1, `level` where the directions (H, W, 3) are `bright`."""
    directions, _ = map_directions(64, 128)
    return np.where(bright(directions), level, 1.0)[..., None].repeat(3, -1)


def _spot(x: float, y: float, z: float, degrees: float, level: float) -> NDArray[np.float64]:
    middle = np.array([x, y, z]) / math.sqrt(x * x + y * y + z * z)
    return _map(lambda directions: directions @ middle > math.cos(math.radians(degrees)), level)


@pytest.mark.parametrize(("degrees", "level"), [(4.0, 2000.0), (30.0, 8.0)], ids=["sun", "window"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_bright_spot_of_a_map_lights_a_ball_from_its_side(degrees: float, level: float, mirrored: bool) -> None:
    environment = environment_of(_spot(1, 1, 0, degrees, level))
    assert (environment.key is not None) == (degrees < 10)
    light = environment_light(environment, Turn(0, mirrored), (0, 0, 0))
    view = render_scenes([_ball_on_plane(light)], SceneOptions(size=64, lights=1))
    shading, ball = view.shading[0, 0, 1], view.normals[0, 1] < 0.99
    side = view.normals[0, 0] * (-1 if mirrored else 1)
    assert shading[ball & (side > 0.5)].mean() > 1.5 * shading[ball & (side < -0.5)].mean()
    taken = (view.shadow_free - view.shading)[0, 0, 1] > 0.3 * shading.max()
    if degrees < 10:  # the shadow lies opposite the sun
        across = taken.nonzero()[:, 1].float().mean() - 31.5
        assert across * (-1 if mirrored else 1) < -3
    else:
        assert not taken.any()


def test_a_turned_map_lights_from_where_it_is_turned_to() -> None:
    environment = environment_of(_spot(0.3, 0.5, -1, 4, 2000.0))
    for mirrored in (False, True):
        for steps in (0, 5, 40):
            turn = Turn(steps, mirrored)
            key, after = environment.key_after(turn), environment.rest.after(turn)
            assert key is not None
            again = environment_of(_spot(*key.direction, 4, 2000.0))
            assert again.key is not None
            assert np.dot(again.key.direction, key.direction) > math.cos(math.radians(1))
            assert torch.allclose(again.rest.broad, after.broad, rtol=0.1)


@pytest.mark.parametrize(("level", "error"), [(1.0, 2e-3), (6.0, 0.05)], ids=["constant", "uneven"])
def test_a_map_gives_the_light_of_its_integral(level: float, error: float) -> None:
    environment = environment_of(_spot(0.5, 0.8, -0.4, 35, level))
    directions, angles = map_directions(64, 128)
    cosine = torch.from_numpy(directions[..., 1].clip(0) * angles)
    integral = float((environment.rest.shown[1] * cosine).sum() / math.pi)
    scene = _ball_on_plane(environment_light(environment, Turn(7, False), (0, 0, 0)))
    scene.layout.balls.clear()
    ground = render_scenes([scene], SceneOptions(size=16, lights=1)).shading[0, 0]
    assert (ground / ground.mean() - 1).abs().max() < 1e-4
    assert float(ground.mean()) == pytest.approx(integral, rel=error)


def test_a_ray_along_a_wall_meets_the_wall_at_its_end() -> None:
    layout = Layout(
        [GREY] * 3, (1.0, 1.0, 0.0), (1.0, 1.0, -3.0), 0.8, (0.0, 0.0, 1.0), 2.0, indoors=True, room=(3.0, 1.5, 3.0)
    )
    seen = render_scenes([Scene(layout, [_sun(0, 1, 1)], [None])], SceneOptions(size=9, lights=1, supersampling=1))
    assert seen.depth[0, 0, 4, 4].item() == pytest.approx(3)
    assert all(getattr(seen, part.name).isfinite().all() for part in fields(Views))


def test_the_sky_shows_the_map_and_seeds_without_maps_stay() -> None:
    layout = Layout([GREY] * 3, (0.0, 1.0, 0.0), (0.0, 1.5, -1.0), 1.0, (0.0, 1.0, 0.0), 8.0)
    environment = environment_of(_map(lambda directions: directions[..., 0] > 0, 3.0))
    light = environment_light(environment, Turn(0, False), (0, 0, 0))
    view = render_scenes([Scene(layout, [light], [None])], SceneOptions(size=16, lights=1))
    sky = (view.albedo * view.shading[:, 0])[0, 1, 0]
    assert float(sky[-2] / sky[1]) == pytest.approx(3, rel=1e-3)
    assert float(sky[1]) == pytest.approx(float(environment.rest.shown[1].min()), rel=1e-3)
    mapped = sample_scene(3, TINY, environments=[environment])
    plain = [sample_scene(3, TINY, environments=[environment][:n]) for n in (0, 0)]
    assert plain[0] == plain[1]
    assert mapped.layout.boxes == plain[0].layout.boxes
    both = render_views(3, 4, TINY, environments=[environment])
    assert (both.shadow_free >= both.shading - 1e-5 * (1 + both.shading)).all()


def _coloured(red: float, green: float, blue: float, gloss: tuple[float, float] = (0.0, 1.0)) -> Material:
    return replace(GREY, colours=((red, green, blue),) * 3, gloss=gloss)


@pytest.mark.parametrize("kind", ["boxes", "balls", "rods"])
def test_a_red_thing_in_the_sun_tints_the_shadow_beside_it(kind: str) -> None:
    # A red thing left of the middle, its right side in the sun; a grey board casts its shadow on the ground between.
    options = SceneOptions(size=64, lights=1, supersampling=1, bounce=True)
    layout = Layout([GREY] * 3, (0.0, 8.0, 1e-3), (0.0, 0.0, 0.0), 2 * math.atan(0.5), (0.0, 1.0, 0.0), 8.0)
    red = layout.add_material(_coloured(0.8, 0.05, 0.05))
    layout.boxes.append(((0.5, 0.4, 0.0), (0.02, 0.4, 2.0), 0.0, 0))
    if kind == "rods":
        layout.rods.append(((-0.9, 0.5, -2.0), (-0.9, 0.5, 2.0), 0.5, red))
    else:
        getattr(layout, kind).append(((-0.9, 0.7, 0.0), (0.5, 0.7, 2.0), 0.0, red))
    lit, dark = (render_scenes([Scene(layout, [_sun(x, 1.0, 0.0)], [None])], options) for x in (1.2, -1.2))

    def tint(view: Views, x: float) -> float:
        column = round((x + 4) * 8)
        colour = view.shading[0, 0, :, 28:36, column].mean(-1)
        return float(colour[0] / colour[2])

    assert (lit.shadow_free - lit.shading)[0, 0, 0, 28:36, round((0.2 + 4) * 8)].min() > 0.5
    assert tint(lit, 0.2) > 1.1
    assert tint(lit, 0.2) > tint(dark, 0.2) + 0.05
    assert tint(lit, 3.5) == pytest.approx(1, abs=0.03)


def test_under_an_even_sky_a_white_hollow_is_lighter_than_a_black_one() -> None:
    # Two parallel walls: what their inner sides send on is the sky's light times their albedo, at most.
    light = replace(_sun(0.0, 1.0, 0.0), key=(0.0, 0.0, 0.0), zenith=(1.0,) * 3, horizon=(1.0,) * 3)
    ground = []
    for albedo in (0.02, 0.9):
        layout = Layout([_coloured(*(albedo,) * 3)] * 3, (0.0, 8.0, 1e-3), (0.0, 0.0, 0.0), 0.2, (0.0, 1.0, 0.0), 8.0)
        layout.boxes += [((x, 2.0, 0.0), (0.1, 2.0, 4.0), 0.0, 0) for x in (-0.6, 0.6)]
        view = render_scenes([Scene(layout, [light], [None])], SceneOptions(size=8, lights=1, bounce=True))
        ground.append(float(view.shading.mean()))
    assert 0.3 < ground[0] < 0.8
    assert ground[0] + 0.1 < ground[1] < 1.0


@pytest.mark.parametrize(("x", "z"), [(0.8, 0.0), (-0.5, 0.6)])
def test_a_shiny_ball_gleams_where_the_half_vector_says(x: float, z: float) -> None:
    options = SceneOptions(size=128, lights=1, supersampling=1)
    scene = _ball_on_plane(_sun(x, 1.0, z))
    scene.layout.materials[0] = _coloured(0.1, 0.1, 0.1, (0.6, 0.15))
    matt, shiny = (
        render_scenes([replace(scene, layout=layout)], options)
        for layout in (replace(scene.layout, materials=[_coloured(0.1, 0.1, 0.1), GREY, GREY]), scene.layout)
    )
    assert torch.equal(matt.albedo, shiny.albedo)
    assert (shiny.shading >= matt.shading).all()
    gleam = (shiny.shading - matt.shading)[0, 0, 1] * (matt.normals[0, 1] < 0.999)
    normal = matt.normals[0].flatten(1)[:, int(gleam.argmax())]
    half = torch.nn.functional.normalize(torch.tensor([x, 1.0, z]), dim=0) + torch.tensor([0.0, 1.0, 0.0])
    assert float(normal @ torch.nn.functional.normalize(half, dim=0)) > math.cos(math.radians(5))


def test_the_gleam_of_a_lamp_is_its_light_at_most() -> None:
    # What a surface reflects of a lamp, summed over all directions that it is seen from, is below the light it gets.
    directions, angles = map_directions(64, 128)
    above = directions[..., 1] > 0
    view = torch.from_numpy(-directions[above]).float().T[None]
    normal, light = (torch.tensor(v).float()[None, :, None].expand_as(view) for v in ((0, 1, 0), (0.6, 0.8, 0)))
    weights = torch.from_numpy(angles[above]).float() * -view[0, 1] / math.pi
    for roughness in (0.15, 0.4, 0.8):
        gloss = torch.tensor([1.0, roughness])[None, :, None].expand(1, 2, view.shape[-1])
        sent = float((lobe(normal, view, light, gloss, torch.zeros(1, 1))[0] * weights).sum())
        assert 0.45 * 0.8 < sent < 0.8


def test_a_dark_patch_has_the_shape_of_a_shadow_and_is_none() -> None:
    bar = ShadowMask("sticks", 4.0, 5.0, [(-1.0, 0.0, 1.0, 0.0, 0.1)], 0, 0.5, 0.0)
    scene = _ball_on_plane(replace(_sun(0.0, 1.0, 0.0), key=(0.5, 0.5, 0.5)))
    scene.layout.balls.clear()
    dark = scene.layout.add_material(_coloured(0.1, 0.1, 0.1))
    view = render_scenes([replace(scene, patch=Patch(bar, dark))], SceneOptions(size=64, lights=1))
    patch = view.albedo[0, 0] < 0.2
    rows = patch.nonzero()[:, 0]
    assert rows.min() >= 32 - 5  # 0.4 m of 8 m to either side
    assert rows.max() <= 32 + 4
    assert 0.08 < patch.float().mean() < 0.12
    assert (view.shading / view.shading.mean() - 1).abs().max() < 0.01


def test_varied_scenes_keep_their_layout_and_get_what_looks_like_shadow() -> None:
    options = replace(TINY, varied_share=0.5, shiny_share=0.5)
    plain, varied = ([sample_scene(seed, o) for seed in range(40)] for o in (TINY, options))
    for one, other in zip(plain, varied, strict=True):
        assert (one.layout.boxes, one.layout.rods, one.lights) == (other.layout.boxes, other.layout.rods, other.lights)
        assert one.patch is None
    used = [material for scene in varied for material in scene.layout.materials]
    assert {"checker", "writing", "leaves"} <= {material.pattern for material in used}
    assert 0.2 < sum(material.gloss[0] > 0 for material in used) / len(used) < 0.7
    assert all(scene.layout.materials[2].gloss[0] == 0 for scene in varied), "the sky does not shine"
    patched = [scene for scene in varied if scene.patch]
    assert 8 < len(patched) < 30
    both = render_views(2, 3, options)
    assert both.shading.isfinite().all()
    assert (both.shadow_free >= both.shading - 1e-5 * (1 + both.shading)).all()


def test_a_polished_ball_mirrors_the_map_above_it_outdoors_only() -> None:
    environment = environment_of(_map(lambda directions: directions[..., 0] > 0, 6.0))
    scene = _ball_on_plane(environment_light(environment, Turn(0, False), (0, 0, 0)))
    scene.layout.materials[0] = _coloured(0.02, 0.02, 0.02, (1.0, 0.0))
    steps = []
    for indoors in (False, True):
        layout = replace(scene.layout, indoors=indoors, room=(50.0, 50.0, 50.0))
        view = render_scenes([replace(scene, layout=layout)], SceneOptions(size=64, lights=1))
        top = (view.albedo * view.shading[:, 0])[0, 1, 32, 28:36]  # the normals here turn from left to right
        steps.append(float(top[4] / top[3]))
    assert steps[0] > 4
    assert 1 < steps[1] < 2.5


def test_scenes_with_all_options_are_the_same_in_a_batch() -> None:
    options = SceneOptions(size=16, lights=2, bounce=True, shiny_share=0.5, varied_share=0.5)
    environments = [environment_of(_spot(0.4, 0.7, 0.6, 4, 500.0)), environment_of(np.ones((32, 64, 3)))]
    scenes = [sample_scene(60 + b, options, environments=environments) for b in range(3)]
    together = render_scenes(scenes, options)
    for b, scene in enumerate(scenes):
        alone = render_scenes([scene], options)
        for field in fields(Views):
            one, many = getattr(alone, field.name)[0], getattr(together, field.name)[b]
            assert ((one - many).abs() > 1e-2 * (1 + one.abs())).float().mean() < 0.02, (b, field.name)
