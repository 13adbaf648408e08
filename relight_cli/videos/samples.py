"""Frames of RGB and grey for lossless codecs, without a way through YUV."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.videos.codecs import Encoding, Samples
from relight_cli.videos.decoding import import_extra

_FULL = 2  # color_range of FFmpeg
_LUMA = np.array((0.2126, 0.7152, 0.0722))  # ITU-R BT.709
_MATRICES = {Samples.RGB: 0, Samples.GREY: 2}  # matrix of ITU-T H.273: none, not stated


def frame_of_samples(rgb: NDArray, white: int, encoding: Encoding) -> Any:
    """Return a frame of PyAV of an RGB or grey encoding from integers (H, W, 3); `white` becomes the largest sample."""
    bits = import_extra("av").VideoFormat(encoding.pixel_format).components[0].bits
    samples = rgb @ _LUMA if encoding.samples == Samples.GREY else rgb
    largest = (1 << bits) - 1
    samples = np.rint(samples * np.float32(largest / white)).clip(0, largest)
    form = "rgb24" if encoding.pixel_format == "bgr0" else encoding.pixel_format  # PyAV takes no arrays of bgr0
    frame = import_extra("av").VideoFrame.from_ndarray(samples.astype(np.uint8 if bits == 8 else np.uint16), form)
    return frame.reformat(format=encoding.pixel_format)


def state_samples(context: Any, encoding: Encoding) -> None:
    """Let an encoder state that its samples are of full range and no YUV, if the encoding is RGB or grey."""
    if encoding.samples in _MATRICES:
        context.colorspace, context.color_range = _MATRICES[encoding.samples], _FULL
