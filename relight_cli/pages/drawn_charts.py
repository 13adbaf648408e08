"""Charts as a picture, for files that other programs show."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from relight_cli.pages.views import Chart, Line

WIDTH, HEIGHT = 1600, 560  # of one chart
LEFT, RIGHT, TOP, BOTTOM = 130, 40, 96, 96  # margins around its lines
TITLE, TEXT = 30, 24  # pixels of letters
OVERSAMPLING = 2  # charts are drawn this many times larger, for smooth lines
GRID, INK, SOFT = "#d9d9d6", "#1d1d1b", "#5c5c58"
_STYLES = {  # colour, width, dashes
    "strong": (INK, 4, False),
    "pale": ("#8a8a86", 3, True),
    "red": ("#c0322a", 4, False),
    "blue": ("#2456c9", 4, False),
    "pale-red": ("#dd9a95", 3, True),
    "pale-blue": ("#97aee3", 3, True),
}
_DASH = (16.0, 10.0)  # pixels drawn and left out
_TICKS = (6, 8)  # at most, upwards and along


def draw_charts(charts: Sequence[Chart]) -> NDArray[np.uint8]:
    """Return charts, one above the other, as a picture (H, W, 3)."""
    image = Image.new("RGB", (WIDTH * OVERSAMPLING, HEIGHT * len(charts) * OVERSAMPLING), "white")
    for number, chart in enumerate(charts):
        _Drawing(ImageDraw.Draw(image), chart, number * HEIGHT).draw()
    return np.asarray(image.resize((WIDTH, HEIGHT * len(charts)), Image.Resampling.BOX))


class _Drawing:
    """One chart in a picture, in pixels of the picture before it is drawn larger."""

    def __init__(self, pen: ImageDraw.ImageDraw, chart: Chart, top: int) -> None:
        self.pen, self.chart, self.top = pen, chart, top
        self.x_ends = _ends([x for line in chart.lines for x in line.x], margin=0.0, from_zero=False)
        self.y_ends = _ends([y for line in chart.lines for y in line.y], margin=0.06, from_zero=chart.from_zero)

    def draw(self) -> None:
        """Draw the axes, the lines and what they mean."""
        for value, text in ticks(*self.y_ends, _TICKS[0]):
            y = self._y(value)
            self._segment([(LEFT, y), (WIDTH - RIGHT, y)], GRID, 2)
            self._write(LEFT - 14, y, text, "rm")
        for value, text in ticks(*self.x_ends, _TICKS[1], is_whole=self.chart.whole_x):
            x, bottom = self._x(value), self._y(self.y_ends[0])
            self._segment([(x, bottom), (x, bottom + 8)], SOFT, 2)
            self._write(x, bottom + 14, text, "ma")
        self._write(LEFT, self.top + 18, f"{self.chart.title}: {self.chart.y_title}", "la", TITLE, INK)
        self._write((LEFT + WIDTH - RIGHT) / 2, self.top + HEIGHT - 14, self.chart.x_title, "md")
        for line in self.chart.lines:
            self._line(line)
        self._legend()

    def _line(self, line: Line) -> None:
        colour, width, dashed = _STYLES[line.style]
        points = [(self._x(x), self._y(y)) for x, y in zip(line.x, line.y, strict=True)]
        for piece in _dashes(points) if dashed else [points]:
            self._segment(piece, colour, width)
        if line.dots or len(points) == 1:
            for x, y in points:
                box = [(x - 6) * OVERSAMPLING, (y - 6) * OVERSAMPLING, (x + 6) * OVERSAMPLING, (y + 6) * OVERSAMPLING]
                self.pen.ellipse(box, fill=colour)

    def _legend(self) -> None:
        if len(self.chart.lines) < 2:
            return
        x, y = float(WIDTH - RIGHT), self.top + 74.0
        for line in reversed(self.chart.lines):
            colour, width, dashed = _STYLES[line.style]
            x -= self._font(TEXT).getlength(line.name) / OVERSAMPLING
            self._write(x, y, line.name, "lm", TEXT, INK)
            sample = [(x - 56, y), (x - 12, y)]
            for piece in _dashes(sample) if dashed else [sample]:
                self._segment(piece, colour, width)
            x -= 84

    def _x(self, value: float) -> float:
        low, high = self.x_ends
        return LEFT + (value - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        low, high = self.y_ends
        return self.top + HEIGHT - BOTTOM - (value - low) / ((high - low) or 1) * (HEIGHT - TOP - BOTTOM)

    def _segment(self, points: Sequence[tuple[float, float]], colour: str, width: int) -> None:
        larger = [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in points]
        self.pen.line(larger, colour, width * OVERSAMPLING, "curve")

    def _write(self, x: float, y: float, text: str, anchor: str, size: int = TEXT, ink: str = SOFT) -> None:
        self.pen.text((x * OVERSAMPLING, y * OVERSAMPLING), text, ink, self._font(size), anchor)

    @staticmethod
    def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size * OVERSAMPLING)


def ticks(low: float, high: float, most: int, *, is_whole: bool = False) -> list[tuple[float, str]]:
    """Return at most about `most` round values from low to high, and their texts."""
    rough = max(high - low, 1e-9) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    step = max(step, 1.0) if is_whole else step
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6)
    return [
        (number * step, f"{number * step:.{digits}f}") for number in range(first, last + 1)
    ]  # the font has no minus


def _ends(values: Sequence[float], *, margin: float, from_zero: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    low = min(0.0, low) if from_zero else low
    room = max(margin * (high - low), 0.05 if margin and not from_zero else 0.0)
    return (low if from_zero and low == 0 else low - room), high + max(room, 1e-9)


def _dashes(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Return the drawn pieces of a dashed line."""
    pieces: list[list[tuple[float, float]]] = [[points[0]]]
    is_drawn, left = True, _DASH[0]
    for (x, y), (end_x, end_y) in itertools.pairwise(points):
        length = math.hypot(end_x - x, end_y - y)
        at = 0.0
        while length - at > left:
            at += left
            middle = (x + (end_x - x) * at / length, y + (end_y - y) * at / length)
            if is_drawn:
                pieces[-1].append(middle)
            else:
                pieces.append([middle])
            is_drawn = not is_drawn
            left = _DASH[0] if is_drawn else _DASH[1]
        left -= length - at
        if is_drawn:
            pieces[-1].append((end_x, end_y))
    return [piece for piece in pieces if len(piece) > 1]
