"""The layers of a photo for compositing: its albedo and shading, its shadows, its surfaces, and the change of light.

All are of the photo as it was read, but for the colours R, G, B, which are those of the result, and the gain between
the two: result = photo x gain and photo = albedo x shading, channel by channel in the primaries of the file.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import UsageError
from relight_cli.models.interface import ALBEDO, Model
from relight_cli.photos.colour_profiles import REC709, is_linear
from relight_cli.photos.colour_tags import ColourTags
from relight_cli.photos.layered import LayeredPhoto
from relight_cli.photos.photo import ColouredRows, Photo
from relight_cli.photos.working_space import WorkingSpace, is_in, matrix_space, space_attributes
from relight_cli.rasters.bit_depth import to_unit
from relight_cli.rasters.resizing import fit_within
from relight_cli.rasters.rows import LazyRows, Raster, is_rereadable, to_array
from relight_cli.relighting.geometry import Geometry
from relight_cli.relighting.guided import GuidedMaps, fit_guided
from relight_cli.relighting.linear_light import decode_srgb
from relight_cli.relighting.lit_subject import GeometryOf, working_copy
from relight_cli.relighting.mapping import map_picture, mapping_tiles
from relight_cli.relighting.options import ChangeOptions, DeshadowOptions, MappingOptions
from relight_cli.relighting.shadow_mask import shadow_mask

Pixels = NDArray[np.float32]  # (n, W, C)

SIDE = 1024  # longer side of the copy on which depth and normals are found
FOCAL = "relight-cli:focalPixels"  # attribute: the focal length in pixels, for which the normals fit the depth
_COLOURS = tuple(f"{layer}{channel}" for layer in ("", "photo.", "albedo.", "shading.", "gain.") for channel in "RGB")
_DEPTH = "depth.Z"
_MAPS = ("shadow.A", "shadow_probability.A", "sky.A", _DEPTH, "normals.X", "normals.Y", "normals.Z")
_DARK = np.float32(1e-6)  # linear light below which a quotient says nothing: it is 1


@dataclass(frozen=True)
class PhotoParts:
    """What the networks know of a photo (H, W), whatever is done to it."""

    albedo: Raster  # (H, W, 3), sRGB
    shadows: GuidedMaps  # (h, w, 2): the share of the light that cast shadows take, and how probable they are
    surfaces: GuidedMaps  # (h, w, 5): share of sky, 1 / depth, and normals
    nearest: tuple[float, float]  # the least and the largest 1 / depth
    focal: float  # pixels of the photo


def find_parts(model: Model, photo: Photo, geometry_of: GeometryOf, options: MappingOptions) -> PhotoParts:
    """Return the parts of a photo; the model has the mappers of deshadow and albedo.

    Of the options only those say something that say how the photo passes through the network. Raises UsageError for a
    depth map that does not fit, DeviceError if memory runs out.
    """
    shared = ("tile_overlap", "tile_batch", "max_side", "tile_colour")
    plain = DeshadowOptions(**{name: getattr(options, name) for name in shared})
    albedo = map_picture(model.network, photo.srgb, ALBEDO, ChangeOptions(), mapping_tiles(model, plain))
    found = shadow_mask(model, photo, options=plain)
    share = 1 - np.exp2(-found.found.amount.clip(0, None))
    shadows = fit_guided(np.stack((share, found.found.probability), axis=-1), found.copy)
    height, width = fit_within(photo.pixels.shape[0], photo.pixels.shape[1], SIDE)
    picture = working_copy(photo, height, width)
    geometry = geometry_of(picture)
    maps = surface_maps(geometry)
    focal = geometry.focal * photo.pixels.shape[1] / width
    extent = float(maps[..., 1].min()), float(maps[..., 1].max())
    return PhotoParts(_kept(albedo), shadows, fit_guided(maps, picture), extent, focal)


def surface_maps(geometry: Geometry) -> Pixels:
    """Return sky, 1 / depth and normals (h, w, 5) of surfaces: the reciprocal of depth is linear on planes."""
    maps = (geometry.sky[..., None], 1 / geometry.depth[..., None], geometry.normals)
    return np.concatenate(maps, axis=-1).astype(np.float32)


def layered_photo(photo: Photo, result: Photo, parts: PhotoParts, space: WorkingSpace | None = None) -> LayeredPhoto:
    """Return a photo, the result of a change of its light and its parts as layers, in linear light.

    Its primaries are those of the space, which is linear; without one the photo's own if its light is linear, else
    those of sRGB. Nothing is clipped: R, G, B are the result before it is rounded to the photo's depth. They, the
    photo and the albedo are multiplied by the photo's alpha. Raises UsageError if the three are of different sizes.
    """
    if not photo.pixels.shape[:2] == result.pixels.shape[:2] == parts.albedo.shape[:2]:
        raise UsageError("the photo, its result and its parts have different sizes: pass those of one photo.")
    own = photo.metadata.extras.attributes
    attributes = {**own, FOCAL: parts.focal, **(space_attributes(space) if space else {})}
    space = space or matrix_space("linear", own_primaries(photo))
    before, after, albedo = (_light(one, space) for one in (photo, result, parts.albedo))
    has_alpha = photo.alpha is not None
    height, guides = photo.pixels.shape[0], photo.srgb

    def make(rows: slice) -> Pixels:
        """Return rows of all layers, channel after channel."""
        own, lit, surface = before(rows), after(rows), albedo(rows)
        surface = np.nan_to_num(surface, posinf=0.0).clip(0, None)
        shading, gain = _quotient(own, surface), _quotient(lit, own)
        cover = to_unit(photo.alpha[rows])[..., None] if photo.alpha is not None else np.float32(1)
        colours = [lit * cover, own * cover, surface * cover, shading, gain]
        alpha = [cover] if has_alpha else []
        guide = np.asarray(guides[rows])
        return np.concatenate([*colours, *alpha, *_maps(parts, guide, rows.start, height)], axis=-1, dtype=np.float32)

    channels = (*_COLOURS, *(("A",) if has_alpha else ()), *_MAPS)
    exact = {_DEPTH} | ({*_COLOURS, "A"} if photo.pixels.dtype == np.float32 else set())
    pixels = LazyRows((*photo.pixels.shape[:2], len(channels)), np.dtype(np.float32), make)
    extras = replace(photo.metadata.extras, attributes=attributes)
    metadata = replace(photo.metadata, colour=ColourTags(chromaticities=space.chromaticities), extras=extras)
    return LayeredPhoto(channels, pixels, frozenset(exact), metadata)


def own_primaries(photo: Photo) -> tuple[float, ...]:
    """Return the primaries of a photo in linear light that says them, else those of sRGB."""
    icc, colour = photo.metadata.icc, photo.metadata.colour
    if icc and is_linear(icc) and colour and colour.chromaticities:
        return colour.chromaticities
    return REC709


def _maps(parts: PhotoParts, guide: Pixels, start: int, height: int) -> list[Pixels]:
    """Return the maps (n, W, 1 or more) of the rows of a photo that begin at `start`."""
    shadows = parts.shadows.rows(guide, start, height).clip(0, 1)
    surfaces = parts.surfaces.rows(guide, start, height)
    sky, depth = surfaces[..., :1].clip(0, 1), 1 / surfaces[..., 1:2].clip(*parts.nearest)
    normals = surfaces[..., 2:]
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    viewer = np.array((0, 0, 1), np.float32)
    return [shadows, sky, depth, np.where(length > 1e-3, normals / np.maximum(length, 1e-6), viewer)]


def _quotient(light: Pixels, other: Pixels) -> Pixels:
    """Return light / other, 1 where the other is about black or the quotient is no number."""
    usable = np.abs(other) > _DARK
    quotient = np.divide(light, other, out=np.ones_like(light), where=usable)
    return np.where(np.isfinite(quotient), quotient, np.float32(1))


def _light(picture: Photo | Raster, space: WorkingSpace) -> Callable[[slice], Pixels]:
    """Return a function from rows to the light (n, W, 3) in a linear space of a photo or a picture (H, W, 3) in sRGB.

    Of a photo that is in the space these are its samples, else its colours before they were rounded, if they are known.
    """
    if isinstance(picture, Photo):
        samples = picture.pixels
        if is_in(picture, space):
            return lambda rows: _three(samples[rows])
        picture = samples.colours if isinstance(samples, ColouredRows) else picture.srgb
    colours = _kept(picture)

    def light(rows: slice) -> Pixels:
        linear = decode_srgb(np.asarray(colours[rows], np.float32))
        return space.from_rec709(linear.reshape(-1, 3)).reshape(linear.shape)

    return light


def _three(samples: Pixels) -> Pixels:
    return np.broadcast_to(samples, (*samples.shape[:2], 3))


def _kept(picture: Raster) -> Raster:
    """Return a picture whose rows can be read again; in memory if they could not be."""
    return picture if is_rereadable(picture) else to_array(picture)
