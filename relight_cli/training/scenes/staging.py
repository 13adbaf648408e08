"""Draw everything that a view consists of: the layout, the lights, and their masks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from relight_cli.training.scenes.layouts import Layout, sample_layout
from relight_cli.training.scenes.lights import Light, sample_environment, sample_lamp, sample_sun
from relight_cli.training.scenes.shadow_masks import ShadowMask, sample_mask
from relight_cli.training.scenes.surroundings import Environment
from relight_cli.training.scenes.textures import Material, sample_gloss
from relight_cli.training.scenes.variety import Patch, sample_patch, vary_materials

# Under an environment map the sky shows the map, so that its albedo has no clouds.
_PLAIN_SKY = Material("plain", 1.0, 0.0, ((0.8, 0.8, 0.8),) * 3, 0.0, 0.0, 0.0, 0)
_SKY = 2  # material of the sky in every layout
_WIDE = 5.0  # metres: span of the layouts that show the sky


@dataclass(frozen=True)
class SceneOptions:
    """Options of rendered views."""

    size: int | tuple[int, int] = 256  # pixels: the side of a square, or (height, width)
    lights: int = 3  # per view
    shadow_rays: int = 4  # cones towards each lamp per pixel, at least one per subpixel; cones add no noise
    ambient_rays: int = 8  # cones around the normal per pixel, at least two per subpixel
    supersampling: int = 2  # each pixel is the mean of N x N subpixels
    exposure_spread: float = 1.5  # stops above or below mid-grey, per light
    mask_share: float = 0.7  # share of the lights with a mask
    bounce: bool = False  # whether things and ground send on the light that arrives at them, else an even one
    shiny_share: float = 0.0  # share of the materials with gloss
    varied_share: float = (
        0.0  # share of the materials that are replaced, and of the layouts with a patch; see `variety`
    )
    environment_share: float = 0.5  # share of the lights that are environment maps, if there are any
    pixels_at_once: int = 1 << 15  # subpixels per step: fits the cache of a CPU; use a million on a GPU

    @property
    def height(self) -> int:
        """Height of a view in pixels."""
        return self.size if isinstance(self.size, int) else self.size[0]

    @property
    def width(self) -> int:
        """Width of a view in pixels."""
        return self.size if isinstance(self.size, int) else self.size[1]


@dataclass(frozen=True)
class Scene:
    """A layout, its lights, the mask of each light, and a patch of the main surface."""

    layout: Layout
    lights: list[Light]
    masks: list[ShadowMask | None]
    patch: Patch | None = None


def _fit_crop(material: Material, random: Random, span: float, crops: bool) -> Material:
    """Return the material with a photo about as large as the view, which hides its mirrored repeats, or with stains."""
    size = span * random.uniform(0.9, 1.8)
    if not crops:
        return replace(material, pattern="stains")
    return replace(material, size=size, grain=0.03, dirt=0.0)


def _add_gloss(layout: Layout, random: Random, share: float) -> None:
    for number, material in enumerate(layout.materials):
        if number != _SKY and random.random() < share:
            layout.materials[number] = replace(material, gloss=sample_gloss(random))


def _fitting(environments: Sequence[Environment], layout: Layout) -> list[Environment]:
    """Return the environments of rooms for rooms, of open places where the sky is seen, all for close views."""
    if not layout.indoors and layout.span < _WIDE:
        return list(environments)
    return [one for one in environments if one.indoors == layout.indoors] or list(environments)


def sample_scene(
    seed: int,
    options: SceneOptions,
    *,
    crops: bool = False,
    draw_layout: Callable[[Random], Layout] = sample_layout,
    environments: Sequence[Environment] = (),
) -> Scene:
    """Draw the scene of a seed; its textures include crops of photos only with `crops`.

    With `environments`, a share of the lights are such maps; without, the scene of a seed is what it was.
    """
    random = Random(seed)
    layout = draw_layout(random)
    layout.materials = [
        _fit_crop(m, random, layout.span, crops) if m.pattern == "crop" else m for m in layout.materials
    ]
    variety, patch = Random(f"variety of {seed}"), None
    vary_materials(layout, variety, options.varied_share)
    if variety.random() < options.varied_share:
        patch = sample_patch(layout, variety)
    _add_gloss(layout, Random(f"gloss of {seed}"), options.shiny_share)
    lights: list[Light] = []
    masks: list[ShadowMask | None] = []
    fitting = _fitting(environments, layout)
    lamp_share = 0.55 if layout.indoors else 0.5 if layout.span < 1.5 else 0.12
    for _ in range(options.lights):
        mapped = bool(fitting) and random.random() < options.environment_share
        lamp = not mapped and random.random() < lamp_share
        if mapped:
            lights.append(sample_environment(random, fitting, layout.target, layout.facing))
        elif lamp:
            lights.append(sample_lamp(random, layout.target, layout.facing, layout.span))
        else:
            lights.append(sample_sun(random, layout.target, layout.facing))
        chance = options.mask_share * (0.35 if lamp else 1.3 if layout.indoors or not layout.boxes else 1.0)
        mask = sample_mask(random, layout.span, indoors=layout.indoors)
        masks.append(mask if random.random() < chance else None)
    if any(light.around is not None for light in lights):
        layout.materials[_SKY] = _PLAIN_SKY
    return Scene(layout, lights, masks, patch)
