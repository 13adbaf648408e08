"""relight-cli in ComfyUI: change the light of images and keep their pixels."""

from .nodes import albedo, deshadow, light, refine_depth, relight, timelapse

__version__ = "0.1.0"

_NODES = {
    "RelightImage": (relight.Relight, "Relight"),
    "RelightDeshadow": (deshadow.Deshadow, "Deshadow"),
    "RelightAlbedo": (albedo.Albedo, "Albedo"),
    "RelightLight": (light.LightWithoutAPhoto, "Light"),
    "RelightRefineDepth": (refine_depth.RefineDepth, "Refine Depth"),
    "RelightTimelapseBetween": (timelapse.TimelapseBetween, "Timelapse Between"),
}
NODE_CLASS_MAPPINGS = {name: node for name, (node, _) in _NODES.items()}
NODE_DISPLAY_NAME_MAPPINGS = {name: title for name, (_, title) in _NODES.items()}

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
