"""Light a photo by a reference of another scene, whose layout means nothing to the photo."""

from relight_cli.errors import UsageError
from relight_cli.models.interface import Model
from relight_cli.rasters.resizing import Picture
from relight_cli.rasters.rows import Raster


def light_picture_of_scene(model: Model, picture: Raster, reference: Picture, strength: float) -> Raster:
    """Return an sRGB picture (H, W, 3) in the light of a reference (h, w, 3) of another scene.

    Raises UsageError, because no light is fitted to a reference of another scene.
    """
    raise UsageError(
        "the reference shows another scene, and its light would print its own layout on the photo: give a reference of "
        "the same view, or --reference aligned if it is one."
    )
