"""Maps of disparity, its uncertainty and normals, to files that say what their numbers mean."""

import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from relight_cli.errors import MissingExtraError
from relight_cli.photos.codecs import exr as exr_photos

KINDS = (".png", ".tif", ".tiff", ".exr", ".npz")
Map = NDArray[np.float32]  # (H, W), or (H, W, 3) for normals
_TOP = np.iinfo(np.uint16).max
_PNG_HEADER = 33  # bytes of signature and IHDR chunk, after which texts may stand (PNG specification, section 5.6)


@dataclass(frozen=True)
class MapScale:
    """What the numbers of a map are."""

    quantity: str  # "disparity", "uncertainty", "normals"
    low: float  # what 0 of a 16-bit PNG stands for
    high: float  # what 65535 of it stands for
    software: str  # who made it
    made: str = ""  # how, as JSON

    def facts(self) -> dict[str, str]:
        """Give the texts of a file's metadata."""
        relation = f"{self.quantity} = {self.low!r} + sample / {_TOP} * {self.high - self.low!r}"
        made = {"Made": self.made} if self.made else {}
        return {
            **made,
            "Software": self.software,
            "Description": relation,
            "Quantity": self.quantity,
            "Low": repr(self.low),
            "High": repr(self.high),
        }


def map_scale(values: Map, quantity: str, software: str) -> MapScale:
    """Take the range of a map as the range of its file; normals have [-1, 1]."""
    if quantity == "normals":
        return MapScale(quantity, -1.0, 1.0, software)
    return MapScale(quantity, float(values.min()), float(values.max()), software)


def encode_map(values: Map, kind: str, meaning: MapScale) -> bytes:
    """Encode a map as one of KINDS: 16 bits over its range as PNG, float32 and unscaled as every other.

    Raises MissingExtraError where OpenEXR is wanted and not installed.
    """
    if kind == ".png":
        return _encode_png(values, meaning)
    if kind == ".npz":
        file = io.BytesIO()
        arrays: dict[str, Any] = {meaning.quantity: values, **({"made": meaning.made} if meaning.made else {})}
        np.savez_compressed(file, **arrays)
        return file.getvalue()
    if kind == ".exr":
        return _encode_exr(values, meaning)
    return _encode_tiff(values, meaning)


def recorded_recipe(path: Path) -> str | None:
    """Give what a map says of how it was made; None where it says nothing or cannot be read."""
    kind = path.suffix.lower()
    try:
        if kind == ".npz":
            with np.load(path) as file:
                return str(file["made"])
        if kind == ".exr":
            return exr_photos.read_texts(path)[1]["made"]
        if kind == ".png":
            with Image.open(path, formats=("PNG",)) as image:
                return str(image.info["Made"])
        with tifffile.TiffFile(path) as tiff:
            return str(json.loads(tiff.pages.first.description)["made"]) or None
    except Exception:  # noqa: BLE001  libraries raise anything; of what cannot be read nothing is known
        return None


def require_kind(kind: str) -> None:
    """Raise MissingExtraError where files of a kind cannot be written, before anything is computed."""
    if kind == ".exr":
        try:
            import OpenEXR  # noqa: F401
        except ImportError as error:
            said = ".exr files need OpenEXR: pip install 'relight-cli[exr]', or choose .tif"
            raise MissingExtraError(said) from error


def preview(values: Map) -> NDArray[np.uint8]:
    """Colour a map (H, W) from its 2nd to its 98th percentile, dark far away and light near: (H, W, 3), sRGB."""
    low, high = np.percentile(values, (2, 98))
    unit = ((values - low) / max(float(high - low), 1e-12)).clip(0, 1)
    coloured = cv2.applyColorMap(np.rint(unit * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(np.asarray(coloured, np.uint8)[..., ::-1])


def encode_preview(values: Map, software: str) -> bytes:
    """Encode the coloured map as an 8-bit PNG."""
    return _saved(Image.fromarray(preview(values)), {"Software": software})


def _encode_png(values: Map, meaning: MapScale) -> bytes:
    spread = max(meaning.high - meaning.low, 1e-12)
    samples = np.rint(((values - meaning.low) / spread).clip(0, 1) * _TOP).astype(np.uint16)
    if samples.ndim == 2:
        return _saved(Image.fromarray(samples), meaning.facts())
    png = bytes(imagecodecs.png_encode(samples, level=1))  # Pillow writes no colours of 16 bits
    file = io.BytesIO()
    file.write(png[:_PNG_HEADER])
    for kind, data, *_ in _texts(meaning.facts()).chunks:
        PngImagePlugin.putchunk(file, kind, data)
    return file.getvalue() + png[_PNG_HEADER:]


def _saved(image: Image.Image, texts: dict[str, str]) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=_texts(texts), compress_level=1)
    return file.getvalue()


def _texts(texts: dict[str, str]) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    return info


def _encode_tiff(values: Map, meaning: MapScale) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        values,
        photometric="rgb" if values.ndim == 3 else "minisblack",
        compression="zlib",
        compressionargs={"level": 1},
        predictor=True,
        software=meaning.software,
        description=json.dumps(
            {"quantity": meaning.quantity, "low": meaning.low, "high": meaning.high, "made": meaning.made}
        ),
        metadata=None,
    )
    return file.getvalue()


def _encode_exr(values: Map, meaning: MapScale) -> bytes:
    require_kind(".exr")
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "comments": meaning.quantity}
    if meaning.made:
        header["made"] = meaning.made
    channels = {"Y": values} if values.ndim == 2 else {"RGB": values}
    with tempfile.TemporaryDirectory() as folder:  # the library writes to names alone
        path = Path(folder) / "map.exr"
        OpenEXR.File(header, {key: np.ascontiguousarray(plane) for key, plane in channels.items()}).write(str(path))
        return path.read_bytes()
