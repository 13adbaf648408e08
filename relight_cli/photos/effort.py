"""How much time an encoder takes to make a file smaller, and the cores that it uses."""

import os
from enum import StrEnum


class Effort(StrEnum):
    """How hard encoders work; each format's module says which of its settings that chooses."""

    FAST = "fast"  # larger files
    DEFAULT = "default"
    SMALL = "small"  # slower


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
