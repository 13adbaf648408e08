"""What a picture's own metadata say of how it was made, read without decoding it."""

from pathlib import Path

from PIL import Image

from relight_cli.imaging.photo_metadata import TOOL
from relight_cli.imaging.provenance import history

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
_XMP = 700  # the TIFF tag (XMP specification, part 3, section 1.1.4)


def recorded_parameters(path: Path) -> str | None:
    """Give what this tool wrote as `Provenance.parameters`, if that is the last that was done to the picture."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            xmp = image.tag_v2.get(_XMP) if image.format == "TIFF" else image.info.get("xmp")  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001  Pillow raises anything; of what cannot be read nothing is known
        return None
    entries = history(xmp) if isinstance(xmp, bytes) else []
    ours = entries and entries[-1].get("softwareAgent", "").startswith(f"{TOOL} ")
    return entries[-1].get("parameters") if ours else None
