"""Intrinsic Images in the Wild, albedo (Bell et al., SIGGRAPH 2014).

Layout: data/ID.png with people's judgements in data/ID.json.
Size: as stored; the judged points are at fractions of height and width.
Colours: the result's sRGB is decoded to linear light; lightness is the mean of red, green and blue.
Score: WHDR, the share of judgements that are contradicted, weighted by their certainty; two points are about the same
where the ratio of their lightness is at most 1.10. "WHDR +0.5" adds 0.5 to the reflectance first. Points that are not
opaque and comparisons without certainty are left out.
Mean: over pictures. `iiw` takes all that are there; `iiw-test` the first of every five, sorted by number (the test
set of Narihira et al., CVPR 2015).
"""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from relight_cli.errors import PhotoUnreadableError, one_line
from relight_cli.evaluation.intrinsic_metrics import SHIFT, whdr
from relight_cli.evaluation.layouts import SHALLOW, case_name, read_picture
from relight_cli.evaluation.protocol import WHOLE, Case, Parts, Picture, Protocol, Published
from relight_cli.relighting.layers import to_linear

PAPER = "CroCoDiLight, ICLR 2026 (openreview GKvb3HCyNk)"
EVERY = 5  # of which the first is in the test set


@dataclass(frozen=True)
class JudgedPicture:
    """A picture with people's judgements of its surfaces."""

    name: str
    picture: Picture
    judgements: dict[str, Any]  # as in the data set's files


def read(path: Path) -> JudgedPicture:
    """Read a picture and its judgements."""
    file = path.with_suffix(".json")
    try:
        judgements = json.loads(file.read_text(encoding="utf-8"))
        if not {"intrinsic_points", "intrinsic_comparisons"} <= set(judgements):
            raise ValueError("it holds no judgements")
        _require_known_points(judgements)
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise PhotoUnreadableError(f"{file}: cannot be read ({one_line(error)}); copy the data set again") from error
    return JudgedPicture(path.stem, read_picture(path), judgements)


def _require_known_points(judgements: dict[str, Any]) -> None:
    """Raise ValueError, TypeError or LookupError for judgements that are none, or of points that are not there."""
    points, comparisons = judgements["intrinsic_points"], judgements["intrinsic_comparisons"]
    if outside := [point["id"] for point in points if not (0 <= point["x"] < 1 and 0 <= point["y"] < 1)]:
        raise ValueError(f"the point {outside[0]} is outside the picture")
    opaque = {point["id"]: point["opaque"] for point in points}
    compared = {judged[name] for judged in comparisons for name in ("point1", "point2")}
    if unknown := compared - set(opaque):
        raise ValueError(f"there is no point {min(unknown)}")
    if incomplete := [judged for judged in comparisons if not {"darker", "darker_score"} <= set(judged)]:
        raise ValueError(f"a judgement has {', '.join(incomplete[0])} alone")


def find(dataset: Path) -> list[Case]:
    """Return the pictures with judgements, sorted by number."""
    found: list[Path] = []
    for depth in range(SHALLOW):
        found = [path.with_suffix(".png") for path in dataset.glob("*/" * depth + "*.json") if path.stem.isdigit()]
        found = [path for path in found if path.is_file()]
        if found:
            break
    found.sort(key=lambda path: int(path.stem))
    return [Case(case_name(dataset, path), path, partial(read, path)) for path in found]


def find_test(dataset: Path) -> list[Case]:
    """Return the first of every five pictures."""
    return find(dataset)[::EVERY]


def score(judged: JudgedPicture, result: Picture) -> Parts:
    """Return the scores of a result, of any size."""
    reflectance = to_linear(result)
    errors = (whdr(reflectance, judged.judgements, shift) for shift in (0.0, SHIFT))
    return {WHOLE: dict(zip(("WHDR", f"WHDR +{SHIFT}"), errors, strict=True))}


PROTOCOL = Protocol(
    "iiw",
    "albedo",
    "data/ID.png, data/ID.json",
    find,
    score,
    __doc__,
    (Published("CroCoDiLight", f"{PAPER}; the pictures are not stated", {"WHDR": 0.154, f"WHDR +{SHIFT}": 0.143}),),
)
TEST = replace(PROTOCOL, name="iiw-test", find=find_test, recognised=False)
