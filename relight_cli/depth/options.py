"""Options of depth refinement."""

from dataclasses import dataclass

from relight_cli.errors import UsageError

MOST_SIDE = 2044  # pixels, 146 patches


@dataclass(frozen=True)
class DepthOptions:
    """Options of depth refinement; the defaults are the paper's. Values out of range raise UsageError."""

    ensemble: int = 10  # runs whose mean is the result; 3 give most of the gain
    steps: int = 1000  # per run; 300 are usual with the fast encoder; 0: the network's own disparity, not refined
    seed: int = 0  # the same seed gives the same runs
    prompt: str = "a photo"  # what the photo shows, unless the model has a captioner
    early_stop: float = 0.0  # stop adding runs when one moves the mean by less than this share of its spread; 0: never
    sky: str = "auto"  # "auto": do not refine what is infinitely far away; "off": refine everything
    max_side: int = 518  # longer side of the copy that the networks see, 14 to 2044
    run_batch: int = 1  # runs at a time

    def __post_init__(self) -> None:
        least = {"ensemble": 1, "steps": 0, "seed": 0, "early_stop": 0, "max_side": 14, "run_batch": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UsageError(f"{name} {getattr(self, name)} is out of range: give {low} or more.")
        if self.max_side > MOST_SIDE:
            raise UsageError(f"max_side {self.max_side} is out of range: give 14 to {MOST_SIDE}.")
        if self.sky not in ("auto", "off"):
            raise UsageError(f"sky '{self.sky}' is unknown: choose auto or off, or give a mask.")
