"""The licences that the weights of a file carry: of the encoder, and of the pictures it was trained on."""

import re
from collections.abc import Mapping

CROCO_V2 = "CC BY-NC-SA 4.0"
"""The licence of the published weights of CroCo v2, and of files in its layout that state none."""
NOT_STATED = "not stated"

_NON_COMMERCIAL = re.compile(r"\bNC\b|non-?\s?commercial", re.IGNORECASE)


def is_non_commercial(licence: str) -> bool:
    """Return whether a licence forbids commercial use, by its words: "NC", "non-commercial"."""
    return bool(_NON_COMMERCIAL.search(licence))


def non_commercial_parts(licences: Mapping[str, str]) -> str | None:
    """Return "encoder: CC BY-NC-SA 4.0; ..." of what a file was made from under such licences; None if nothing was."""
    found = [f"{part}: {licence}" for part, licence in licences.items() if is_non_commercial(licence)]
    return "; ".join(found) or None


def licence_line(name: str, licences: Mapping[str, str]) -> str | None:
    """Return the line that a command says when it loads a non-commercial file; None for others."""
    found = non_commercial_parts(licences)
    return f"{name}: for non-commercial use only ({found})" if found else None
