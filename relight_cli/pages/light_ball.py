"""The picture of a light: a grey ball on a floor."""

import numpy as np

from relight_cli.pages.encoding import small_picture
from relight_cli.pages.previews import Preview
from relight_cli.pages.views import Layer
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.rasters.bit_depth import from_unit
from relight_cli.relighting.lights.light import Light
from relight_cli.relighting.lights.preview import preview


def light_on_ball(light: Light) -> Layer:
    """Return the picture of a light, with where it comes from as its name."""
    drawn = Photo(preview(light), metadata=Metadata(icc=LINEAR))
    samples = from_unit(drawn.to_srgb(), np.dtype(np.uint8))
    origin = f": {light.origin}" if light.origin else ""
    return Layer(f"The light on a grey ball{origin}", small_picture(Preview(samples, None, samples.shape[:2])))
