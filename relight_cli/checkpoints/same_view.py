"""The identity of the network that compares pictures of the same view, which is inside the package."""

import functools
import hashlib
from importlib.resources import files

_FILE = files("relight_cli") / "data" / "agreement.safetensors"


@functools.cache
def same_view_sha256() -> str:
    """Return the sha256 of its file."""
    return hashlib.sha256(_FILE.read_bytes()).hexdigest()
