"""The refined maps, at the photo's own size."""

from functools import cached_property

import numpy as np
import torch

from relight_cli.depth.refinement import Ensemble, Map, Picture, Scene
from relight_cli.models.shading import DEPTH_SHIFT, orthographic_depth, surface_normals
from relight_cli.relighting.geometry import infinitely_far
from relight_cli.relighting.guided import guided_upsample


class RefinedDepth:
    """Maps (H, W) or (H, W, 3), float32, that follow the photo's edges.

    `disparity` is large where the photo is near; its scale and shift are unknown.
    """

    def __init__(self, scene: Scene, ensemble: Ensemble, picture: Picture) -> None:
        self.scene, self.ensemble = scene, ensemble
        self.picture = picture  # (H, W, 3)
        self.small = scene.image[0].permute(1, 2, 0).cpu().numpy()  # the same at the network's size
        self.disparity = self._enlarged(ensemble.disparity)

    @cached_property
    def uncertainty(self) -> Map:
        """The standard deviation of the disparity over the runs."""
        return self._enlarged(self.ensemble.deviation)

    @cached_property
    def initial(self) -> Map:
        """The disparity before refinement."""
        return self._enlarged(self.scene.initial[0].cpu().numpy())

    @cached_property
    def small_normals(self) -> Map:
        """Unit normals (h, w, 3) at the network's size; see `normals`."""
        disparity = torch.from_numpy(self.ensemble.disparity)[None]
        shaded = surface_normals(orthographic_depth(disparity, torch.zeros(1)))[0].permute(1, 2, 0).numpy()
        # The method shades with depth as height, whose slopes are those of the true surface with the other sign.
        return np.asarray(shaded * np.array((-1, -1, 1), np.float32))

    @cached_property
    def normals(self) -> Map:
        """Unit normals (H, W, 3): x right, y up, z towards the viewer, of the orthographic surface."""
        large = self._enlarged(self.small_normals)
        return large / np.linalg.norm(large, axis=2, keepdims=True).clip(min=1e-8)

    @cached_property
    def points(self) -> tuple[Map, np.ndarray]:
        """Depth s / (D + m), and a mask (H, W) of the points: False where they are infinitely far away."""
        return self.ensemble.scale / (self.disparity + DEPTH_SHIFT), ~infinitely_far(self.disparity)

    def _enlarged(self, values: Map) -> Map:
        """Enlarge a map (h, w) or (h, w, C) to the photo's size along the photo's edges, within the map's range."""
        flat = values.reshape(*values.shape[:2], -1)
        large = guided_upsample(flat, self.small, self.picture).clip(values.min(), values.max())
        return np.ascontiguousarray(large.reshape(*self.picture.shape[:2], *values.shape[2:]), np.float32)
