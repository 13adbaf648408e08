"""The identity of the agreement network, which is inside the package."""

import functools
import hashlib
from importlib.resources import files


@functools.cache
def agreement_sha256() -> str:
    """Return the sha256 of the file inside the package."""
    return hashlib.sha256((files("relight_cli") / "data" / "agreement.safetensors").read_bytes()).hexdigest()
