"""The working space of a compositor: linear light in primaries of its own, or a colour space of OpenColorIO."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relight_cli.paths import is_file
from relight_cli.photos import cicp
from relight_cli.photos.codecs.exr_colours import PRIMARIES
from relight_cli.photos.colour_profiles import LINEAR, REC709, is_linear, linear_profile, srgb_to_profile
from relight_cli.photos.colour_tags import ColourTags, states_nothing
from relight_cli.photos.rgb_matrices import primaries_of, rgb_matrix
from relight_cli.rasters.bit_depth import in_depth
from relight_cli.rasters.rows import LazyRows, is_rereadable, row_bands, to_array

if TYPE_CHECKING:
    from relight_cli.photos.codecs.decoded import Decoded
    from relight_cli.photos.photo import Photo

Convert = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes colours (n, 3) and returns them in another space, unclipped."""

_INTEROP = "colorInteropID"
_NAME = "oiio:ColorSpace"
# Spaces that need no OpenColorIO, by their names in PRIMARIES (Color Interop Forum, as in the names lin_..._scene).
_BUILT_IN = {
    "acescg": "ap1",
    "aces2065-1": "ap0",
    "linear-srgb": "rec709",
    "linear-p3": "p3d65",
    "linear-rec2020": "rec2020",
    "linear-adobergb": "adobergb",
}
BUILT_IN = tuple(_BUILT_IN)


@dataclass(frozen=True)
class WorkingSpace:
    """A colour space in which photos are read and written; its numbers are not clipped."""

    name: str
    to_rec709: Convert  # to linear light in the primaries of sRGB
    from_rec709: Convert
    chromaticities: tuple[float, ...] | None = None  # of linear light; None: its numbers are not linear in light
    interop_id: str = ""  # as in the header of an EXR


def working_space(name: str, config: str | None = None) -> WorkingSpace:
    """Return a space of linear light by its name (BUILT_IN), or a colour space of a configuration of OpenColorIO.

    `config` is the name of a file, or "ocio://default" and the like; None: the built-in spaces, then the configuration
    that $OCIO names, then ocio://default. Raises UsageError, MissingExtraError.
    """
    if config is None and (known := _built_in(name)):
        return matrix_space(name.lower(), PRIMARIES[known], _interop_id(known))
    from relight_cli.photos.ocio import ocio_space

    return ocio_space(name, config)


def config_file(name: str, config: str | None = None) -> Path | None:
    """Return the file of the configuration that `working_space` reads for a name; None if it reads none."""
    if config is None and _built_in(name):
        return None
    from relight_cli.photos.ocio import config_name

    path = config_name(config)
    return Path(path) if is_file(path) else None


@lru_cache(maxsize=16)
def matrix_space(name: str, chromaticities: tuple[float, ...], interop_id: str = "") -> WorkingSpace:
    """Return linear light in some primaries, with whites adapted by Bradford's method."""
    there, back = rgb_matrix(REC709, chromaticities), rgb_matrix(chromaticities, REC709)
    return WorkingSpace(name, partial(_times, back), partial(_times, there), chromaticities, interop_id)


def named_primaries(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...] | None, str]:
    """Return the primaries of the linear light that a matrix makes of that of sRGB, and its name in an EXR, if any.

    Primaries that are not known are those of a space with the white of sRGB; None if they are no colour space.
    """
    for name, known in PRIMARIES.items():
        if np.allclose(rgb_matrix(REC709, known), matrix, atol=1e-4):
            return known, _interop_id(name)
    found = primaries_of(matrix, REC709)
    return found if cicp.are_primaries(found) else None, ""


def in_working_space(photo: "Photo", space: WorkingSpace, kind: str) -> tuple["Photo", tuple[str, ...]]:
    """Return a photo as float32 in a space, with what says so in an "EXR" or a "TIFF", and a note if nothing does.

    Grey stays grey. A photo that is in that linear light already keeps its samples.
    """
    grey, wanted = photo.pixels.shape[2] == 1, space.chromaticities
    pixels = photo.pixels if is_in(photo, space) else _converted(photo, space, grey=grey)
    alpha = None if photo.alpha is None else to_array(in_depth(photo.alpha, np.dtype(np.float32)))
    attributes = {**photo.metadata.extras.attributes, **(space_attributes(space) if kind == "EXR" else {})}
    metadata = replace(
        photo.metadata,
        icc=_profile(space, grey=grey),
        colour=ColourTags(chromaticities=wanted) if wanted else None,
        extras=replace(photo.metadata.extras, attributes=attributes),
    )
    unsaid = kind == "TIFF" and not wanted
    notes = (f"no colour profile describes {space.name}, so the TIFF does not say that it is in it",) if unsaid else ()
    return replace(photo, pixels=pixels, alpha=alpha, metadata=metadata), notes


