"""The colours of linear light whose file states its primaries."""

import numpy as np

from relight_cli.photos import cicp
from relight_cli.photos.colour_profiles import LINEAR, REC709, linear_profile
from relight_cli.photos.colour_tags import ColourTags


def linear_colours(own: tuple[float, ...], notes: list[str]) -> tuple[bytes, ColourTags | None]:
    """Return the profile of linear light in primaries, (x, y) of red, green, blue and white, and what says the same.

    The tags are None for the primaries of sRGB. Primaries that are no colour space get a note and count as those.
    """
    if len(own) == len(REC709) and np.allclose(own, REC709, atol=1e-3):
        return LINEAR, None
    if not cicp.are_primaries(own):
        notes.append("its primaries are no colour space; they are read as those of sRGB")
        return LINEAR, None
    return linear_profile(own), ColourTags(chromaticities=own)
