"""Every cell of the table of containers: colours come out as stated, metadata survives or is named by a note."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
from colour_checks import distance
from command_line import Command
from container_charts import CONTAINERS, SPACES, read_profile, read_samples, write_chart
from stated_colours import CURVES, encode, in_srgb, to_xyz

COLOURS = [
    (container, space, way, bits)
    for container, row in CONTAINERS.items()
    for space, ways in row["colours"].items()
    for way in ways
    for bits in row["bits"]
]


@pytest.mark.parametrize(("container", "space", "way", "bits"), COLOURS)
def test_colours_come_out_as_stated(
    container: str, space: str, way: str, bits: int, command: Command, tmp_path: Path
) -> None:
    row = CONTAINERS[container]
    becomes, (primaries, curve) = row["colours"][space][way], SPACES[space]
    source = tmp_path / f"a.{row['suffix']}"
    target = tmp_path / f"b.{row['suffix'] if bits in row['written'] else 'png' if bits < 32 else 'exr'}"
    values = write_chart(container, space, way, bits, source)
    done = command("deshadow", source, "--model", "tiny", "--strength", 0, "--quality", 100, "-o", target)
    if becomes == "refused":
        assert done.code
        assert len(done.lines) == 1
        return
    assert done.code == 0, done.err
    assert ("are converted to a display profile" in done.err) == (becomes == "converted")
    expected = in_srgb(values, primaries, "linear" if bits == 32 else curve)
    if target.suffix == ".exr":
        samples = read_samples(target)
        said = oiio.ImageBuf(str(target)).spec().getattribute("chromaticities")
        assert primaries == "sRGB" or said is not None
        seen = in_srgb(samples, primaries, "linear")
        apart = np.abs(seen - expected).max()
    else:
        samples = read_samples(target)
        if target.suffix in (".heic", ".avif") and samples.dtype == np.uint16:
            samples = samples / np.float32(1023)
        apart = distance(samples, read_profile(target), expected)
    unit = 255 if bits == 8 else 4095
    steps = row.get("steps_converted", row["steps"]) if becomes == "converted" and bits > 8 else row["steps"]
    print(f"APART {container}|{space}|{way}|{bits}|{apart * unit:.2f}|{done.err.strip()}")
    assert apart * unit <= steps * 1.01
