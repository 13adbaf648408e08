"""Every colour space that a container states looks the same in every container to which the photo is written."""

from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from container_charts import CONTAINERS, SPACES, bits_of, expected_values, stated_values, write_chart
from container_readers import read_chromaticities, read_profile, read_samples
from stated_colours import CURVES, encode, to_xyz, xyz_matrix

SOURCES = ["JPEG", "PNG", "TIFF", "WebP", "AVIF", "JPEG 2000", "HEIF", "EXR"]
TARGETS = [name for name, row in CONTAINERS.items() if row["written"]]
UNCHANGED = ("--model", "tiny", "--strength", 0, "--quality", 100)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("space", SPACES)
def test_colours_stay_from_container_to_container(space: str, target: str, command: Command) -> None:
    """Write all sources of a space, with their fewest and most bits, to one container together."""
    row, stated = CONTAINERS[target], {}
    for number, source in enumerate(SOURCES):
        ways = CONTAINERS[source]["colours"].get(space)
        if not ways or source == target:
            continue
        depths = bits_of(source, next(iter(ways)))
        for bits in {depths[0], depths[-1]}:
            name = f"{number}_{bits}.{CONTAINERS[source]['suffix']}"
            stated[source, bits] = name, write_chart(source, space, next(iter(ways)), bits, Path(name))
    done = command(
        "deshadow", *(name for name, _ in stated.values()), *UNCHANGED, "-o", f"out/{{stem}}.{row['suffix']}"
    )
    assert done.code == 0, done.err
    wrong = {}
    for (source, bits), (name, values) in stated.items():
        steps, limit = apart(Path("out", f"{Path(name).stem}.{row['suffix']}"), values, space, bits, row)
        if steps > limit + 0.1:
            wrong[source, bits] = steps
    assert not wrong


def apart(path: Path, values: np.ndarray, space: str, bits: int, row: dict) -> tuple[float, float]:
    """Return the largest distance of an output from what was stored, in 1/255 or 1/4095, and the limit for it."""
    samples = read_samples(path)
    if path.suffix == ".exr":
        said = read_chromaticities(path)
        to_space = np.linalg.inv(to_xyz(SPACES[space][0])) @ (to_xyz("sRGB") if said is None else xyz_matrix(said))
        stored = values if bits == 32 else CURVES[SPACES[space][1]][1](values)
        steps = np.abs(encode(samples @ to_space.T) - encode(stored)).max() * (255 if bits == 8 else 4095)
        return float(steps), row["steps"]
    eight = bits == 8 or samples.dtype == np.uint8
    limit = row["steps"] if eight and path.suffix == ".heic" else row.get("steps_other", row["steps"])
    if path.suffix == ".heic" and samples.dtype == np.uint16:
        samples = samples / np.float32(1023)
    icc = read_profile(path)
    # Linear light of 8 bits is compared as such, unless it got the curve of sRGB.
    curve_bits = 16 if icc is None and space == "linear" else bits
    found, expected = stated_values(samples, icc, space, curve_bits), expected_values(values, space, curve_bits)
    return float(np.abs(found - expected).max() * (255 if eight else 4095)), limit
