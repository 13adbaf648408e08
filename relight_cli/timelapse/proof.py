"""Find the blend that comes nearest to frames that are left out (leave one out; Stone 1974), with shrinkage.

Frames that exist are made from their neighbours, on small copies. The weights of the ways are those of least squares,
as a share of each frame's error in a cross-fade, so that all frames count the same. Few frames say little: the weights
of a region are drawn to those of the whole picture, and these to weights that helped on known sequences. What is then
left of the weights is the share of the gain that stands out of its own scatter from frame to frame when each frame is
made with the weights of the others (the positive part of James and Stein 1961).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from relight_cli.timelapse.blending import BANDS, FADE, GRID, WAYS, Blend, bands_of, enlarged_rows
from relight_cli.timelapse.moving_edges import luminance_stops, small

Picture = NDArray[np.float32]
Values = NDArray[np.float64]

REGIONS = GRID[0] * GRID[1]
# Half of what `benchmarks/timelapse_prior.py` finds, as made days are tamer than real ones; but for the shadows of the
# sun, which are known where they are found. (bands, ways)
PRIOR = np.array([[0.095, 0.055, 0.58, 0.21], [0.09, 0.0, 0.81, 0.095], [0.0, 0.0, 1.0, 0.155]])
EVEN = 0.8  # evenness of a change from which it is faded in stops; on the same made days, and on rendered nightfalls
LEAST_STOPS = 0.01  # changes that nobody sees
PRIOR_FRAMES = 2.0  # left-out frames that the prior weights count as
WHOLE_FRAMES = 2.0  # the same for the weights of the whole picture, in each region
RIDGE = 0.02  # of the error of a cross-fade: a difference that can explain no more is not used
SCATTER = 0.2  # squared standard errors of the gain that are taken off
MIN_CHECKED = 3  # left-out frames; fewer have no scatter
LEAST_ERROR = 1e-7  # mean squared error; a cross-fade that is nearer is as good as the truth
STEP = 1 / 64  # of weights; finer ones differ between processors


@dataclass(frozen=True)
class LeftOut:
    """What one left-out frame says: the terms of least squares by band and region, relative to a cross-fade's error."""

    squares: Values  # (bands, regions, ways, ways)
    products: Values  # (bands, regions, ways)
    error: float  # mean squared error of the cross-fade


def left_out(truth: Picture, fade: Picture, difference: Callable[[str], Picture]) -> LeftOut:
    """Compare a frame (H, W, 3) with its cross-fade and with what each way adds to that."""
    height, width = truth.shape[:2]
    missing = truth - fade
    error = float(np.square(missing, dtype=np.float64).mean())
    ways = [bands_of(difference(way)) for way in WAYS]
    squares, products = np.zeros((BANDS, REGIONS, len(WAYS), len(WAYS))), np.zeros((BANDS, REGIONS, len(WAYS)))
    for band, wanted in enumerate(bands_of(missing)):
        for here, way in enumerate(ways):
            products[band, :, here] = _by_region(way[band] * wanted, height, width)
            for other in range(here + 1):
                squares[band, :, here, other] = _by_region(way[band] * ways[other][band], height, width)
                squares[band, :, other, here] = squares[band, :, here, other]
    scale = missing.size * max(error, LEAST_ERROR)
    return LeftOut(squares / scale, products / scale, error)


def _by_region(values: Picture, height: int, width: int) -> Values:
    """Return sums over the regions, whose borders overlap as in `Blend`."""
    rows, columns = (_hats(*sizes) for sizes in ((height, GRID[0]), (width, GRID[1])))
    return np.einsum("hwc,hr,wk->rk", values.astype(np.float64), rows, columns, optimize=True).ravel()


def _hats(length: int, count: int) -> Values:
    """Return the share (length, count) that each region has in the rows or columns of a picture."""
    return enlarged_rows(np.eye(count, dtype=np.float32), slice(0, length), length, count).astype(np.float64)


def prior_blend(first: Picture, last: Picture) -> Blend:
    """Return the blend between two frames (H, W, 3) of which nothing else is known."""
    return _blend(prior_weights(first, last))


def prior_weights(first: Picture, last: Picture) -> Values:
    """Return the weights (bands, regions, ways) of `prior_blend`.

    Where a region becomes brighter or darker by the same number of stops all over, its light has changed, as at dusk,
    and no thing: it is faded in stops.
    """
    weights = np.repeat(PRIOR[:, None], REGIONS, 1)
    even = ((_evenness(first, last) - EVEN) / (1 - EVEN)).clip(0, 1)
    fade = WAYS.index(FADE)
    weights[..., fade] = np.maximum(weights[..., fade], even)
    return weights


