"""The tags of a TIFF that say what its colours are (TIFF 6.0, section 20)."""

from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from relight_cli.photos.cicp import D65, are_primaries, table_curve
from relight_cli.photos.colour_tags import ColourTags

_COLOUR_MAP = 320
_DEFAULT_GAMMA = 2.2  # without a TransferFunction
_FLOAT = 3  # SampleFormat


def read_colours(page: Any, notes: list[str]) -> ColourTags | None:
    """Return TransferFunction, WhitePoint (else D65) and PrimaryChromaticities of a page; None without both others.

    Add a note on values that cannot be used.
    """
    values = [fractions(page.tags.valueof(name, ())) for name in ("PrimaryChromaticities", "WhitePoint")]
    chromaticities = (*values[0], *(values[1] or D65))
    curve = _curve(page, notes)
    if not are_primaries(chromaticities):
        if "PrimaryChromaticities" in page.tags:
            notes.append("its PrimaryChromaticities are no colour space and are ignored")
        return ColourTags(curve=curve) if curve else None
    return ColourTags(chromaticities=chromaticities, curve=curve, gamma=None if curve else _DEFAULT_GAMMA)


def widen_palette(image: Image.Image) -> None:
    """Take a palette without a value above 255 for one of 8 bits, as libtiff does; TIFF wants 16 (TIFF 6.0, section 5).

    `image` is a page of a TIFF.
    """
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    values = image.tag_v2.get(_COLOUR_MAP, ())
    if image.mode in ("P", "PA") and values and max(values) < 256:
        image.putpalette(bytes(values), "RGB;L")


def _curve(page: Any, notes: list[str]) -> bytes | None:
    """Return the TransferFunction as ICC stores it; None if it is missing or cannot be used, which costs a note."""
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    try:
        table = np.asarray(page.tags.valueof("TransferFunction", ()), np.float64).ravel()
    except (TypeError, ValueError):
        return None
    if not table.size or bits > 16 or page.sampleformat == _FLOAT:
        return None
    curves = table.reshape(-1, 1 << bits) if table.size in (1 << bits, 3 << bits) else np.zeros((1, 2))
    light = curves[0]
    if (curves != light).any() or (np.diff(light) < 0).any() or light[0] == light[-1]:
        notes.append("its TransferFunction is not one rising curve for all colours and is ignored")
        return None
    steps = np.linspace(0, len(light) - 1, min(len(light), 4096))
    return table_curve(np.rint(np.interp(steps, np.arange(len(light)), light * 65535 / light[-1])).astype(np.uint16))


def fractions(value: object) -> tuple[float, ...]:
    """Return the floats of a tag of fractions, numerators and denominators in turn."""
    try:
        numbers = [float(part) for part in value]  # type: ignore[attr-defined]
        return tuple(above / below for above, below in zip(numbers[::2], numbers[1::2], strict=True))
    except (TypeError, ValueError, ZeroDivisionError):
        return ()
