"""Facts about a photo, as text."""

import contextlib
import io

from PIL import ImageCms

from relight_cli.photos.photo import Photo

FACTS = ("Pixels", "Depth", "Colours")
_DEPTHS = {"uint8": "8 bits", "uint16": "16 bits", "float32": "32 bits, floating point"}


def photo_facts(photo: Photo) -> tuple[str, str, str]:
    """Return size, bit depth and colours of a photo, in the order of FACTS."""
    return _pixels(photo), _depth(photo), _colours(photo)


def _pixels(photo: Photo) -> str:
    height, width = photo.pixels.shape[:2]
    megapixels = f" ({width * height / 1e6:.1f} MP)" if width * height >= 1e5 else ""
    return f"{width} \N{MULTIPLICATION SIGN} {height}{megapixels}"


def _depth(photo: Photo) -> str:
    return _DEPTHS[photo.pixels.dtype.name] + (", with transparency" if photo.alpha is not None else "")


def _colours(photo: Photo) -> str:
    kind = "grey" if photo.pixels.shape[2] == 1 else "RGB"
    if photo.metadata.icc is None:
        return f"{kind}, sRGB (no profile)"
    with contextlib.suppress(Exception):
        profile = ImageCms.ImageCmsProfile(io.BytesIO(photo.metadata.icc))
        return f"{kind}, {ImageCms.getProfileDescription(profile).strip()}"
    return f"{kind}, with a profile"
