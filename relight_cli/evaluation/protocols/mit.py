"""The MIT intrinsic images, albedo of single objects (Grosse et al., ICCV 2009).

Layout: NAME/diffuse.png, reflectance.png, shading.png and mask.png; or NAME_diffuse.png ... side by side. 16 bits,
linear.
Input: the object in diffuse light, times one factor that brings the 99th percentile inside the mask to 0.8, encoded
as sRGB.
Size: as stored.
Colours: the result's sRGB is decoded to linear light; albedo, its truth and the input are means of red, green and
blue. Shading is the input divided by the albedo (at least 0.001).
Mask: the object.
Score: LMSE: squared errors of windows of 20 x 20 pixels that overlap by half, each scaled best, over the energy of
the truth; the mean of those of albedo and shading ("LMSE"), and both.
Mean: over objects.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relight_cli.errors import PhotoUnreadableError
from relight_cli.evaluation.intrinsic_metrics import local_error
from relight_cli.evaluation.layouts import case_name, read_samples, require_same_size
from relight_cli.evaluation.picture_metrics import encoded
from relight_cli.evaluation.protocol import WHOLE, Case, Parts, Picture, Protocol, Sample, Scores, require_size
from relight_cli.relighting.layers import to_linear

DARKEST = 1e-3  # albedo that a picture is divided by
PARTS = ("reflectance", "shading", "mask")


def find(dataset: Path) -> list[Case]:
    """Return the objects."""
    found = [*dataset.glob("*_diffuse.png"), *dataset.glob("*/diffuse.png"), *dataset.glob("*/*/diffuse.png")]
    whole = [path for path in sorted(found) if all(_part(path, kind).is_file() for kind in PARTS)]
    return [Case(_name(dataset, path), path, partial(read, path)) for path in whole]


def _part(path: Path, kind: str) -> Path:
    return path.with_name(path.name.removesuffix("diffuse.png") + f"{kind}.png")


def _name(dataset: Path, path: Path) -> str:
    return case_name(dataset, path).removesuffix("diffuse").rstrip("_/")


def read(path: Path) -> Sample:
    """Read an object in diffuse light with its reflectance and shading."""

    def load(kind: str) -> NDArray[Any]:
        return read_samples(_part(path, kind)).astype(np.float32)

    mask, light, reflectance, shading = (
        load("mask").max(axis=2) > 0,
        load("diffuse"),
        load("reflectance"),
        load("shading"),
    )
    require_same_size(path, [light, reflectance, shading, mask])
    if not (mask.any() and light[mask].any() and reflectance.any()):
        raise PhotoUnreadableError(f"{_part(path, 'mask')}: shows no object with light on it; copy the data set again")
    exposed = light / np.percentile(light[mask], 99) * 0.8
    name = path.parent.name if path.name == "diffuse.png" else path.stem.removesuffix("_diffuse")
    return Sample(name, encoded(exposed), reflectance / reflectance.max(), mask, shading.mean(axis=2))


def object_scores(sample: Sample, picture: Picture) -> Scores:
    """Return the LMSE of an object's albedo and of its shading."""
    assert sample.mask is not None
    assert sample.shading is not None
    light, albedo = (to_linear(x).mean(axis=2) for x in (sample.picture, picture))
    shading = light / albedo.clip(DARKEST)
    errors = (
        local_error(sample.truth.mean(axis=2), albedo, sample.mask),
        local_error(sample.shading, shading, sample.mask),
    )
    return {"LMSE": sum(errors) / 2, "LMSE albedo": errors[0], "LMSE shading": errors[1]}


def score(sample: Sample, result: Picture) -> Parts:
    """Return the scores of a result."""
    require_size(result, sample.truth.shape, sample.name)
    return {WHOLE: object_scores(sample, result)}


PROTOCOL = Protocol("mit", "albedo", "NAME/diffuse.png, reflectance.png, shading.png, mask.png", find, score, __doc__)
