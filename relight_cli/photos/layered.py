"""A picture of many named channels, for compositing: the layers of one OpenEXR."""

from dataclasses import dataclass, field

from relight_cli.photos.metadata import Metadata
from relight_cli.rasters.rows import Raster


@dataclass(frozen=True)
class LayeredPhoto:
    """Named channels of a photo's size in linear light; their rows may be made when they are read."""

    channels: tuple[str, ...]  # "R", "albedo.R", "depth.Z" ...
    pixels: Raster  # (H, W, len(channels)) float32
    exact: frozenset[str] = frozenset()  # channels stored with 32 bits; the others are half floats
    metadata: Metadata = field(default_factory=Metadata)  # its `colour` says the primaries
