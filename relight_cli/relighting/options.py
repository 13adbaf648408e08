"""How a change of light is computed and how much of it is applied."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum

from relight_cli.errors import UsageError
from relight_cli.models.interface import Model

Progress = Callable[[int, int], None]
"""Called with the number of finished tiles and the number of all tiles."""


class TileColour(StrEnum):
    """Whether tiles agree on colours."""

    AGREE = "agree"
    FREE = "free"


class ReferenceKind(StrEnum):
    """What a reference shows, and so how its light is taken."""

    AUTO = "auto"  # find out
    ALIGNED = "aligned"  # the same view: a quotient where both show the same surfaces, else the latents
    MOVED = "moved"  # the same view from a little elsewhere: registered first
    SCENE = "scene"  # another scene: a light fitted to it
    LATENTS = "latents"  # the same view, by the network's latents alone, as published


@dataclass(frozen=True)
class LightChangeOptions:
    """Options of every change of light. Values out of range, and words that are not known, raise UsageError."""

    strength: float = 1.0  # 0: unchanged, 1: full, up to 1.5: exaggerated
    detail: bool = True  # apply the change as a gain on the photo's own pixels; False: the decoder's raw output
    tile_overlap: float = 0.2  # overlap of neighbouring tiles, as a share of a tile, 0 to 0.5
    tile_batch: int = 0  # tiles at a time; 0: chosen by the device
    max_side: int | None = None  # longer side of the copy that the network sees; 0: full size, None: the network's best

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(one.default, StrEnum) and value not in tuple(type(one.default)):
                raise UsageError(f"{one.name} {value} is not known: give {', '.join(type(one.default))}.")
            if isinstance(one.default, float) and not math.isfinite(value):
                raise UsageError(f"{one.name} {value} is no number: give one.")
        ranges = {"strength": (0, 1.5), "tile_overlap": (0, 0.5), "tile_batch": (0, 256), "max_side": (0, None)}
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if value is not None and not (least <= value and (most is None or value <= most)):
                limit = f"{least} to {most}" if most is not None else f"{least} or more"
                raise UsageError(f"{name} {value} is out of range: give {limit}.")
        if self.max_side and not self.detail:
            raise UsageError("max_side applies the gain of a smaller copy: leave it out where detail is False.")


@dataclass(frozen=True)
class RelightOptions(LightChangeOptions):
    """Options of relight."""

    reference: ReferenceKind = ReferenceKind.AUTO  # what the reference shows; detail=False takes AUTO for LATENTS
    # Of a reference of another scene only:
    keep_exposure: bool = False  # the photo stays as bright as it is; False: its brightness follows the reference's
    exposure: float = 0.0  # stops, in addition
    rotate: float = 0.0  # degrees by which the light is turned, from the front to the right

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.detail and self.reference not in (ReferenceKind.AUTO, ReferenceKind.LATENTS):
            raise UsageError(
                f"reference {self.reference} lights the photo's own pixels: leave it out where detail is False."
            )

    @property
    def latents_alone(self) -> bool:
        """Whether the light goes through the network's latents alone."""
        return self.reference == ReferenceKind.LATENTS or not self.detail


@dataclass(frozen=True)
class MappingOptions(LightChangeOptions):
    """Options that deshadow and albedo share."""

    tile_colour: TileColour = TileColour.AGREE  # FREE: each tile chooses its colours alone, as published


@dataclass(frozen=True)
class DeshadowOptions(MappingOptions):
    """Options of deshadow."""

    threshold: float | None = None  # shadows less probable stay, 0 to 1; None: the network's best

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"threshold {self.threshold} is out of range: give 0 to 1.")
        if self.threshold and not self.detail:
            raise UsageError(
                "threshold chooses from the gain on the photo's pixels: leave it out where detail is False."
            )


@dataclass(frozen=True)
class AlbedoOptions(MappingOptions):
    """Options of albedo."""

    fit_shading: bool = False  # expose the albedo so that its shading fits into [0, 1]


@dataclass(frozen=True)
class TileOptions:
    """How a picture passes through a network, with every default resolved."""

    overlap: float = 0.2  # share of a tile that its neighbour covers too
    batch: int = 2  # tiles at a time on the device
    device: str = "cpu"  # of the network
    max_side: int = 0  # longer side of the copy that the network sees, where only a gain is wanted; 0: no limit
    enlarge: bool = False  # show the network a smaller picture enlarged, up to `max_side`
    agree: bool = False  # make the colours of tiles agree
    workers: int = 1  # batches at a time; see `Model.workers`


@dataclass(frozen=True)
class ChangeOptions:
    """How strongly a change of light is applied, and how."""

    strength: float = 1.0  # 0: the picture's own illumination latent, 1: the target, up to 1.5
    detail: bool = True  # apply the change as a gain on the picture's own pixels; False: the decoder's raw output
    threshold: float | None = 0.0  # shadows less probable than this stay, with `detail`; None: the network's best


def tile_options(
    model: Model, options: LightChangeOptions, best_side: int, *, agree: bool = False, enlarge: bool = False
) -> TileOptions:
    """Resolve defaults: the batch is the model's, the longer side is `best_side`, that of the network.

    `enlarge` counts where the network chooses the side.
    """
    batch = options.tile_batch or model.tile_batch
    max_side = best_side if options.max_side is None else options.max_side
    enlarge = enlarge and options.max_side is None
    return TileOptions(options.tile_overlap, batch, model.device, max_side, enlarge, agree, model.workers)


def change_options(options: LightChangeOptions) -> ChangeOptions:
    """Return the options of one change of light."""
    threshold = options.threshold if isinstance(options, DeshadowOptions) else 0.0
    return ChangeOptions(options.strength, options.detail, threshold)


class TileProgress:
    """Counts finished tiles and reports the count."""

    def __init__(self, report: Progress | None, total: int) -> None:
        self._report, self._total, self._done = report, total, 0

    def __call__(self, tiles: int) -> None:
        """Add finished tiles to the count and report it."""
        self._done += tiles
        if self._report:
            self._report(self._done, self._total)
