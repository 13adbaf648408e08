"""Attributes in the header of an EXR that describe the picture, not how the file stores it."""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Of the file, of the colours (which are converted) and of the old pixels; software and xmp are stored by themselves.
_DROPPED = {
    *("channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio", "type", "tiles"),
    *("chunkCount", "version", "maxSamplesPerPixel", "name", "view", "multiView", "dwaCompressionLevel", "preview"),
    *("chromaticities", "acesImageContainerFlag", "colorInteropID", "oiio:ColorSpace", "software", "xmp", "idManifest"),
    *("deepImageState", "originalDataWindow", "relight-cli:recipe", "relight-cli:focalPixels"),
}

_DEFAULTS: dict[str, Any] = {"screenWindowCenter": (0, 0), "screenWindowWidth": 1}


def descriptive_attributes(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that hold for another picture of the same size; the library owns the arrays of `header`."""
    kept = {name: value for name, value in header.items() if name not in _DROPPED and not _is_default(name, value)}
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in kept.items()}


def writable_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes that the library can write; warn of the others."""
    if _can_write(attributes):
        return dict(attributes)
    kept = {name: value for name, value in attributes.items() if _can_write({name: value})}
    lost = ", ".join(name for name in attributes if name not in kept)
    warnings.warn(f"the EXR attributes {lost} cannot be written and are dropped", stacklevel=2)
    return kept


def _is_default(name: str, value: Any) -> bool:  # of attributes that every file has
    return name in _DEFAULTS and np.array_equal(value, _DEFAULTS[name])


def _can_write(attributes: Mapping[str, Any]) -> bool:
    """Return whether the library writes a tiny picture with these attributes."""
    import OpenEXR

    header = {"compression": OpenEXR.NO_COMPRESSION, "type": OpenEXR.scanlineimage, **attributes}
    with tempfile.TemporaryDirectory() as folder:
        try:
            OpenEXR.File(header, {"Y": np.zeros((1, 1), np.float32)}).write(str(Path(folder) / "tiny.exr"))
        except Exception:  # noqa: BLE001  the library raises anything; the attribute is dropped with a warning
            return False
    return True
