"""What shiny surfaces reflect: the lobe of a lamp, and the share of the light from the mirror direction.

A lobe is relative to the light of a white matt surface that faces the lamp, like all light of the renderer.
"""

import torch
from torch import Tensor

from relight_cli.training.scenes.ray_tracing import dot, unit

_FACETS = 0.02  # least width of a lobe, so that it is wider than a subpixel on most shapes


def fresnel(cosine: Tensor, straight: Tensor, roughness: Tensor) -> Tensor:
    """Return the share of light reflected: `straight` at normal incidence, more at grazing angles, less if rough.

    Schlick 1994; the roughness limits it as in Lagarde 2011.
    """
    most = torch.maximum(1 - roughness, straight)
    return straight + (most - straight) * (1 - cosine.clamp(0, 1)) ** 5


def lobe(normal: Tensor, view: Tensor, light: Tensor, gloss: Tensor, slope: Tensor) -> Tensor:
    """Return the reflection (B, n) of a lamp in direction `light` towards the eye, with the lamp's cosine in it.

    All directions are (B, 3, n), `view` that of the camera ray; `gloss` (B, 2, n) is reflectance and roughness, `slope`
    (B, n) the lamp's radius over its distance, by which the lobe is wider (Karis 2013). GGX (Walter et al. 2007), with
    the visibility of Kelemen and Szirmay-Kalos 2001.
    """
    straight, roughness = gloss.unbind(1)
    half = unit(light - view)
    width = (roughness**2 + 0.5 * slope + _FACETS).clamp(max=1)
    peak = dot(normal, half).clamp(0, 1) ** 2 * (width**2 - 1) + 1
    towards = dot(light, half).clamp(min=0.1)
    return (
        (width / peak) ** 2 * fresnel(towards, straight, roughness) / (4 * towards**2) * dot(normal, light).clamp(min=0)
    )


def mirror(normal: Tensor, view: Tensor, gloss: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mirrored view direction (B, 3, n), the slope of the cone around it (B, n), and its share (B, n)."""
    straight, roughness = gloss.unbind(1)
    towards = dot(normal, view)
    share = fresnel(-towards, straight, roughness) * (straight > 0)
    return unit(view - 2 * normal * towards[:, None]), roughness**2 + _FACETS, share
