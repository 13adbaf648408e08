"""Plot scores against the number of averaged runs, one curve for each variant of a study."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from relight_cli.pages.drawn_charts import ticks

WIDTH, HEIGHT, MARGIN = 1200, 560, 70
OVERSAMPLING = 2  # the plot is drawn this many times larger, for smooth lines
COLOURS = ("#202020", "#c03020", "#2048c0", "#208040", "#a06010")
GRID, PALE = "#dddddd", "#999999"
STEPS = 6  # lines of the grid


@dataclass(frozen=True)
class Curve:
    """The scores of a variant for N = 1, 2 ..."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Panel:
    """The curves of one score, and the score without refinement."""

    title: str
    curves: tuple[Curve, ...]
    before: float


def plot_curves(panels: Sequence[Panel]) -> NDArray[np.uint8]:
    """Return a plot (H, W, 3) with a panel for each score, side by side; dashed: without refinement."""
    image = Image.new("RGB", (WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), "white")
    draw = ImageDraw.Draw(image)
    wide = WIDTH / len(panels)
    for number, panel in enumerate(panels):
        _draw_panel(draw, panel, number * wide + MARGIN, (number + 1) * wide - 20)
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def _draw_panel(draw: ImageDraw.ImageDraw, panel: Panel, left: float, right: float) -> None:
    top, bottom = MARGIN, HEIGHT - MARGIN
    values = np.array([panel.before, *(value for curve in panel.curves for value in curve.values)])
    margin = 0.05 * float(np.ptp(values)) or 0.05 * abs(float(values[0])) or 1.0
    low, high = float(values.min()) - margin, float(values.max()) + margin
    most = max(len(curve.values) for curve in panel.curves)

    def place(runs: float, value: float) -> tuple[float, float]:
        x = left + (runs - 1) / max(1, most - 1) * (right - left)
        return x * OVERSAMPLING, (bottom - (value - low) / (high - low) * (bottom - top)) * OVERSAMPLING

    for value, text in ticks(low, high, STEPS):
        draw.line([place(1, value), place(max(2, most), value)], GRID, OVERSAMPLING)
        _write(draw, left - 8, place(1, value)[1] / OVERSAMPLING, text, "rm")
    for runs in range(1, most + 1):
        _write(draw, place(runs, low)[0] / OVERSAMPLING, bottom + 8, str(runs), "ma")
    _write(draw, (left + right) / 2, bottom + 30, "N, averaged runs", "ma")
    _write(draw, left, 16, panel.title, "la")
    x, y = place(1, panel.before)
    while x < place(max(2, most), panel.before)[0]:
        draw.line([(x, y), (x + 16, y)], PALE, 2 * OVERSAMPLING)
        x += 32
    for number, curve in enumerate(panel.curves):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(runs, value) for runs, value in enumerate(curve.values, start=1)]
        draw.line(points, colour, 2 * OVERSAMPLING, "curve")
        for x, y in points:
            draw.ellipse([x - 7, y - 7, x + 7, y + 7], fill=colour)
        _write(draw, left + 130 * number, 40, curve.name, "la", colour)


def _write(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, anchor: str, colour: str = COLOURS[0]) -> None:
    font = ImageFont.load_default(13 * OVERSAMPLING)
    draw.text((x * OVERSAMPLING, y * OVERSAMPLING), text, colour, font, anchor)
