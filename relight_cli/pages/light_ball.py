"""The picture of a light: a grey ball on a floor."""

import numpy as np

from relight_cli.pages.encoding import small_picture
from relight_cli.pages.previews import Preview, Samples
from relight_cli.pages.views import Layer
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.rasters.bit_depth import from_unit
from relight_cli.relighting.lights.light import Light
from relight_cli.relighting.lights.preview import preview


def light_on_ball(light: Light) -> Layer:
    """Return the picture of a light, with where it comes from as its name."""
    samples = drawn_ball(light)
    origin = f": {light.origin}" if light.origin else ""
    return Layer(f"The light on a grey ball{origin}", small_picture(Preview(samples, None, samples.shape[:2])))


def drawn_ball(light: Light) -> Samples:
    """Return the picture (h, w, 3) of a light, in sRGB."""
    drawn = Photo(preview(light), metadata=Metadata(icc=LINEAR))
    return from_unit(drawn.to_srgb(), np.dtype(np.uint8))