def _evenness(first: Picture, last: Picture) -> Values:
    """Return by region the share of the squared change in stops that all its pixels have in common."""
    change = luminance_stops(small(last)) - luminance_stops(small(first))
    size = _by_region(np.ones_like(change)[..., None], *change.shape)
    mean, square = (_by_region(values[..., None], *change.shape) / size for values in (change, np.square(change)))
    return np.square(mean) / np.maximum(square, LEAST_STOPS**2)


def proven_blend(frames: Sequence[LeftOut]) -> tuple[Blend, float | None]:
    """Return the blend that left-out frames choose, one or more, and its mean gain over a cross-fade in dB.

    The gain is measured with each frame left out of the choice, but for its shrinkage; it is None for fewer than
    MIN_CHECKED frames.
    """
    weights = _fitted(frames)
    if len(frames) < MIN_CHECKED:
        return _blend(weights), None
    others = [_fitted([*frames[:number], *frames[number + 1 :]]) for number in range(len(frames))]
    gains = np.array([_gains(frame, own) for frame, own in zip(frames, others, strict=True)])
    kept = _kept(gains)[..., None]
    decibels = [-10 * np.log10(max(1e-3, 1 - _gains(f, kept * w).sum())) for f, w in zip(frames, others, strict=True)]
    return _blend(kept * weights), float(np.mean(decibels))


def _blend(weights: Values) -> Blend:
    """Return a blend of weights (bands, regions, ways)."""
    rounded = np.rint(weights / STEP) * STEP
    return Blend(rounded.transpose(2, 0, 1).reshape(len(WAYS), BANDS, *GRID).astype(np.float32))


def _gains(frame: LeftOut, weights: Values) -> Values:
    """Return the share of a cross-fade's squared error that weights take off, (bands, regions)."""
    fitted = np.einsum("bri,brij,brj->br", weights, frame.squares, weights)
    return 2 * (weights * frame.products).sum(-1) - fitted


def _kept(gains: Values) -> Values:
    """Return the share of the weights, (bands, regions), that stays, from gains (frames, bands, regions).

    It is that of the whole band; a region that gains by itself may keep more, one that loses keeps none.
    """
    band, region = _above_scatter(gains.sum(-1, keepdims=True)), _above_scatter(gains)
    mean = gains.mean(0)
    loses = mean < -gains.std(0, ddof=1) / np.sqrt(len(gains))
    return np.where(region > 0, np.maximum(band, region), np.where(loses, 0.0, band))


def _above_scatter(gains: Values) -> Values:
    mean, variance = gains.mean(0), gains.var(0, ddof=1) / len(gains)
    return np.where(mean > 0, (1 - SCATTER * variance / np.maximum(mean, 1e-12) ** 2).clip(0, 1), 0.0)


def _fitted(frames: Sequence[LeftOut]) -> Values:
    """Return the weights (bands, regions, ways) of least squares, drawn to those of the whole and to the prior."""
    squares, products = (sum(getattr(frame, name) for frame in frames) for name in ("squares", "products"))
    whole, ridge = squares.sum(1), RIDGE * np.eye(len(WAYS))
    of_band = weights_of_picture(frames, PRIOR)
    drawn = (WHOLE_FRAMES * whole / len(frames) + ridge)[:, None] / REGIONS
    return _solved(squares + drawn, products + (drawn @ of_band[:, None, :, None])[..., 0])


def weights_of_picture(frames: Sequence[LeftOut], prior: Values) -> Values:
    """Return the weights (bands, ways) of least squares that all regions share, drawn to the prior."""
    squares, products = (sum(getattr(frame, name) for frame in frames) for name in ("squares", "products"))
    whole = squares.sum(1)
    drawn = PRIOR_FRAMES * (whole / len(frames) + RIDGE * np.eye(len(WAYS)))
    return _solved(whole + drawn, products.sum(1) + (drawn @ prior[..., None])[..., 0])


def _solved(squares: Values, products: Values) -> Values:
    """Return the weights in [0, 1] that minimise w' squares w - 2 products w; (..., ways) each.

    There are few ways: each choice of weights that are 0, free and 1 is tried.
    """
    best, least = np.zeros(products.shape), np.zeros(products.shape[:-1])
    for kinds in product("0f1", repeat=len(WAYS)):
        free = [way for way, kind in enumerate(kinds) if kind == "f"]
        weights = np.broadcast_to([float(kind == "1") for kind in kinds], products.shape).copy()
        if free:
            rest = products - np.einsum("...ij,...j->...i", squares, weights)
            part = squares[np.ix_(*map(range, squares.shape[:-2]), free, free)]
            weights[..., free] = np.linalg.solve(part, rest[..., free, None])[..., 0]
        value = np.einsum("...i,...ij,...j->...", weights, squares, weights) - 2 * (weights * products).sum(-1)
        better = (weights.min(-1) >= 0) & (weights.max(-1) <= 1) & (value < least)
        best, least = np.where(better[..., None], weights, best), np.where(better, value, least)
    return best
