"""The light of a soft reference of the same view, as the light transfer network sees it.

The network corrects the quotient of two pictures: borders of light become sharp again, and where the reference shows
something else the light comes from around.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from relight_cli.models.light_transfer import LightTransferNet
from relight_cli.rasters.resizing import fit_within
from relight_cli.relighting.agreement import FINE, agreement_logits, opponent
from relight_cli.relighting.gain import LARGEST
from relight_cli.relighting.parallel import on_one_thread
from relight_cli.relighting.quotient import cells_of, enlarged, filled_quotient, log_light
from relight_cli.relighting.trust import FEWEST_JUDGED, certain_regions

Maps = NDArray[np.float32]

SIDE = 128  # longer side of the copies that the network sees
MOST_CELLS = 40  # along the longer side of the reference that it sees
CHANNELS = 16  # of `TransferInput`
LARGEST_LOGIT = 4.0  # of the agreement of cells
MOST, SURE = 0.3, 1.0  # share of the cells, at most, whose logits are below that
KNOWN = 0.5  # share of a pixel above which it is part of the overlap


@dataclass(frozen=True)
class TransferInput:
    """What the network sees of a photo and a reference, both (h, w, 3) in linear light."""

    features: Maps  # (h, w, CHANNELS)
    quotient: Maps  # (h, w, 3) in stops
    around: Maps  # (h, w, 3) in stops: the quotient where both agree, filled in from there elsewhere
    agreed: Maps  # (h, w) logits

    @classmethod
    def of(cls, photo: Maps, reference: Maps, cells: int, known: Maps | None = None) -> "TransferInput":
        """Compare a photo with a reference that is reduced to `cells` along its longer side.

        Medians are taken off, so that exposure and white balance hardly count. Where `known` (h, w) is 0 there is no
        reference.
        """
        height, width = photo.shape[:2]
        soft = [log_light(enlarged(cells_of(x, cells), height, width)) for x in (photo, reference)]
        fine, quotient = log_light(photo), soft[1] - soft[0]
        agreed = enlarged(agreed_cells(photo, reference, cells), height, width)
        if known is not None:
            agreed = np.where(known > KNOWN, agreed, -np.float32(LARGEST_LOGIT))
        around = filled_quotient(photo, reference, sigmoid(2 * agreed))
        levels = [np.median(x, axis=(0, 1)) for x in (*soft, quotient)]
        planes = [
            opponent(fine - levels[0]),
            opponent(soft[1] - levels[1]),
            opponent(quotient - levels[2]),
            fine.mean(axis=2) / 4 + 1,
            soft[1].mean(axis=2) / 4 + 1,
            np.full((height, width), cells / max(height, width), np.float32),
            agreed / 2,
            opponent(around - quotient),
        ]
        return cls(np.dstack(planes).astype(np.float32), quotient, around, agreed)


def _outputs(seen: TransferInput) -> list[Maps]:
    """Return what the network says: logits of trust and of the quotient's share (h, w, 1), correction (h, w, 3)."""
    network, parameters = trained()
    with torch.inference_mode(), on_one_thread():
        features = torch.from_numpy(seen.features).permute(2, 0, 1)[None].contiguous()
        maps = torch.func.functional_call(network, parameters, features)
    return [x[0].permute(1, 2, 0).contiguous().numpy() for x in maps]


def agreed_cells(photo: Maps, reference: Maps, cells: int) -> Maps:
    """Return the logits (h, w) that cells show the same, `cells` along the longer side; zero if they are too few."""
    height, width = photo.shape[:2]
    shape = tuple(max(1, round(side * cells / max(height, width))) for side in (height, width))
    if min(shape) < FEWEST_JUDGED:
        return np.zeros(shape, np.float32)
    size = (shape[1] * FINE, shape[0] * FINE)
    own, other = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (photo, reference))
    return lifted(agreement_logits(own, other)).clip(-LARGEST_LOGIT, LARGEST_LOGIT)


def sigmoid(logits: Maps) -> Maps:
    """Return probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def lifted(logits: Maps) -> Maps:
    """Return logits of agreement, raised where few of them seem to agree: of the same view, most do."""
    return logits + np.float32(max(0.0, SURE - float(np.quantile(logits, MOST))))


@cache
def trained() -> tuple[LightTransferNet, dict[str, torch.Tensor]]:
    """Return the network and its trained parameters."""
    from safetensors.torch import load

    state = load((files("relight_cli") / "data" / "light_transfer.safetensors").read_bytes())
    return LightTransferNet(CHANNELS).eval(), {name: value.float() for name, value in state.items()}


def transfer_light(photo: Maps, reference: Maps, cells: int, known: Maps, agreed: Maps) -> tuple[Maps, Maps]:
    """Return the gain (h, w, 3) in stops and the trust in the reference (h, w) in [0, 1], for copies of SIDE.

    Photo and reference (H, W, 3) are linear light of one size; the reference resolves `cells` along its longer side,
    is there where `known` (H, W) is 1, and is to be trusted as far as `agreed` (H, W) at most.
    """
    size = fit_within(photo.shape[0], photo.shape[1], SIDE)[::-1]
    own, other, there, most = (
        np.asarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA), np.float32)
        for x in (photo, reference, known, agreed)
    )
    seen, itself = (TransferInput.of(own, x, min(cells, MOST_CELLS), there) for x in (other, own))
    logits, own_share, correction = _outputs(seen)
    correction = correction - _outputs(itself)[2]  # so that a photo by itself stays as it is
    trust, share = (sigmoid(lifted(x[..., 0] + seen.agreed)) for x in (logits, own_share))
    believed = certain_regions(trust)
    share = np.where(believed < 1, np.minimum(share, believed), np.maximum(share, believed))
    trust, share = np.minimum(believed, most), np.minimum(share, most)[..., None]
    gain = seen.around + share * (seen.quotient - seen.around) + correction
    return np.clip(gain, -LARGEST, LARGEST).astype(np.float32), trust.astype(np.float32)
