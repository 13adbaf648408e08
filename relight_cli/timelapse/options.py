"""Options of the interpolation of a timelapse."""

from dataclasses import dataclass

from relight_cli.errors import UsageError
from relight_cli.relighting.options import RelightOptions
from relight_cli.timelapse.sequencing import Content, Ease, Mode


@dataclass(frozen=True)
class TimelapseOptions(RelightOptions):
    """Options of `interpolate_timelapse`; `strength` is how far to go to the smooth or the frozen light."""

    mode: Mode = Mode.AUTO  # what is interpolated: the light, the pixels, or the better of both
    content: Content = Content.BOTH  # whose things are shown between two keyframes: of both, or of the first alone
    ease: Ease = Ease.LINEAR  # how the light goes from keyframe to keyframe
    deflicker: int = 0  # frames over which the light is smoothed; 0: not
    redo_keyframes: bool = False  # send keyframes through the network as well

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.content == Content.FIRST and self.mode == Mode.IMAGE:
            raise UsageError("content first and mode image contradict each other: change one of them.")
        if self.deflicker and self.deflicker < 3:
            raise UsageError(f"deflicker {self.deflicker} is out of range: give 3 frames or more, or 0.")
