"""What the page of --compare shows of a sequence: its frames, the input frames they come from, and their light."""

import contextlib
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from relight_cli.errors import PhotoUnreadableError
from relight_cli.jobs.compare_page import ComparePage, compare_page, page_facts
from relight_cli.jobs.console import printable
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.provenance import Recipe
from relight_cli.pages.encoding import full_picture, small_picture
from relight_cli.pages.pairs import ALL_PIXELS, SMALL_PIXELS
from relight_cli.pages.previews import Preview, preview_of
from relight_cli.pages.views import Frame, Keyframe, Picture
from relight_cli.photos.colour_profiles import profile_to_srgb
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.timelapse.brightness_plot import Point, brightness_charts, mean_colour
from relight_cli.timelapse.frames import Frames
from relight_cli.timelapse.writers import Writer

MOST = 400  # frames of a page; of more, every second, third ... is shown


@dataclass
class ComparedFrames:
    """The frames of a run on its page."""

    page: ComparePage
    times: Sequence[float]  # of all frames of the run
    unit: str  # of the times
    full: bool  # embed pictures at full size
    before: dict[int, Point] = field(default_factory=dict)  # by input frame
    after: dict[int, Point] = field(default_factory=dict)  # by frame
    _previews: dict[int, tuple[str, Preview]] = field(default_factory=dict)  # of input frames that are not shown yet
    _shown: set[int] = field(default_factory=set)  # input frames

    def __post_init__(self) -> None:
        """Choose which frames are shown."""
        self.every = 1 if self.full else math.ceil(len(self.times) / MOST)
        self.page.unit, self.page.expected = "frame", len(self.times)
        if self.every > 1:
            self.page.notes.append(f"One of {self.every} frames is shown, so that this page stays small.")

    def keyframe(self, number: int, name: str, time: float, photo: Photo) -> None:
        """Keep an input frame for the frames that are made from it."""
        preview = self._preview(photo)
        self.before[number] = (time, _colour(preview))
        self._previews[number] = (printable(name), preview)

    def frame(self, number: int, photo: Photo | Preview, keyframe: int | None, name: str = "") -> None:
        """Add a frame, next to an input frame if that is kept."""
        preview = photo if isinstance(photo, Preview) else self._preview(photo)
        self.after[number] = (self.times[number], _colour(preview))
        self.page.tally("done")
        if number % self.every and number != len(self.times) - 1:
            return
        if keyframe in self._previews and keyframe not in self._shown:
            shown_name, shown = self._previews[keyframe]
            self._shown.add(keyframe)
            self.page.add(Keyframe(keyframe, shown_name, self._picture(shown)))
        of = keyframe if keyframe in self._shown else None
        is_keyframe = of is not None and math.isclose(self.before[of][0], self.times[number], abs_tol=1e-9)
        self.page.add(Frame(number + 1, self.times[number], of, is_keyframe, self._picture(preview), printable(name)))

    def release_before(self, keyframe: int) -> None:
        """Release the input frames before one."""
        self._previews = {number: kept for number, kept in self._previews.items() if number >= keyframe}

    def add_existing(
        self,
        writer: Writer,
        max_pixels: int,
        keep_keyframe: Callable[[int], int],
        name: Callable[[int], str] = lambda number: "",
    ) -> None:
        """Read and add the frames of a folder that this run did not make.

        `keep_keyframe` takes the number of a frame, keeps its input frame and returns that one's number.
        """
        if writer.is_single_file:
            if not self.after:
                self.page.notes.append(f"{printable(writer.path.name)} was left as it was: its frames are not shown.")
                self.page.tally("skipped")
            return
        for number in range(len(self.times)):
            if number not in self.after and writer.target(number).exists():
                with contextlib.suppress(PhotoUnreadableError):  # which has been said
                    keyframe = keep_keyframe(number)
                    frame = read_photo(writer.target(number), max_pixels=max_pixels)
                    self.frame(number, frame, keyframe, name(number))
                    self.release_before(keyframe)

    def add_existing_between(self, frames: Frames, writer: Writer, max_pixels: int) -> None:
        """Read and add the frames that this run did not make, each with the input frame before it."""
        reader = frames.reader()

        def keep(number: int) -> int:
            keyframe = max(0, bisect_right(frames.times, self.times[number]) - 1)
            if keyframe not in self._previews and keyframe not in self._shown:
                self.keyframe(keyframe, frames.name(keyframe), frames.times[keyframe], reader(keyframe))
            return keyframe

        self.add_existing(writer, max_pixels, keep)

    def draw(self) -> None:
        """Draw the brightness and colour of the frames so far, and of the input frames."""
        before, after = ([points[number] for number in sorted(points)] for points in (self.before, self.after))
        if after:
            self.page.charts = brightness_charts(before if before[1:] else [], after, self.unit)

    def _preview(self, photo: Photo) -> Preview:
        return preview_of(photo, self.pixels)

    @property
    def pixels(self) -> int:
        """Most pixels of a preview."""
        return ALL_PIXELS if self.full else SMALL_PIXELS

    def _picture(self, preview: Preview) -> Picture:
        return full_picture(preview) if self.full else small_picture(preview)


@contextlib.contextmanager
def compared_frames(
    options: CommandOptions, recipe: Recipe, frames: Frames, times: Sequence[float]
) -> Iterator[ComparedFrames | None]:
    """Yield what adds frames to the page of --compare, or None without it; see `compare_page`."""
    title = f"{printable(frames.name(0))} to {printable(frames.name(len(frames.times) - 1))}, {len(times)} frames"
    with sequence_page(options, recipe, title, times, time_unit(frames)) as compared:
        yield compared


@contextlib.contextmanager
def sequence_page(
    options: CommandOptions, recipe: Recipe, title: str, times: Sequence[float], unit: str
) -> Iterator[ComparedFrames | None]:
    """Yield what adds frames at these times to the page of --compare, or None without it."""
    facts = page_facts(recipe)
    with compare_page(options, [], title, facts, time_unit=unit) as page:
        if page is None:
            yield None
            return
        compared = ComparedFrames(page, times, unit, options.compare_full)
        try:
            yield compared
        finally:
            compared.draw()


def show_existing(
    options: CommandOptions, recipe: Recipe, frames: Frames, times: Sequence[float], writer: Writer
) -> None:
    """Write the page of a sequence whose files all exist."""
    with compared_frames(options, recipe, frames, times) as compared:
        if compared:
            compared.add_existing_between(frames, writer, options.max_pixels)


def time_unit(frames: Frames) -> str:
    """Return the unit of the times of a sequence."""
    return "s" if frames.rate or frames.taken(0) is not None else "frames"


def _colour(preview: Preview) -> tuple[float, float, float]:
    return mean_colour(np.ascontiguousarray(profile_to_srgb(preview.samples, preview.icc)))
