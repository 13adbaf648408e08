"""The light of a clear sky: the sun through the air, the blue around it, twilight and night.

Preetham, Shirley and Smits, A Practical Analytic Model for Daylight (SIGGRAPH 1999), here "Preetham". Colours are
linear sRGB; illuminances are in kilolux, luminances in kcd/m2.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relight_cli.errors import UsageError
from relight_cli.relighting.lights.harmonics import sphere_grid
from relight_cli.relighting.lights.light import LUMINANCE
from relight_cli.relighting.lights.spectra import WAVELENGTHS, planck, within_srgb, xyz_of_spectrum, xyz_to_rgb

CLEAREST, HAZIEST = 2.0, 10.0  # turbidity: pure mountain air 2, clear 3, haze 6 to 10
CLEAR = 3.0
GROUND = 0.2  # reflectance of the ground below the horizon: grass, soil, worn asphalt
DISC = 0.267  # degrees: the sun's angular radius

_SUN_KELVIN = 5778.0  # effective temperature of the sun
_OUTSIDE = 133.1  # klx of the sun outside the air: the luminous solar constant
_OZONE = 0.35  # cm (Preetham, appendix)
# Absorption of ozone per cm (Leckner, The Spectral Distribution of Solar Radiation at the Earth's Surface, 1978), every
# 10 nm from 450 nm.
_OZONE_ABSORPTION = np.array(
    (
        *(0.003, 0.006, 0.009, 0.014, 0.021, 0.030, 0.040, 0.048, 0.063, 0.075, 0.085, 0.103, 0.120, 0.120, 0.115),
        *(0.125, 0.120, 0.105, 0.090, 0.079, 0.067, 0.057, 0.048, 0.036, 0.028, 0.023, 0.018, 0.014, 0.011, 0.010),
        *(0.009, 0.007, 0.004),
    )
)
# log10 of the illuminance (lx) of level ground under a clear sky is a cubic in the sun's elevation / 90 degrees: from
# which elevation on, and its coefficients. Janiczek and DeYoung, US Naval Observatory Circular 171 (1987); also
# in the Explanatory Supplement to the Astronomical Almanac (1992).
_ILLUMINANCE = (
    (20.0, (3.74, 3.97, -4.07, 1.47)),
    (5.0, (3.05, 13.28, -45.98, 64.33)),
    (-0.8, (2.88, 22.26, -207.64, 1034.30)),
    (-5.0, (2.88, 21.81, -258.11, -858.36)),
    (-12.0, (2.70, 12.17, -431.69, -1899.83)),
    (-18.0, (13.84, 262.72, 1447.42, 2797.93)),
)
_LEAST_SKY = 0.08  # share of the sky in the light of level ground: never less
_BLUE_HOUR = (0.24, 0.235)  # chromaticity of the zenith with the sun 6 degrees down: ozone leaves a deep blue
_GLOW = (0.40, 0.38)  # chromaticity of the rest of sunset
_NIGHT = (0.27, 0.28)  # chromaticity of the night sky as photos show it

# Preetham, appendix A.2: for Y, x and y, the five coefficients of Perez as factor x turbidity + constant.
_PEREZ = np.array(
    (
        ((0.1787, -1.4630), (-0.3554, 0.4275), (-0.0227, 5.3251), (0.1206, -2.5771), (-0.0670, 0.3703)),
        ((-0.0193, -0.2592), (-0.0665, 0.0008), (-0.0004, 0.2125), (-0.0641, -0.8989), (-0.0033, 0.0452)),
        ((-0.0167, -0.2608), (-0.0950, 0.0092), (-0.0079, 0.2102), (-0.0441, -1.6537), (-0.0109, 0.0529)),
    )
)
# For x and y at the zenith: turbidity (squared, plain, 1) times the sun's zenith angle (cubed, squared, plain, 1).
_ZENITH = np.array(
    (
        (
            (0.00166, -0.00375, 0.00209, 0.0),
            (-0.02903, 0.06377, -0.03202, 0.00394),
            (0.11693, -0.21196, 0.06052, 0.25886),
        ),
        (
            (0.00275, -0.00610, 0.00317, 0.0),
            (-0.04214, 0.08970, -0.04153, 0.00516),
            (0.15346, -0.26756, 0.06670, 0.26688),
        ),
    )
)


def check_turbidity(turbidity: float) -> float:
    """Return the turbidity. Raises UsageError outside 2 to 10, where the model holds."""
    if not CLEAREST <= turbidity <= HAZIEST:
        raise UsageError(
            f"--turbidity {turbidity:g} is out of range: give {CLEAREST:g} (mountain air), {CLEAR:g} (clear) "
            f"to {HAZIEST:g} (haze)."
        )
    return turbidity


def sun_irradiance(elevation: float, turbidity: float = CLEAR) -> NDArray[np.float64]:
    """Return the illuminance (3,) in klx of a surface that faces the sun at an elevation in degrees.

    A black body of 5778 K through air (Rayleigh), aerosol (Angstrom) and ozone: Preetham, appendix A.1. Below the
    horizon it fades with the part of the disc that is still up.
    """
    mass = air_mass(max(elevation, 0.0))
    micrometres = WAVELENGTHS / 1000
    ozone = np.interp(WAVELENGTHS, 450 + 10 * np.arange(len(_OZONE_ABSORPTION)), _OZONE_ABSORPTION, 0, 0)
    haze = 0.04608 * turbidity - 0.04586
    depth = 0.008735 * micrometres**-4.08 + haze * micrometres**-1.3 + _OZONE * ozone
    outside = planck(_SUN_KELVIN)
    scale = _OUTSIDE / xyz_of_spectrum(outside)[1]
    light = within_srgb(xyz_to_rgb(scale * xyz_of_spectrum(outside * np.exp(-depth * mass))))
    return light * min(1.0, max(0.0, (elevation + DISC) / (2 * DISC)))


def air_mass(elevation: float) -> float:
    """Return the relative optical mass of the air from 0 degrees up (Kasten and Young 1989)."""
    return 1 / (math.sin(math.radians(elevation)) + 0.50572 * (elevation + 6.07995) ** -1.6364)


def ground_illuminance(elevation: float) -> float:
    """Return the illuminance (klx) of level ground under a clear sky without a moon, sun included.

    From -18 degrees down it is that of the end of twilight.
    """
    at = max(-18.0, min(90.0, elevation))
    cubic = next(cubic for start, cubic in _ILLUMINANCE if at >= start)
    return 10 ** sum(factor * (at / 90) ** power for power, factor in enumerate(cubic)) / 1000


def sky_radiance(directions: ArrayLike, sun: ArrayLike, turbidity: float = CLEAR) -> NDArray[np.float64]:
    """Return the luminance (N, 3) in kcd/m2 of the clear sky at directions (N, 3) above the horizon (y > 0).

    `sun` is the unit vector to it. Shape and colours are Preetham's while the sun is up. Below, his sky of sunset fades
    into a blue one with a warm rest low on the sun's side, and by -15 degrees into that of the night. Preetham's sky is
    too bright under a low sun, so the brightness is `ground_illuminance` less the sun's own part.
    """
    at, to_sun = np.asarray(directions, float), np.asarray(sun, float)
    elevation = math.degrees(math.asin(max(-1.0, min(1.0, float(to_sun[1])))))
    everywhere, angles = sphere_grid(32)
    above = everywhere[:, 1] > 0
    everywhere, angles = everywhere[above], angles[above]
    luminance = _sky(everywhere, to_sun, elevation, turbidity)[0]
    ground = ground_illuminance(elevation)
    direct = float(sun_irradiance(elevation, turbidity) @ LUMINANCE) * max(0.0, float(to_sun[1]))
    wanted = max(ground - direct, _LEAST_SKY * ground)
    found, x, y = _sky(at, to_sun, elevation, turbidity)
    return _rgb(found * (wanted / float(luminance @ (everywhere[:, 1] * angles))), x, y)


def _sky(
    at: NDArray[np.float64], to_sun: NDArray[np.float64], elevation: float, turbidity: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return luminance up to a factor, and chromaticity x and y, of the sky at directions (N, 3)."""
    height = np.clip(at[:, 1], 0.01, 1)
    if elevation >= 0:
        return _preetham(height, at @ to_sun, elevation, turbidity)
    level = np.array((to_sun[0], 0.0, to_sun[2]))
    towards = at @ (level / max(1e-9, float(np.linalg.norm(level))))
    day, x, y = _preetham(height, towards, 0.0, turbidity)
    dusk, night = _smooth(-elevation / 6), _smooth((-elevation - 6) / 9)
    glow = (1 - night) * np.exp(2 * towards - 2 - 6 * height)
    blue = (1 - 0.4 * height) * (1 + 8 * glow)  # brighter towards the horizon
    blue *= day.mean() / blue.mean()
    tint = (1 - night) * np.array(_BLUE_HOUR) + night * np.array(_NIGHT)
    warm = np.clip(3 * glow, 0, 1)
    dusk_x, dusk_y = (warm * _GLOW[n] + (1 - warm) * tint[n] for n in range(2))
    return day ** (1 - dusk) * blue**dusk, (1 - dusk) * x + dusk * dusk_x, (1 - dusk) * y + dusk * dusk_y


