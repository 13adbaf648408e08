"""The camera of the made pictures: exposure, tone curve and sensor noise. JPEG belongs to the trainer."""

import torch
from torch import Tensor


def encode_srgb(linear: Tensor) -> Tensor:
    """Apply the sRGB transfer curve to linear values in [0, 1] (IEC 61966-2-1)."""
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-8) ** (1 / 2.4) - 0.055)


def filmic_shoulder(linear: Tensor, knee: float) -> Tensor:
    """Roll values above `knee` (in (0, 1]) off towards 1 instead of clipping them; the slope is continuous."""
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

    `exposure` is in stops. `knee` under 1 adds a filmic shoulder. `shot_noise` and `read_noise` are standard
    deviations at linear 1: the first grows with the root of the light, the second is there in the dark as well
    (Healey and Kondepudy 1994). `generator` must live on the same device.
    """
    light = linear * 2.0**exposure
    if shot_noise > 0 or read_noise > 0:
        spread = (shot_noise**2 * light.clamp(min=0) + read_noise**2).sqrt()
        noise = torch.randn(light.shape, generator=generator, device=light.device, dtype=light.dtype)
        light = light + spread * noise
    return encode_srgb(filmic_shoulder(light, knee))
