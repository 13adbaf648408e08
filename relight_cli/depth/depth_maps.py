"""Encode maps of disparity, uncertainty and normals as files whose metadata says what the numbers mean."""

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

from relight_cli.errors import MissingExtraError, OutputUnwritableError
from relight_cli.photos.codecs import exr as exr_photos
from relight_cli.photos.fingerprints import fingerprint_of, sealed, split_record, with_fingerprint
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.shape import Shape
from relight_cli.photos.special_files import require_no_special_file

KINDS = (".png", ".tif", ".tiff", ".exr", ".npz")
Map = NDArray[np.float32]  # (H, W), or (H, W, 3) for normals
_FULL_SCALE = np.iinfo(np.uint16).max
_PNG_HEADER = 33  # bytes of signature and IHDR chunk; text chunks may follow (PNG specification, section 5.6)


@dataclass(frozen=True)
class MapScale:
    """What the numbers of a map mean."""

    quantity: str  # "disparity", "uncertainty", "normals"
    low: float  # the value of 0 in a 16-bit PNG
    high: float  # the value of 65535 in a 16-bit PNG
    software: str  # the program that made the map
    made: str = ""  # the `Provenance.record`
    shape: Shape | None = None  # of the photo; an EXR has its windows and the aspect of its pixels

    def texts(self) -> dict[str, str]:
        """Return the texts of a file's metadata."""
        relation = f"{self.quantity} = {self.low!r} + sample / {_FULL_SCALE} * {self.high - self.low!r}"
        recipe = {"Made": self.made} if self.made else {}
        return {
            **recipe,
            "Software": self.software,
            "Description": relation,
            "Quantity": self.quantity,
            "Low": repr(self.low),
            "High": repr(self.high),
        }


def map_scale(values: Map, quantity: str, software: str) -> MapScale:
    """Return the scale of a map: from its smallest to its largest value, for normals from -1 to 1."""
    if quantity == "normals":
        return MapScale(quantity, -1.0, 1.0, software)
    return MapScale(quantity, float(values.min()), float(values.max()), software)


def encode_map(values: Map, kind: str, scale: MapScale) -> bytes:
    """Return a map encoded as one of KINDS: PNG holds 16 bits over the map's range, the others unscaled float32.

    Raises MissingExtraError for .exr without OpenEXR.
    """
    if kind == ".png":
        return sealed(_encode_png(values, scale))
    if kind == ".npz":  # compressed, so that the fingerprint cannot be put into the record of the file
        made = scale.made and with_fingerprint(
            split_record(scale.made)[0], fingerprint_of(_encode_npz({scale.quantity: values}))
        )
        return _encode_npz({scale.quantity: values, **({"made": made} if made else {})})
    if kind == ".exr":
        return sealed(_encode_exr(values, scale))
    return sealed(_encode_tiff(values, scale))


def recorded_recipe(path: Path) -> str | None:
    """Return the `Provenance.record` of a map; None if it has none or cannot be read."""
    kind = path.suffix.lower()
    try:
        require_no_special_file(path)
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
    except Exception:  # noqa: BLE001  the libraries raise all kinds of errors; an unreadable file records nothing
        return None


def require_kind(kind: str) -> None:
    """Raise MissingExtraError if files of a kind cannot be written; call it before anything is computed."""
    if kind == ".exr":
        try:
            import OpenEXR  # noqa: F401
        except ImportError as error:
            message = ".exr files need OpenEXR: pip install 'relight-cli[exr]', or choose .tif"
            raise MissingExtraError(message) from error


def map_ends(values: Map) -> tuple[float, float]:
    """Return the ends of the colours of a map: the 2nd and the 98th percentile."""
    low, high = np.percentile(values, (2, 98))
    return float(low), float(high)


def coloured_map(values: Map, ends: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Return a map (H, W) in colour, (H, W, 3) sRGB, from dark (far) to light, between `map_ends` or other ends."""
    low, high = ends or map_ends(values)
    unit = ((values - low) / max(float(high - low), 1e-12)).clip(0, 1)
    coloured = cv2.applyColorMap(np.rint(unit * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(np.asarray(coloured, np.uint8)[..., ::-1])


def encode_picture(picture: NDArray[np.uint8], software: str, made: str = "") -> bytes:
    """Return a coloured map or a plot (H, W, 3) as PNG, with the recipe `made` if there is one."""
    recipe = {"Made": made} if made else {}
    return sealed(_png_bytes(Image.fromarray(picture), {"Software": software, **recipe}))


def _encode_npz(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _encode_png(values: Map, scale: MapScale) -> bytes:
    spread = max(scale.high - scale.low, 1e-12)
    samples = np.rint(((values - scale.low) / spread).clip(0, 1) * _FULL_SCALE).astype(np.uint16)
    if samples.ndim == 2:
        return _png_bytes(Image.fromarray(samples), scale.texts())
    png = bytes(imagecodecs.png_encode(samples, level=1))  # Pillow cannot write 16-bit RGB
    file = io.BytesIO()
    file.write(png[:_PNG_HEADER])
    for kind, data, *_ in _png_info(scale.texts()).chunks:
        PngImagePlugin.putchunk(file, kind, data)
    return file.getvalue() + png[_PNG_HEADER:]


def _png_bytes(image: Image.Image, texts: dict[str, str]) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=_png_info(texts), compress_level=1)
    return file.getvalue()


def _png_info(texts: dict[str, str]) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    return info


def _encode_tiff(values: Map, scale: MapScale) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        values,
        photometric="rgb" if values.ndim == 3 else "minisblack",
        compression="zlib",
        compressionargs={"level": 1},
        predictor=True,
        software=scale.software,
        description=json.dumps({"quantity": scale.quantity, "low": scale.low, "high": scale.high, "made": scale.made}),
        metadata=None,
    )
    return file.getvalue()


def _encode_exr(values: Map, scale: MapScale) -> bytes:
    require_kind(".exr")
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, "comments": scale.quantity}
    if scale.made:
        header["made"] = scale.made
    header |= exr_photos.shape_attributes(Metadata(shape=scale.shape), values.shape)
    channels = {"Y": values} if values.ndim == 2 else {"RGB": values}
    with tempfile.TemporaryDirectory() as folder:  # the library can write only to a path
        path = Path(folder) / "map.exr"
        try:
            exr_photos.write_file(header, {key: np.ascontiguousarray(plane) for key, plane in channels.items()}, path)
        except OSError as error:
            message = f"{path.parent.parent}: cannot be written ({error.strerror}); free some disk space"
            raise OutputUnwritableError(message) from error
        return path.read_bytes()
