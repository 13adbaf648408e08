"""WildRelight, relighting of outdoor photos (Wang et al., CVPR 2026 Findings).

Layout: SCENE/photo/TIME.exr, linear light, for instance of small-aligned/; needs the extra [exr].
Light: each photo is lit by the next one of its scene, by name, the last by the first; that photo is the truth. The
environment maps of the set are not used: the light of the truth is told by the truth itself, so figures are not those
of methods that get the maps.
Size: as stored.
Colours: both photos times one factor that brings the 99th percentile of the truth's samples to 0.8, clipped, 8-bit
sRGB; SSIM of luma; LAB of D65, the sum of three absolute differences.
Mask: none.
Mean: over photos of scenes with at least two.
"""

from functools import partial
from pathlib import Path

import numpy as np

from relight_cli.evaluation.layouts import case_name, folders_named, pictures_in, read_picture, require_same_size
from relight_cli.evaluation.picture_metrics import encoded
from relight_cli.evaluation.protocol import Case, Picture, Protocol, Sample
from relight_cli.evaluation.protocols.multishot_pairs import score
from relight_cli.photos.formats import require_format
from relight_cli.relighting.layers import to_linear

EXPOSURE, PERCENTILE = 0.8, 99


def read(path: Path, other: Path) -> Sample:
    """Read a photo and the next one of its scene, both exposed for the second."""
    light, wanted = to_linear(read_picture(path)), to_linear(read_picture(other))
    require_same_size(path, [light, wanted])
    factor = np.float32(EXPOSURE / max(1e-9, float(np.percentile(wanted, PERCENTILE))))

    def exposed(linear: Picture) -> Picture:
        return encoded(linear * factor)

    return Sample(path.stem, exposed(light), exposed(wanted))


def find(dataset: Path) -> list[Case]:
    """Return the photos of scenes with at least two."""
    scenes = []
    for folder in folders_named(dataset, ["photo"]):
        paths = [path for path in pictures_in(folder).values() if path.suffix.lower() == ".exr"]
        if len(paths) > 1:
            scenes.append(paths)
    if scenes:
        require_format("EXR")
    return [
        Case(case_name(dataset, path), path, partial(read, path, other))
        for paths in scenes
        for path, other in zip(paths, [*paths[1:], paths[0]], strict=True)
    ]


PROTOCOL = Protocol("wildrelight", "relight", "SCENE/photo/TIME.exr", find, score, __doc__)
