"""Colours that are no RGB or grey with a profile of their own are converted, noted or refused, never silently wrong."""

from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from container_charts import CONTAINERS
from container_readers import read_profile, read_samples
from other_colours import files_of
from stated_colours import seen

CELLS = [(container, kind) for container, row in CONTAINERS.items() for kind in row.get("others", ())]
NOTES = {"converted": ("converted to sRGB",), "noted": ("read as", "developed for daylight")}
STEPS = 2.1  # in 1/255: luma and chroma of 8 bits are rounded; all others stay below 0.5


@pytest.mark.parametrize(("container", "kind"), CELLS)
def test_other_colours_are_never_silently_wrong(container: str, kind: str, command: Command) -> None:
    """Run all files of a kind; write what is read to a TIFF."""
    becomes = CONTAINERS[container]["others"][kind]
    for number, (data, colours) in enumerate(files_of(container, kind)):
        path = Path(f"{number}.{CONTAINERS[container]['suffix']}")
        path.write_bytes(data)
        done = command("deshadow", path, "--model", "tiny", "--strength", 0, "-o", f"out/{number}.tif")
        if becomes == "refused":
            (line,) = done.lines
            assert done.code not in (0, 2), line  # 2 is for options
            assert line.count(str(path)) == 1
            continue
        notes = [line for line in done.lines if f"{path}: " in line and "rounded" not in line]
        assert done.code == 0, done.err
        assert len(notes) == (becomes != "kept"), notes
        assert all(any(word in note for word in NOTES[becomes]) for note in notes), notes
        found = Path("out", f"{number}.tif")
        if colours is not None:
            assert np.abs(seen(read_samples(found), read_profile(found)) - colours).max() * 255 < STEPS, number
