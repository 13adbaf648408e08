"""What a picture's own metadata say of how it was made, read without decoding it."""

from pathlib import Path

from relight_cli.photos.header import read_header
from relight_cli.photos.metadata import TOOL
from relight_cli.photos.provenance import history


def recorded_parameters(path: Path) -> str | None:
    """Give what this tool wrote as `Provenance.parameters`, if that is the last that was done to the picture."""
    try:
        xmp = read_header(path).xmp
    except Exception:  # noqa: BLE001  libraries raise anything; of what cannot be read nothing is known
        return None
    entries = history(xmp) if isinstance(xmp, bytes) else []
    ours = entries and entries[-1].get("softwareAgent", "").startswith(f"{TOOL} ")
    return entries[-1].get("parameters") if ours else None
