"""The tags of a TIFF that say what its colours are (TIFF 6.0, section 20)."""

from typing import Any

import numpy as np

from relight_cli.photos.cicp import are_primaries, table_curve
from relight_cli.photos.colour_tags import ColourTags

_DEFAULT_GAMMA = 2.2  # without a TransferFunction
_FLOAT = 3  # SampleFormat


def read_colours(page: Any) -> ColourTags | None:
    """Return TransferFunction, WhitePoint and PrimaryChromaticities of a page of tifffile; None if they are missing."""
    values = [_fractions(page.tags.valueof(name, ())) for name in ("PrimaryChromaticities", "WhitePoint")]
    chromaticities = (*values[0], *values[1])
    table = np.asarray(page.tags.valueof("TransferFunction", ()))
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    curve = None
    if bits <= 16 and page.sampleformat != _FLOAT and table.size in (1 << bits, 3 << bits):
        light = table[: 1 << bits].astype(np.float64)  # the three are the same in practice
        light *= 65535 / max(float(light.max()), 1)
        if (np.diff(light) >= 0).all() and light[0] < light[-1]:
            steps = np.linspace(0, (1 << bits) - 1, min(1 << bits, 4096))
            curve = table_curve(np.rint(np.interp(steps, np.arange(1 << bits), light)).astype(np.uint16))
    if not are_primaries(chromaticities):
        return ColourTags(curve=curve) if curve else None
    return ColourTags(chromaticities=chromaticities, curve=curve, gamma=None if curve else _DEFAULT_GAMMA)


def _fractions(value: object) -> tuple[float, ...]:
    """Return the floats of a tag of fractions, numerators and denominators in turn."""
    try:
        numbers = [float(part) for part in value]  # type: ignore[attr-defined]
        return tuple(above / below for above, below in zip(numbers[::2], numbers[1::2], strict=True))
    except (TypeError, ValueError, ZeroDivisionError):
        return ()
