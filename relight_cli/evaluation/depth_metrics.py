"""Measure how far a disparity is from known depth, after the alignment that relative disparity needs."""

import numpy as np
from numpy.typing import NDArray

NEAREST = 1e-3  # metres; depth that the alignment puts behind the camera is set to this
Values = NDArray[np.float64]  # (N,), of the pixels inside the mask


def depth_metrics(disparity: NDArray, depth: NDArray, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Return the metrics of a disparity (H, W) against depth (H, W) > 0 where `mask` is true.

    The disparity is fitted to 1 / depth, inverted where it is positive, and then fitted to the depth.
    """
    truth = depth[mask].astype(np.float64)
    fitted = _fitted(disparity[mask].astype(np.float64), 1 / truth)
    inverse = np.where(fitted > 0, 1 / np.where(fitted > 0, fitted, 1), 0)
    found = _fitted(inverse, truth)
    return _metrics(found.clip(min=NEAREST), truth)


def _fitted(values: Values, wanted: Values) -> Values:
    """Return the values, scaled and shifted to fit `wanted` by least squares."""
    basis = np.stack((values, np.ones_like(values)), axis=1)
    return basis @ np.linalg.lstsq(basis, wanted, rcond=None)[0]


def _metrics(found: Values, truth: Values) -> dict[str, float]:
    ratio, error = np.maximum(found / truth, truth / found), found - truth
    log_error = np.log(found) - np.log(truth)
    return {
        "abs_rel": float(np.mean(np.abs(error) / truth)),
        "sq_rel": float(np.mean(error**2 / truth)),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "rmse_log": float(np.sqrt(np.mean(log_error**2))),
        "log_10": float(np.mean(np.abs(log_error)) / np.log(10)),
        "a1": float(np.mean(ratio < 1.25)),
        "a2": float(np.mean(ratio < 1.25**2)),
        "a3": float(np.mean(ratio < 1.25**3)),
        "silog": float(100 * np.sqrt(np.mean(log_error**2) - np.mean(log_error) ** 2)),
    }
