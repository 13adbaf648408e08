"""Options of timelapse interpolation."""

from dataclasses import dataclass

from relight_cli.errors import UsageError
from relight_cli.relighting.options import LightChangeOptions
from relight_cli.timelapse.sequencing import Content, Ease, Mode


@dataclass(frozen=True)
class TimelapseOptions(LightChangeOptions):
    """Options of `interpolate_timelapse`; `strength` is the share of the way to the smooth or the frozen light."""

    mode: Mode = Mode.AUTO  # what is interpolated: the light, the pixels, or what fits frames that are left out
    content: Content = Content.BOTH  # objects shown between two keyframes: those of both, or of the first alone
    ease: Ease = Ease.LINEAR  # how the light changes from keyframe to keyframe
    deflicker: int = 0  # frames over which the light is smoothed; 0: off
    redo_keyframes: bool = False  # make keyframes again like the frames between them

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.content == Content.FIRST and self.mode == Mode.IMAGE:
            raise UsageError("content first and mode image contradict each other: change one of them.")
        if self.deflicker and self.deflicker < 3:
            raise UsageError(f"deflicker {self.deflicker} is out of range: give 3 frames or more, or 0.")
