"""Refine the depth of a photo at test time (Re-Depth Anything, arXiv 2512.17908)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relight_cli.depth.options import DepthOptions
from relight_cli.depth.refined_depth import RefinedDepth
from relight_cli.depth.refinement import Progress, RefineOptions, Run, Scene, encode_scene, refine, unrefined
from relight_cli.depth.sky import keep_sky
from relight_cli.errors import UsageError
from relight_cli.models.depth_model import DepthModel
from relight_cli.photos.photo import Photo
from relight_cli.photos.shape import Shape
from relight_cli.relighting.masks import require_shares

SkyMask = NDArray[np.float32]  # (H, W) in [0, 1], 1 where the initial disparity stays


@dataclass(frozen=True)
class PreparedPhoto:
    """A photo that is encoded by the networks."""

    picture: NDArray[np.float32]  # (H, W, 3), sRGB-encoded
    scene: Scene
    prompt: str | None  # text for the diffusion model: what the photo shows; None if nothing is refined
    shape: Shape | None = None  # of the photo


def refine_depth(
    model: DepthModel,
    photo: Photo,
    options: DepthOptions = DepthOptions(),
    *,
    ensemble: int | None = None,
    sky_mask: SkyMask | None = None,
    progress: Progress | None = None,
) -> RefinedDepth:
    """Estimate the disparity of a photo and refine it until the photo, relit on it, looks plausible.

    `ensemble` replaces `options.ensemble`. `sky_mask` (H, W) in [0, 1] is 1 where the initial disparity stays; without
    a mask it stays where the network sees infinite distance, unless `options.sky` is "off". `progress(done, total)`
    counts the steps of all runs.

    With `options.steps` of 0 it is the network's own disparity, and the model needs no diffusion model.

    Made for a GPU: with the defaults a CPU takes more than a day. The networks run in the calling thread; a model
    serves one thread at a time, since the prompt is part of it. The same seed gives the same result on the same
    device, up to rounding. Raises UsageError for a mask that is none or of another shape, or a model without diffusion
    model, DeviceError if memory runs out.
    """
    options = options if ensemble is None else replace(options, ensemble=ensemble)
    if options.steps and model.judge is None:
        raise UsageError("this model has no diffusion model: load it with refined=True, or give steps=0.")
    return refine_prepared(model, prepare(model, photo, options, sky_mask), options, progress=progress)


def prepare(model: DepthModel, photo: Photo, options: DepthOptions, sky_mask: SkyMask | None = None) -> PreparedPhoto:
    """Encode a photo once for all runs, and set the diffusion model's prompt."""
    picture = photo.to_srgb()
    if sky_mask is not None:
        require_shares(sky_mask)
        require_sky_shape(sky_mask, photo)
    prompt = None
    if model.judge and options.steps:
        prompt = model.caption(picture) if model.caption else options.prompt
        model.judge.prior.set_prompt(model.judge.embed(prompt))
    scene = encode_scene(model.network, picture, model.device, options.max_side)
    if sky_mask is not None or options.sky != "off":
        scene = keep_sky(scene, sky_mask)
    return PreparedPhoto(picture, scene, prompt, photo.metadata.shape)


def require_sky_shape(mask: SkyMask, photo: Photo, name: str = "the sky mask") -> None:
    """Raise UsageError if a mask, called `name` in the message, has another aspect ratio than the photo."""
    height, width = photo.pixels.shape[:2]
    if abs(mask.shape[1] - mask.shape[0] * width / height) > 1:  # a pixel of rounding
        size = f"{mask.shape[1]} x {mask.shape[0]}"
        raise UsageError(f"{name} is {size} pixels and the photo {width} x {height}: give a mask of its shape.")


def refine_prepared(
    model: DepthModel,
    prepared: PreparedPhoto,
    options: DepthOptions,
    finished: Mapping[int, Run] | None = None,
    keep: Callable[[int, Run], None] = lambda number, run: None,
    progress: Progress | None = None,
) -> RefinedDepth:
    """Refine the disparity of an encoded photo; `finished` runs are not repeated, each new one is passed to `keep`."""
    if not options.steps:
        return RefinedDepth(prepared.scene, unrefined(prepared.scene), prepared.picture)
    assert model.judge is not None
    work = RefineOptions(options.ensemble, options.steps, options.seed, options.run_batch, options.early_stop)
    ensemble = refine(prepared.scene, model.judge.prior, work, finished or {}, keep, progress)
    return RefinedDepth(prepared.scene, ensemble, prepared.picture)
