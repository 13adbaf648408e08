"""How much time an encoder takes to make a file smaller."""

from enum import StrEnum


class Effort(StrEnum):
    """How hard encoders work; each format's module says which of its settings that chooses."""

    FAST = "fast"  # larger files
    DEFAULT = "default"
    SMALL = "small"  # slower
