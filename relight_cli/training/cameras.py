"""Cameras and phones: how linear light becomes the pictures that the networks are trained on."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from relight_cli.models.colour import LUMINANCE, srgb_to_linear
from relight_cli.training.scenes.camera import develop

DARKEST = 1e-3  # light below this is black to the camera, so that ratios of such values mean nothing


@dataclass(frozen=True)
class Camera:
    """How a camera develops its pictures; the defaults change nothing but the number of bits."""

    saturation: float = 1.0
    knee: float = 1.0  # of the filmic shoulder, in linear light
    power: float = 1.0  # of sRGB values
    contrast: float = 1.0  # of sRGB values, about their middle
    lift: float = 0.0  # added to sRGB values
    shot_noise: float = 0.0  # as in `develop`
    read_noise: float = 0.0
    blur: float = 0.0  # standard deviation in pixels
    quality: int | None = None  # of JPEG

    @property
    def is_plain(self) -> bool:
        """Whether it has no tone curve of its own."""
        return (self.saturation, self.knee, self.power, self.contrast, self.lift) == (1, 1, 1, 1, 0)

    def tone(self, linear: Tensor, generator: Generator | None = None) -> Tensor:
        """Return linear light (3, H, W) as sRGB in [0, 1]; with noise if there is a generator."""
        if self.saturation != 1:
            grey = torch.einsum("chw,c->hw", linear, linear.new_tensor(LUMINANCE))[None]
            linear = (grey + (linear - grey) * self.saturation).clamp(min=0)
        shot, read = (self.shot_noise, self.read_noise) if generator else (0.0, 0.0)
        picture = develop(linear, knee=self.knee, shot_noise=shot, read_noise=read, generator=generator)
        if self.is_plain:
            return picture
        return (0.5 + (picture**self.power - 0.5) * self.contrast + self.lift).clamp(0, 1)

    def take(self, linear: Tensor, generator: Generator) -> Tensor:
        """Return linear light (3, H, W) as a picture in sRGB, [0, 1]: noise, tone curve, blur, JPEG or 8 bits."""
        picture = self.tone(linear, generator)
        if not self.blur and self.quality is None:
            return (picture * 255).round() / 255
        array: NDArray[np.uint8] = (picture.permute(1, 2, 0).cpu().numpy() * 255 + 0.5).astype(np.uint8)
        if self.blur:
            array = np.asarray(cv2.GaussianBlur(array, (0, 0), self.blur), np.uint8)
        if self.quality is not None:
            _, data = cv2.imencode(".jpg", array[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.quality])
            array = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
        return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1).to(picture) / 255

    def log_gain(self, linear: Tensor) -> Tensor:
        """Return the logarithm of what the tone curve makes of linear light (3, H, W), relative to that light.

        A plain camera's is 0, also where it clips.
        """
        if self.is_plain:
            return torch.zeros_like(linear)
        return ((srgb_to_linear(self.tone(linear)) + DARKEST) / (linear + DARKEST)).log()