def is_in(photo: "Photo", space: WorkingSpace) -> bool:
    """Return whether the numbers of a photo are floats of linear light in the primaries of a space."""
    icc, colour = photo.metadata.icc, photo.metadata.colour
    if photo.pixels.dtype != np.float32 or icc is None or not is_linear(icc) or space.chromaticities is None:
        return False
    own = colour.chromaticities if colour and colour.chromaticities else REC709 if icc == LINEAR else None
    same = own is not None and np.allclose(own, space.chromaticities, atol=1e-5)
    return bool(same or icc == _profile(space, grey=photo.pixels.shape[2] == 1))


def space_attributes(space: WorkingSpace) -> dict[str, str]:
    """Return the attributes in the header of an EXR that name a space."""
    return {_INTEROP: space.interop_id} if space.interop_id else {_NAME: space.name}


def take_for(decoded: "Decoded", space: WorkingSpace) -> bool:
    """Take a decoded EXR or float TIFF that states no known colours for one in a space; return whether it was one."""
    stated = decoded.undecided
    if decoded.format == "TIFF" and decoded.pixels.dtype == np.float32 and states_nothing(decoded):
        stated = ""
    if stated is None or (stated and stated != space.interop_id):
        return False
    decoded.recoloured, decoded.undecided = True, None
    grey = decoded.pixels.shape[2] == 1
    if space.chromaticities:
        decoded.icc = _profile(space, grey=grey)
        decoded.colour = None if grey else ColourTags(chromaticities=space.chromaticities)
        return True
    pixels = np.empty_like(decoded.pixels)
    for rows in row_bands(*pixels.shape[:2]):
        band = np.repeat(decoded.pixels[rows], 3, axis=2) if grey else decoded.pixels[rows]
        pixels[rows] = _by_pixel(space.to_rec709, band)[..., : pixels.shape[2]]
    decoded.pixels, decoded.icc, decoded.colour = pixels, LINEAR, None
    return True


def _converted(photo: "Photo", space: WorkingSpace, *, grey: bool) -> LazyRows:
    picture = photo.srgb
    shape = (*picture.shape[:2], 1 if grey else 3)

    def make(rows: slice) -> NDArray[np.float32]:
        light = srgb_to_profile(picture[rows], LINEAR, 3, np.dtype(np.float32))
        return np.ascontiguousarray(_by_pixel(space.from_rec709, light)[..., : shape[2]])

    return LazyRows(shape, np.dtype(np.float32), make, is_rereadable(picture))


def _by_pixel(convert: Convert, colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return convert(np.ascontiguousarray(colours, np.float32).reshape(-1, 3)).reshape(colours.shape)


def _times(matrix: NDArray[np.float64], colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return colours @ matrix.T.astype(np.float32)


def _profile(space: WorkingSpace, *, grey: bool) -> bytes | None:
    if space.chromaticities is None:
        return None
    return cicp.profile_of(REC709, (1.0,), grey=True) if grey else linear_profile(space.chromaticities)


def _interop_id(primaries: str) -> str:
    return f"lin_{primaries}_scene"


def _built_in(name: str) -> str | None:
    """Return the primaries of a space that needs no OpenColorIO, by its name here or in an EXR."""
    by_id = {_interop_id(primaries): primaries for primaries in PRIMARIES}
    return _BUILT_IN.get(name.lower()) or by_id.get(name.lower())


def near_names(name: str, names: Iterable[str]) -> str:
    """Return the end of a message about a name that is not known: which of the names are near it."""
    by_small = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.lower(), by_small, 3, 0.5)
    return f"did you mean {' or '.join(by_small[one] for one in near)}?" if near else ""
