"""From spectra and temperatures to linear sRGB."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relight_cli.errors import UsageError

WAVELENGTHS = np.arange(380.0, 781.0, 5.0)  # nm
COLDEST, HOTTEST = 1000.0, 25000.0  # kelvin
_BLACK_BODY, _DAYLIGHT = 4000.0, 5000.0  # kelvin: one locus below, the other above, a mix between
_LEAST = 0.01  # of the luminance: a colour outside sRGB, such as a candle's, keeps this much of each channel

# CIE XYZ to linear sRGB, IEC 61966-2-1.
_XYZ_TO_RGB = np.array(((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570)))


def _lobes(*lobes: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Return a sum of bells (height, centre, width below it, width above it) at WAVELENGTHS."""
    total = np.zeros_like(WAVELENGTHS)
    for height, centre, below, above in lobes:
        width = np.where(centre > WAVELENGTHS, below, above)
        total += height * np.exp(-0.5 * ((WAVELENGTHS - centre) / width) ** 2)
    return total


# The colour matching functions of CIE 1931. Wyman, Sloan and Shirley, Simple Analytic Approximations to the CIE XYZ
# Color Matching Functions (JCGT 2013), the fit of several lobes.
_OBSERVER = np.stack(
    (
        _lobes((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
        _lobes((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
        _lobes((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
    )
)


def planck(kelvin: float) -> NDArray[np.float64]:
    """Return the spectrum of a black body at WAVELENGTHS, relative to its value at 560 nm."""

    def radiance(nanometres: ArrayLike) -> NDArray[np.float64]:
        metres = np.asarray(nanometres, float) * 1e-9
        return metres**-5 / np.expm1(1.438776877e-2 / (metres * kelvin))  # second radiation constant, CODATA 2018

    return radiance(WAVELENGTHS) / radiance(560.0)


def xyz_of_spectrum(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return XYZ (3,) of a spectrum at WAVELENGTHS; Y is its integral under the luminosity function, in nm."""
    return _OBSERVER @ spectrum * (WAVELENGTHS[1] - WAVELENGTHS[0])


def xyz_to_rgb(xyz: ArrayLike) -> NDArray[np.float64]:
    """Return linear sRGB (..., 3), which may be negative, of CIE XYZ (..., 3)."""
    return np.asarray(xyz, float) @ _XYZ_TO_RGB.T


def within_srgb(rgb: ArrayLike) -> NDArray[np.float64]:
    """Return light (..., 3) without negative channels: as much white as is needed added, at the same luminance."""
    light = np.asarray(rgb, float)
    luminance = light @ np.array((0.2126, 0.7152, 0.0722))
    room = luminance - light.min(axis=-1)
    short = _LEAST * luminance > light.min(axis=-1)
    share = np.where(short, (1 - _LEAST) * luminance / np.where(room > 0, room, 1), 1.0)
    return luminance[..., None] + share[..., None] * (light - luminance[..., None])


def colour_of_temperature(kelvin: float) -> NDArray[np.float64]:
    """Return the colour (3,) of a light, linear sRGB of luminance 1: 6500 K is white, less is warmer.

    A black body (Planck's law) up to 4000 K, the daylight locus of CIE 15 from 5000 K, and in between a
    mix of both. Colours outside sRGB are moved towards white. Raises UsageError outside 1000 to 25000 K.
    """
    if not COLDEST <= kelvin <= HOTTEST:
        raise UsageError(f"{kelvin:g} K is out of range: give {COLDEST:g} to {HOTTEST:g} kelvin.")
    share = min(1.0, max(0.0, (kelvin - _BLACK_BODY) / (_DAYLIGHT - _BLACK_BODY)))
    body, day = xyz_of_spectrum(planck(kelvin)), _daylight(max(kelvin, _BLACK_BODY))
    xyz = (1 - share) * body / body[1] + share * day
    return within_srgb(xyz_to_rgb(xyz))


def _daylight(kelvin: float) -> NDArray[np.float64]:
    """Return XYZ, Y = 1, of CIE daylight from 4000 to 25000 K."""
    cubic = (0.244063, 99.11, 2.9678e6, -4.6070e9) if kelvin <= 7000 else (0.237040, 247.48, 1.9018e6, -2.0064e9)
    x = sum(factor / kelvin**power for power, factor in enumerate(cubic))
    y = -3.000 * x * x + 2.870 * x - 0.275
    return np.array((x / y, 1.0, (1 - x - y) / y))


def temperature_of_colour(rgb: ArrayLike) -> float | None:
    """Return the correlated colour temperature of light in linear sRGB; None far from white.

    McCamy, Correlated Color Temperature as an Explicit Function of Chromaticity Coordinates (1992).
    """
    x, y, z = np.linalg.solve(_XYZ_TO_RGB, np.asarray(rgb, float))
    total = x + y + z
    if total <= 0:
        return None
    across, down = x / total - 0.3320, y / total - 0.1858
    if down <= 0:
        return None
    n = -across / down
    kelvin = 449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33
    if not 1500 <= kelvin <= HOTTEST:
        return None
    near = colour_of_temperature(float(kelvin))
    here = np.asarray(rgb, float) / max(1e-12, float(np.asarray(rgb, float) @ (0.2126, 0.7152, 0.0722)))
    return float(kelvin) if np.abs(here - near).max() < 0.35 else None
