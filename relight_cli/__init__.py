"""Change the light in a photo.

    import relight_cli as rl

    model = rl.load_model("tiny")
    photo = rl.read_photo("a.jpg")
    result = rl.relight(model, photo, light=rl.read_photo("b.jpg"))
    rl.write_photo(result.photo, "a_relit.jpg")

Importing this package loads nothing heavy: each name below is imported when it is first used (PEP 562).
"""

from relight_cli._version import __version__

TYPE_CHECKING = False  # as in `typing`, which is not imported: Ctrl-C in here would be a traceback
if TYPE_CHECKING:
    from typing import Any

    from relight_cli.checkpoints.depth import load_depth_model
    from relight_cli.checkpoints.geometry import load_geometry
    from relight_cli.checkpoints.models import load_model
    from relight_cli.depth.options import DepthOptions
    from relight_cli.depth.refine_depth import refine_depth
    from relight_cli.depth.refined_depth import RefinedDepth
    from relight_cli.errors import (
        DeviceError,
        LightUnreadableError,
        MissingExtraError,
        ModelUnavailableError,
        OutputUnwritableError,
        PhotoUnreadableError,
        RelightError,
        UsageError,
    )
    from relight_cli.jobs.light_files import load_light, preset_names, save_light
    from relight_cli.models.depth_model import DepthModel
    from relight_cli.models.interface import Model
    from relight_cli.photos.depth_files import read_depth_map
    from relight_cli.photos.effort import Effort
    from relight_cli.photos.layered import LayeredPhoto
    from relight_cli.photos.metadata import Metadata
    from relight_cli.photos.photo import Photo
    from relight_cli.photos.reading import read_photo
    from relight_cli.photos.working_space import WorkingSpace, working_space
    from relight_cli.photos.writing import write_layers, write_photo
    from relight_cli.relighting.lights.light import Light, Sun, mix_lights
    from relight_cli.relighting.lights.place import light_of_place
    from relight_cli.relighting.lights.words import light_from_words
    from relight_cli.relighting.lit_photo import PutOnOptions, PutOnResult, light_of_scene, put_on
    from relight_cli.relighting.mapping import AlbedoResult, DeshadowResult, albedo, deshadow
    from relight_cli.relighting.options import AlbedoOptions, DeshadowOptions, ReferenceKind, RelightOptions, TileColour
    from relight_cli.relighting.photo_geometry import geometry_of_photo
    from relight_cli.relighting.photo_layers import PhotoParts, find_parts, layered_photo
    from relight_cli.relighting.reference import ReferenceLight
    from relight_cli.relighting.relight import RelightResult, relight
    from relight_cli.relighting.shadow_mask import ShadowMask, shadow_mask
    from relight_cli.sequences.change import VideoOptions, change_frames, change_video
    from relight_cli.timelapse.frames import open_frames
    from relight_cli.timelapse.interpolate import TimelapseFrame, interpolate_timelapse
    from relight_cli.timelapse.options import TimelapseOptions
    from relight_cli.timelapse.sequencing import Content, Ease, Mode
    from relight_cli.videos.from_frames import write_video
    from relight_cli.videos.names import VideoCodec

__all__ = [
    "AlbedoOptions",
    "AlbedoResult",
    "Content",
    "DepthModel",
    "DepthOptions",
    "DeshadowOptions",
    "DeshadowResult",
    "DeviceError",
    "Ease",
    "Effort",
    "LayeredPhoto",
    "Light",
    "LightUnreadableError",
    "Metadata",
    "MissingExtraError",
    "Mode",
    "Model",
    "ModelUnavailableError",
    "OutputUnwritableError",
    "Photo",
    "PhotoParts",
    "PhotoUnreadableError",
    "PutOnOptions",
    "PutOnResult",
    "ReferenceKind",
    "ReferenceLight",
    "RefinedDepth",
    "RelightError",
    "RelightOptions",
    "RelightResult",
    "ShadowMask",
    "Sun",
    "TileColour",
    "TimelapseFrame",
    "TimelapseOptions",
    "UsageError",
    "VideoCodec",
    "VideoOptions",
    "WorkingSpace",
    "__version__",
    "albedo",
    "change_frames",
    "change_video",
    "deshadow",
    "find_parts",
    "geometry_of_photo",
    "interpolate_timelapse",
    "layered_photo",
    "light_from_words",
    "light_of_place",
    "light_of_scene",
    "load_depth_model",
    "load_geometry",
    "load_light",
    "load_model",
    "mix_lights",
    "open_frames",
    "preset_names",
    "put_on",
    "read_depth_map",
    "read_photo",
    "refine_depth",
    "relight",
    "save_light",
    "shadow_mask",
    "working_space",
    "write_layers",
    "write_photo",
    "write_video",
]

_HOMES = {
    "checkpoints.depth": ("load_depth_model",),
    "checkpoints.geometry": ("load_geometry",),
    "checkpoints.models": ("load_model",),
    "depth.options": ("DepthOptions",),
    "depth.refine_depth": ("refine_depth",),
    "depth.refined_depth": ("RefinedDepth",),
    "errors": (
        "DeviceError",
        "LightUnreadableError",
        "MissingExtraError",
        "ModelUnavailableError",
        "OutputUnwritableError",
        "PhotoUnreadableError",
        "RelightError",
        "UsageError",
    ),
    "jobs.light_files": ("load_light", "preset_names", "save_light"),
    "models.depth_model": ("DepthModel",),
    "models.interface": ("Model",),
    "photos.effort": ("Effort",),
    "photos.layered": ("LayeredPhoto",),
    "photos.metadata": ("Metadata",),
    "photos.photo": ("Photo",),
    "photos.reading": ("read_photo",),
    "photos.working_space": ("WorkingSpace", "working_space"),
    "photos.writing": ("write_layers", "write_photo"),
    "relighting.lights.light": ("Light", "Sun", "mix_lights"),
    "relighting.lights.place": ("light_of_place",),
    "relighting.lights.words": ("light_from_words",),
    "photos.depth_files": ("read_depth_map",),
    "relighting.lit_photo": ("PutOnOptions", "PutOnResult", "light_of_scene", "put_on"),
    "relighting.photo_geometry": ("geometry_of_photo",),
    "relighting.photo_layers": ("PhotoParts", "find_parts", "layered_photo"),
    "relighting.mapping": ("AlbedoResult", "DeshadowResult", "albedo", "deshadow"),
    "relighting.options": ("AlbedoOptions", "DeshadowOptions", "ReferenceKind", "RelightOptions", "TileColour"),
    "relighting.reference": ("ReferenceLight",),
    "relighting.relight": ("RelightResult", "relight"),
    "relighting.shadow_mask": ("ShadowMask", "shadow_mask"),
    "sequences.change": ("VideoOptions", "change_frames", "change_video"),
    "timelapse.frames": ("open_frames",),
    "timelapse.interpolate": ("TimelapseFrame", "interpolate_timelapse"),
    "timelapse.options": ("TimelapseOptions",),
    "timelapse.sequencing": ("Content", "Ease", "Mode"),
    "videos.from_frames": ("write_video",),
    "videos.names": ("VideoCodec",),
}


def __getattr__(name: str) -> "Any":
    """Import a public name from its module when it is first used."""
    import importlib

    for module, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
