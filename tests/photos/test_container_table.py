"""Every colour space in the table of containers comes out as stated, in every way that a container has to state it."""

from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from container_charts import CONTAINERS, SPACES, bits_of, expected_values, inner, stated_values, write_chart
from container_readers import read_chromaticities, read_profile, read_samples
from stated_colours import CODES, CURVES, PRIMARIES, chrm, cicp_chunk, gama

CELLS = [(container, space) for container, row in CONTAINERS.items() for space in row["colours"]]
UNCHANGED = ("--model", "tiny", "--strength", 0, "--quality", 100)


@pytest.mark.parametrize(("container", "space"), CELLS)
def test_colours_come_out_as_stated(container: str, space: str, command: Command) -> None:
    """Run all ways and bits of a cell together."""
    row = CONTAINERS[container]
    stated: dict[str, tuple[np.ndarray, str, str, int]] = {}
    for number, (way, becomes) in enumerate(row["colours"][space].items()):
        for bits in bits_of(container, way):
            name = f"{number}_{bits}.{row['suffix']}"
            stated[name] = (write_chart(container, space, way, bits, Path(name)), way, becomes, bits)
    notes = ""
    for suffix in dict.fromkeys(suffix_of(row, bits) for *_, bits in stated.values()):
        names = [name for name, (*_, bits) in stated.items() if suffix == suffix_of(row, bits)]
        done = command("deshadow", *names, *UNCHANGED, "-o", f"out/{{stem}}.{suffix}")
        assert done.code == 0, done.err
        notes += done.err
    for name, (values, way, becomes, bits) in stated.items():
        target = Path("out", f"{Path(name).stem}.{suffix_of(row, bits)}")
        steps = apart(target, values, space, bits)
        limit = row.get("steps_converted", row["steps"]) if becomes == "converted" else row["steps"]
        assert steps < limit + 0.1, (name, way)  # profiles store numbers in steps of 1/65536
        converted = [line for line in notes.splitlines() if name in line and "converted to a display profile" in line]
        assert len(converted) == (becomes == "converted"), notes
        if container == "PNG" and becomes == "kept":
            assert all(chunk in target.read_bytes() for chunk in chunks_of(space, way)), name


def suffix_of(row: dict, bits: int) -> str:
    """Return the suffix of the output: of the same container if it is written with as many bits."""
    return row["suffix"] if bits in row["written"] else row.get("output", "png") if bits < 32 else "exr"


def chunks_of(space: str, way: str) -> list[bytes]:
    """Return the chunks of a PNG that must come back as they were."""
    primaries, curve = SPACES[space]
    if way == "cICP":
        return [cicp_chunk(CODES[primaries], CURVES[curve][0])]
    gamma = {"linear": 1.0, "gamma 1.8": 1.8, "AdobeRGB": 563 / 256}.get(curve)
    return [chrm(primaries), *([gama(gamma)] if gamma else [])] if way == "gAMA, cHRM" else []


def apart(path: Path, values: np.ndarray, space: str, bits: int) -> float:
    """Return the largest distance of an output from what was stored, in 1/255 (8 bits) or 1/4095."""
    samples = read_samples(path)
    unit = 255 if bits == 8 else 4095
    if path.suffix == ".exr":
        said = read_chromaticities(path)
        assert SPACES[space][0] == "sRGB" or np.allclose(said[:3], PRIMARIES[SPACES[space][0]], atol=1e-4)
        return float(np.abs(samples - values).max() * unit)
    if path.suffix in (".heic", ".avif") and samples.dtype == np.uint16:
        samples = samples / np.float32(1023)
    found, expected = stated_values(samples, read_profile(path), space, bits), expected_values(values, space, bits)
    if bits == 14:  # camera raw: between the patches, colours are interpolated
        found, expected = inner(found), inner(expected)
    return float(np.abs(found - expected).max() * unit)
