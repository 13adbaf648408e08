"""ARAP, albedo of rendered scenes (Bonneel et al., Eurographics 2017, "Intrinsic decompositions for image editing").

Layout: SCENE.hdr and SCENE_albedo.hdr; also SCENE_light1.hdr with SCENE_light1_albedo.hdr or SCENE_albedo.hdr; .exr,
.png and .jpg too. HDR pictures are linear light.
Input: an HDR picture times one factor that brings the 99th percentile of its samples to 0.8, clipped, encoded as
sRGB.
Size: as stored.
Colours: the result's sRGB is decoded to linear light; so is a truth of 8 bits. All scores after one scale (least
squares).
Mask: pixels whose true albedo is not black.
Score: LMSE of the mean of red, green and blue (windows as in mit); RMSE of linear light, the truth's 99th percentile
being 1; SSIM of luma, sRGB-encoded.
Mean: over pictures. Published figures take other inputs (for instance balanced to white light), so none are given
here.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np

from relight_cli.evaluation.intrinsic_metrics import local_error
from relight_cli.evaluation.layouts import pictures_in, read_picture, require_light, require_same_size
from relight_cli.evaluation.picture_metrics import encoded, ssim
from relight_cli.evaluation.protocol import WHOLE, Case, Parts, Picture, Protocol, Sample, require_size
from relight_cli.photos.formats import format_of
from relight_cli.relighting.layers import to_linear

HDR = ("RADIANCE", "EXR")
DERIVED = re.compile(r"_(albedo|shading|normals?|depth|image)$")


def find(dataset: Path) -> list[Case]:
    """Return the pictures with an albedo of their own or of their scene."""
    files, cases = pictures_in(dataset), []
    for stem, path in files.items():
        truth = files.get(f"{stem}_albedo") or files.get(re.sub(r"_light\d+$", "", stem) + "_albedo")
        if truth and not DERIVED.search(stem):
            cases.append(Case(stem, path, partial(read, path, truth)))
    return cases


def read(path: Path, albedo: Path) -> Sample:
    """Read a picture, exposed, and its albedo, linear, with 1 as its 99th percentile."""
    picture, truth = read_picture(path), to_linear(read_picture(albedo))
    require_same_size(path, [picture, truth])
    require_light(albedo, truth)
    if format_of(path) in HDR:
        light = to_linear(picture)
        picture = encoded(light * np.float32(0.8 / max(1e-9, float(np.percentile(light, 99)))))
    truth = truth / np.float32(max(1e-9, float(np.percentile(truth, 99))))
    return Sample(path.stem, picture, truth, truth.max(axis=2) > 0)


def score(sample: Sample, result: Picture) -> Parts:
    """Return the scores of a result."""
    require_size(result, sample.truth.shape, sample.name)
    assert sample.mask is not None
    found, truth, mask = to_linear(result), sample.truth, sample.mask
    scaled = found * ((found * truth)[mask].sum() / max(1e-12, float((found**2)[mask].sum())))
    shown = [encoded(np.where(mask[..., None], x, np.float32(0)).astype(np.float32)) for x in (scaled, truth)]
    return {
        WHOLE: {
            "LMSE": local_error(truth.mean(axis=2), found.mean(axis=2), mask),
            "RMSE": float(np.sqrt(((scaled - truth)[mask] ** 2).mean())),
            "SSIM": ssim(shown[0], shown[1]),
        }
    }


PROTOCOL = Protocol("arap", "albedo", "SCENE.hdr, SCENE_albedo.hdr", find, score, __doc__)
