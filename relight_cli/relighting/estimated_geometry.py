"""The geometry of a picture as a network sees it: the geometry network, or Depth Anything V2."""

from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relight_cli.models.depth_anything import DepthNetwork, resize_to_network
from relight_cli.models.geometry import GeometryConfig, SurfaceMaps
from relight_cli.photos.depth_files import DISPARITY, DepthMap
from relight_cli.rasters.resizing import fit_within
from relight_cli.relighting.geometry import Geometry, geometry_of_disparity
from relight_cli.relighting.joint_bilateral import smooth_within_edges
from relight_cli.relighting.parallel import on_one_thread

Map = NDArray[np.float32]

NOISE = 0.03  # relative error of the estimated depth from pixel to pixel
_SMOOTHED = 7, 0.1, 3.0  # diameter in pixels, log disparity and distance of the bilateral filter against that error


class SurfaceNetwork(Protocol):
    """A network that tells the surfaces of pictures."""

    config: GeometryConfig

    def __call__(self, pictures: Tensor) -> SurfaceMaps: ...


@torch.inference_mode()
def surface_maps(network: SurfaceNetwork, picture: Map, *, device: str = "cpu") -> tuple[Map, Map, Map]:
    """Return disparity (h, w), normals (h, w, 3) and sky (h, w) of a picture (H, W, 3), sRGB, seen as a whole.

    The copy that the network sees, of the size (h, w), has the longer side of the network's configuration at most.
    """
    tensor = torch.from_numpy(_copy_for(network, picture)).permute(2, 0, 1)[None].to(device)
    with on_one_thread():  # the number of threads would change the last bits; it takes 0.1 s of the processor
        disparity, normals, sky = (maps[0].float().cpu().permute(1, 2, 0).numpy() for maps in network(tensor))
    return disparity[..., 0], np.ascontiguousarray(normals), sky[..., 0]


def _copy_for(network: SurfaceNetwork, picture: Map) -> Map:
    """Return the copy (h, w, 3) of a picture (H, W, 3), sRGB, that a network sees: in [0, 1], NaN is black."""
    height, width = fit_within(len(picture), picture.shape[1], network.config.side)
    copy = np.nan_to_num(picture).clip(0, 1)
    if (height, width) != picture.shape[:2]:
        copy = np.asarray(cv2.resize(copy, (width, height), interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(copy, np.float32)


def estimate_geometry(network: SurfaceNetwork, picture: Map, focal: float, *, device: str = "cpu") -> Geometry:
    """Return the geometry of a picture (H, W, 3), sRGB; `focal` is in its pixels.

    Disparity, normals and sky are the network's, fitted to the picture along its edges. Normals are smoothed within
    surfaces of one colour first, since the network blurs them across outlines.
    """
    copy = _copy_for(network, picture)
    disparity, normals, sky = surface_maps(network, copy, device=device)
    normals = smooth_within_edges(normals, copy)
    smooth = np.exp(np.asarray(cv2.bilateralFilter(np.log(disparity), *_SMOOTHED), np.float32))
    return geometry_of_disparity(smooth, picture, focal, shift=0.0, normals=normals, sky=sky, noise=NOISE)


@torch.inference_mode()
def depth_map_of(network: DepthNetwork, picture: Map, *, device: str = "cpu") -> DepthMap:
    """Return the disparity (h, w) of a picture (H, W, 3), sRGB, by Depth Anything V2; its zero is unknown."""
    tensor = torch.from_numpy(np.ascontiguousarray(picture, np.float32)).permute(2, 0, 1)[None].to(device)
    image = resize_to_network(tensor)
    with on_one_thread():
        disparity = network.decoder(network.features(image), (image.shape[2], image.shape[3]))[0]
    return DepthMap(np.asarray(disparity.float().cpu().numpy(), np.float32), DISPARITY, stated=True)
