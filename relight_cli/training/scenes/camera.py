"""The camera of rendered pictures: exposure, tone curve and sensor noise, without JPEG."""

import torch
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb


def filmic_shoulder(linear: Tensor, knee: float) -> Tensor:
    """Compress values above `knee` (in (0, 1]) towards 1 instead of clipping them; the slope is continuous."""
    if knee >= 1:
        return linear.clamp(0, 1)
    room = 1 - knee
    over = (linear - knee).clamp(min=0)
    return torch.where(linear <= knee, linear.clamp(min=0), knee + room * over / (over + room))


def develop(
    linear: Tensor,
    exposure: float = 0.0,
    *,
    knee: float = 1.0,
    shot_noise: float = 0.0,
    read_noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Turn linear light (..., 3, H, W) into a picture in sRGB, [0, 1].

    `exposure` is in stops. A `knee` below 1 adds a filmic shoulder. `shot_noise` and `read_noise` are standard
    deviations at linear 1: the first grows with the root of the light, the second is constant (Healey and
    Kondepudy 1994). `generator` must be on the same device.
    """
    light = linear * 2.0**exposure
    if shot_noise > 0 or read_noise > 0:
        spread = (shot_noise**2 * light.clamp(min=0) + read_noise**2).sqrt()
        noise = torch.randn(light.shape, generator=generator, device=light.device, dtype=light.dtype)
        light = light + spread * noise
    return linear_to_srgb(filmic_shoulder(light, knee))
