"""Plot the brightness and colour of a sequence over time, before and after."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from relight_cli.models.colour import LUMINANCE
from relight_cli.rasters.rows import row_bands
from relight_cli.relighting.layers import to_linear

Colour = tuple[float, float, float]  # mean linear red, green and blue
Point = tuple[float, Colour]

WIDTH, HEIGHT, MARGIN = 1200, 640, 70
OVERSAMPLING = 2  # the plot is drawn this many times larger, for smooth lines
DARKEST = 2.0**-12  # linear; the lower limit of the logarithm
PANELS = (("luminance, stops", 0.06, 0.62), ("red / green and blue / green, stops", 0.7, 0.97))
GRID, INK = "#dddddd", "#222222"


@dataclass(frozen=True)
class Line:
    """One curve of a panel."""

    times: list[float]  # as shares of the width
    stops: list[float]
    colour: str
    width: int


def mean_colour(picture: NDArray[np.float32]) -> Colour:
    """Return the mean linear red, green and blue of an sRGB picture (H, W, 3)."""
    total = np.zeros(3)
    for rows in row_bands(*picture.shape[:2]):
        total += to_linear(picture[rows].clip(0, 1)).sum((0, 1), dtype=np.float64)
    red, green, blue = total / (picture.shape[0] * picture.shape[1])
    return float(red), float(green), float(blue)


def plot(before: list[Point], after: list[Point], unit: str) -> NDArray[np.uint8]:
    """Return a plot (H, W, 3) of both, luminance above and colour below; the times of each rise, in `unit`."""
    image = Image.new("RGB", (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), "white")
    draw = ImageDraw.Draw(image)
    start, end = min(before[0][0], after[0][0]), max(before[-1][0], after[-1][0])
    lines: list[list[Line]] = [[], []]
    for points, colours, width in (
        (before, ("#b0b0b0", "#e8b0a8", "#a8bce8"), 1),
        (after, (INK, "#c03020", "#2048c0"), 2),
    ):
        times = [(time - start) / max(end - start, 1e-9) for time, _ in points]
        red, green, blue = np.log2(np.array([colour for _, colour in points]).clip(DARKEST)).T
        luminance = np.log2((np.array([colour for _, colour in points]) @ LUMINANCE).clip(DARKEST))
        lines[0].append(Line(times, list(luminance), colours[0], width))
        lines[1] += [
            Line(times, list(red - green), colours[1], width),
            Line(times, list(blue - green), colours[2], width),
        ]
    for (title, top, bottom), curves in zip(PANELS, lines, strict=True):
        _draw_panel(draw, title, top * HEIGHT, bottom * HEIGHT, curves)
    _write(draw, WIDTH - MARGIN, 0.005 * HEIGHT, "pale: before   dark: after", "ra")
    _write(draw, MARGIN, 0.972 * HEIGHT, f"{start:.6g}", "la")
    _write(draw, WIDTH - MARGIN, 0.972 * HEIGHT, f"{end:.6g} {unit}", "ra")
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def _draw_panel(draw: ImageDraw.ImageDraw, title: str, top: float, bottom: float, curves: list[Line]) -> None:
    values = np.concatenate([curve.stops for curve in curves])
    low, high = float(values.min()), float(values.max())
    margin = max(0.05, 0.05 * (high - low))
    low, high = low - margin, high + margin

    def position(share: float, stops: float) -> tuple[float, float]:
        return (MARGIN + share * (WIDTH - 2 * MARGIN)) * OVERSAMPLING, (
            bottom - (stops - low) / (high - low) * (bottom - top)
        ) * OVERSAMPLING

    step = next(size for size in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0) if size >= (high - low) / 8 or size == 5.0)
    for tick in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
        draw.line([position(0, tick), position(1, tick)], GRID, OVERSAMPLING)
        _write(draw, MARGIN - 8, position(0, tick)[1] / OVERSAMPLING, f"{tick:+.2f}", "rm")
    for curve in curves:
        points = [position(time, stops) for time, stops in zip(curve.times, curve.stops, strict=True)]
        draw.line(points, curve.colour, curve.width * OVERSAMPLING, "curve")
    _write(draw, MARGIN, top - 4, title, "ld")


def _write(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, anchor: str) -> None:
    draw.text((x * OVERSAMPLING, y * OVERSAMPLING), text, INK, ImageFont.load_default(13 * OVERSAMPLING), anchor)