def _preetham(
    height: NDArray[np.float64], towards_sun: NDArray[np.float64], elevation: float, turbidity: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return luminance (kcd/m2), x and y of the sky at heights sin(elevation) and cosines of the angle to the sun."""
    zenith_angle = math.radians(90 - elevation)
    angle = np.arccos(np.clip(towards_sun, -1, 1))
    chi = (4 / 9 - turbidity / 120) * (math.pi - 2 * zenith_angle)
    zenith = [(4.0453 * turbidity - 4.9710) * math.tan(chi) - 0.2155 * turbidity + 2.4192]
    of_haze, of_sun = np.array((turbidity**2, turbidity, 1)), zenith_angle ** np.arange(3, -1, -1.0)
    zenith += [float(of_haze @ matrix @ of_sun) for matrix in _ZENITH]

    def perez(number: int, up: ArrayLike, gamma: ArrayLike) -> NDArray[np.float64]:
        a, b, c, d, e = _PEREZ[number] @ (turbidity, 1)
        return (1 + a * np.exp(b / np.asarray(up))) * (1 + c * np.exp(d * np.asarray(gamma)) + e * np.cos(gamma) ** 2)

    luminance, x, y = (zenith[n] * perez(n, height, angle) / perez(n, 1.0, zenith_angle) for n in range(3))
    return luminance, x, y


def _rgb(luminance: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    xyz = np.stack((x / y, np.ones_like(y), (1 - x - y) / y), axis=-1)
    return within_srgb(np.clip(luminance, 0, None)[:, None] * xyz_to_rgb(xyz))


def _smooth(share: float) -> float:
    """Return a smooth step from 0 at 0 to 1 at 1."""
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)
