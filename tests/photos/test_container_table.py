"""Every colour space in the table of containers comes out as stated, in every way that a container has to state it."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from command_line import Command
from container_charts import (
    CONTAINERS,
    SPACES,
    expected_values,
    read_profile,
    read_samples,
    stated_values,
    write_chart,
)
from stated_colours import PRIMARIES

CELLS = [(container, space) for container, row in CONTAINERS.items() for space in row["colours"]]


@pytest.mark.parametrize(("container", "space"), CELLS)
def test_colours_come_out_as_stated(container: str, space: str, command: Command) -> None:
    """Run all ways and bits of a cell together."""
    row = CONTAINERS[container]
    stated: dict[str, tuple[np.ndarray, str, int]] = {}
    for number, (way, becomes) in enumerate(row["colours"][space].items()):
        for bits in row["bits"]:
            name = f"{number}_{bits}.{row['suffix']}"
            stated[name] = (write_chart(container, space, way, bits, Path(name)), becomes, bits)
    options = ("--model", "tiny", "--strength", 0, "--quality", 100)
    if "refused" in row["colours"][space].values():
        for name in stated:
            done = command("deshadow", name, *options, "-o", f"out.{row['suffix']}")
            assert done.code
            assert len(done.lines) == 1
        return
    notes = ""
    for suffix in dict.fromkeys((row["suffix"], "png", "exr")):
        names = [name for name, (_, _, bits) in stated.items() if suffix == suffix_of(row, bits)]
        if names:
            done = command("deshadow", *names, *options, "-o", f"out/{{stem}}.{suffix}")
            assert done.code == 0, done.err
            notes += done.err
    for name, (values, becomes, bits) in stated.items():
        target = Path("out", f"{Path(name).stem}.{suffix_of(row, bits)}")
        steps = apart(target, values, space, bits)
        limit = row.get("steps_converted", row["steps"]) if becomes == "converted" else row["steps"]
        assert steps < limit + 0.1, name  # profiles store numbers in steps of 1/65536
        converted = [line for line in notes.splitlines() if name in line and "converted to a display profile" in line]
        assert len(converted) == (becomes == "converted"), notes


def suffix_of(row: dict, bits: int) -> str:
    """Return the suffix of the output: of the same container if it is written with as many bits."""
    return row["suffix"] if bits in row["written"] else "png" if bits < 32 else "exr"


def apart(path: Path, values: np.ndarray, space: str, bits: int) -> float:
    """Return the largest distance of an output from what was stored, in 1/255 (8 bits) or 1/4095."""
    samples = read_samples(path)
    unit = 255 if bits == 8 else 4095
    if path.suffix == ".exr":
        said = oiio.ImageBuf(str(path.absolute())).spec().getattribute("chromaticities")
        assert SPACES[space][0] == "sRGB" or np.allclose(said[:6], np.ravel(PRIMARIES[SPACES[space][0]]), atol=1e-4)
        return float(np.abs(samples - values).max() * unit)
    if path.suffix in (".heic", ".avif") and samples.dtype == np.uint16:
        samples = samples / np.float32(1023)
    found = stated_values(samples, read_profile(path), space, bits)
    return float(np.abs(found - expected_values(values, space, bits)).max() * unit)
