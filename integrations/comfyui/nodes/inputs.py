"""Inputs that several nodes have, as ComfyUI's INPUT_TYPES wants them."""

from . import host

CATEGORY = "relight"
LIGHT = "RELIGHT_LIGHT"  # the type of a light without a photo


def image(tooltip: str) -> tuple[str, dict]:
    """Return an input for images."""
    return ("IMAGE", {"tooltip": tooltip})


def mask() -> tuple[str, dict]:
    """Return an input for where images may change."""
    return ("MASK", {"tooltip": "Where the image may change: 1 yes, 0 no. One mask, or one for each image."})


def model() -> tuple[list[str], dict]:
    """Return the choice of a relighting network."""
    tooltip = (
        "auto: the published network where its files are in models/relight or in the cache of Hugging Face, else tiny, "
        "which is in the package. Trained files in models/relight can be chosen too."
    )
    return (host.model_names(), {"default": "auto", "tooltip": tooltip})


def strength() -> tuple[str, dict]:
    """Return the strength of a change of light."""
    tooltip = "0: the image comes back as it is, 1: full, up to 1.5: exaggerated."
    return ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.5, "step": 0.05, "tooltip": tooltip})


def number(default: float, low: float, high: float, step: float, tooltip: str) -> tuple[str, dict]:
    """Return a decimal number."""
    return ("FLOAT", {"default": default, "min": low, "max": high, "step": step, "tooltip": tooltip})


def whole(default: int, low: int, high: int, tooltip: str) -> tuple[str, dict]:
    """Return a whole number."""
    return ("INT", {"default": default, "min": low, "max": high, "tooltip": tooltip})


def switch(default: bool, tooltip: str) -> tuple[str, dict]:
    """Return an option that is on or off."""
    return ("BOOLEAN", {"default": default, "tooltip": tooltip})


def choice(names: list[str], default: str, tooltip: str) -> tuple[list[str], dict]:
    """Return a choice of names."""
    return (names, {"default": default, "tooltip": tooltip})


def text(default: str, tooltip: str) -> tuple[str, dict]:
    """Return a line of text."""
    return ("STRING", {"default": default, "tooltip": tooltip})
