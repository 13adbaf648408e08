"""LPIPS as the distance of a protocol."""

from typing import TYPE_CHECKING

import torch

from relight_cli.evaluation.flow_metrics import DistanceMap
from relight_cli.evaluation.protocol import Picture
from relight_cli.evaluation.protocols.leave_one_out import Distances

if TYPE_CHECKING:
    from relight_cli.models.lpips import LPIPS


def distances_by(lpips: "LPIPS") -> Distances:
    """Return a function that returns the distances of two pictures at each level of the network."""

    @torch.inference_mode()
    def distances(picture: Picture, truth: Picture) -> list[DistanceMap]:
        batch = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (picture, truth)]
        return [level[0].numpy() for level in lpips.maps(*batch)]

    return distances
