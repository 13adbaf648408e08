"""The identity of the networks that compare pictures of the same view, which are inside the package."""

import functools
import hashlib
from importlib.resources import files

_OTHERS = ("tiny.safetensors", "geometry.safetensors")  # which have an identity of their own


@functools.cache
def same_view_sha256() -> str:
    """Return the sha256 of their files, one after the other by their names."""
    found = [file for file in (files("relight_cli") / "data").iterdir() if file.name.endswith(".safetensors")]
    digest = hashlib.sha256()
    for file in sorted(found, key=lambda file: file.name):
        if file.name not in _OTHERS:
            digest.update(file.read_bytes())
    return digest.hexdigest()
