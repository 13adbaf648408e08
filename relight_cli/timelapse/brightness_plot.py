"""Plot the brightness and colour of a sequence over time, before and after."""

import numpy as np
from numpy.typing import NDArray

from relight_cli.models.colour import LUMINANCE
from relight_cli.pages.drawn_charts import draw_charts
from relight_cli.pages.views import Chart, Line
from relight_cli.rasters.rows import row_bands
from relight_cli.relighting.layers import to_linear

Colour = tuple[float, float, float]  # mean linear red, green and blue
Point = tuple[float, Colour]

DARKEST = 2.0**-12  # linear; the lower limit of the logarithm


def mean_colour(picture: NDArray[np.float32]) -> Colour:
    """Return the mean linear red, green and blue of an sRGB picture (H, W, 3)."""
    total = np.zeros(3)
    for rows in row_bands(*picture.shape[:2]):
        total += to_linear(picture[rows].clip(0, 1)).sum((0, 1), dtype=np.float64)
    red, green, blue = total / (picture.shape[0] * picture.shape[1])
    return float(red), float(green), float(blue)


def plot(before: list[Point], after: list[Point], unit: str) -> NDArray[np.uint8]:
    """Return a plot (H, W, 3) of both, luminance above and colour below; the times of each rise, in `unit`."""
    return draw_charts(brightness_charts(before, after, unit))


def brightness_charts(before: list[Point], after: list[Point], unit: str) -> list[Chart]:
    """Return charts of luminance and of colour over time; `before` may be empty."""
    brightness: list[Line] = []
    colour: list[Line] = []
    for name, pale, points in (("input", "pale-", before), ("output", "", after)):
        if not points:
            continue
        times = [time for time, _ in points]
        colours = np.array([linear for _, linear in points])
        red, green, blue = np.log2(colours.clip(DARKEST)).T
        luminance = np.log2((colours @ np.array(LUMINANCE)).clip(DARKEST))
        brightness.append(Line(name.capitalize(), "pale" if pale else "strong", times, luminance.tolist()))
        colour.append(Line(f"Red, {name}", f"{pale}red", times, (red - green).tolist()))
        colour.append(Line(f"Blue, {name}", f"{pale}blue", times, (blue - green).tolist()))
    x_title = "frames" if unit == "frames" else f"time in {unit}"
    return [
        Chart("Brightness over time", x_title, "luminance in stops (0: white)", brightness),
        Chart("Colour over time", x_title, "red and blue against green, in stops", colour),
    ]
