"""Where a reference of the same view shows the same surfaces as a photo, cell by cell, whatever the light.

What moved, what was not there, and a view that is another one, disagree; a new shadow or another colour of the light
does not.
"""

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from relight_cli.models.agreement import AgreementNet
from relight_cli.relighting.parallel import on_one_thread

Maps = NDArray[np.float32]

FINE = 4  # pixels along a cell of the pictures that detail within the cell is taken from
BROAD = 4.0  # sigma in cells of the broad light that features are freed from
DARK = 1e-3  # linear light added before logarithms: a camera's noise
CHANNELS = 20  # of `cell_features`


def cell_features(photo: NDArray, reference: NDArray) -> Maps:
    """Return features (h, w, CHANNELS) of the cells of two pictures (FINE h, FINE w, 3) in linear light.

    They are differences of log light, so that exposure and white balance of either picture do not count: luminance and
    chromaticity freed from broad light, their quotient, gradients of both and how far they agree in direction and sign,
    detail within cells, and brightness, since the dark tells nothing.
    """
    fine = [np.log2(np.maximum(x, 0) + DARK) for x in (photo, reference)]
    p, r = (cv2.resize(x, (x.shape[1] // FINE, x.shape[0] // FINE), interpolation=cv2.INTER_AREA) for x in fine)
    lights = [opponent(x) for x in (p, r)]
    high = [x - blurred(x, BROAD) for x in lights]
    quotient = lights[1] - lights[0]
    quotient = quotient - np.median(quotient, axis=(0, 1))
    gradients = [gradient(x[..., 0]) for x in lights]
    turn = gradients[0].conj() * gradients[1]
    size = [np.abs(g) for g in gradients]
    both = size[0] * size[1] + 1e-3
    detail = [np.log2(inner_detail(x.mean(axis=2)) + 0.02) for x in fine]
    scalars = [
        turn.real / both,
        (turn.real**2 - turn.imag**2) / both**2,
        *size,
        *(d - np.median(d) for d in detail),
        detail[1] - detail[0],
        *(x[..., 0] / 4 + 1 for x in lights),
        np.abs(high[1][..., 0] - high[0][..., 0]),
        np.abs(quotient[..., 0]),
    ]
    return np.dstack([*high, quotient, *scalars]).astype(np.float32)


def opponent(log_light: NDArray) -> Maps:
    """Return luminance and two chromaticities (h, w, 3) of log light (h, w, 3)."""
    red, green, blue = np.moveaxis(log_light, -1, 0)
    return np.dstack(((red + green + blue) / 3, red - green, blue - green)).astype(np.float32)


def blurred(maps: Maps, sigma: float) -> Maps:
    """Return maps (h, w, ...) blurred by a Gaussian."""
    soft = cv2.GaussianBlur(maps, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(soft, maps.dtype).reshape(maps.shape)


def gradient(plane: Maps) -> NDArray[np.complex64]:
    """Return the gradient of a plane (h, w) as complex numbers, in its units per two cells."""
    x, y = (cv2.Sobel(plane, cv2.CV_32F, *d, scale=0.25, borderType=cv2.BORDER_REPLICATE) for d in ((1, 0), (0, 1)))
    return (x + 1j * y).astype(np.complex64)


def inner_detail(plane: Maps) -> NDArray:
    """Return the deviation within each cell (h, w) of a plane (FINE h, FINE w), freed from its slope."""
    height, width = plane.shape[0] // FINE, plane.shape[1] // FINE
    means = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(means, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.sqrt(np.asarray(cv2.resize((plane - smooth) ** 2, (width, height), interpolation=cv2.INTER_AREA)))


@cache
def trained() -> tuple[AgreementNet, dict[str, torch.Tensor]]:
    """Return the network and its trained parameters."""
    from safetensors.torch import load

    return AgreementNet(CHANNELS).eval(), load((files("relight_cli") / "data" / "agreement.safetensors").read_bytes())


def agreement_logits(photo: NDArray, reference: NDArray) -> Maps:
    """Return the logits (h, w) of the probability that each cell shows the same surface; see `cell_features`."""
    features = torch.from_numpy(cell_features(photo, reference)).permute(2, 0, 1)[None]
    network, parameters = trained()
    with torch.inference_mode(), on_one_thread():
        return np.asarray(torch.func.functional_call(network, parameters, features.contiguous())[0, 0].numpy())
