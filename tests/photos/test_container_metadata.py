"""Every block of metadata in the table of containers survives, also when the output is read again, or is noted."""

from pathlib import Path

import pytest
from command_line import Command
from container_charts import CONTAINERS
from container_metadata import NOTES, SOURCES, survives

CELLS = [name for name, row in CONTAINERS.items() if "metadata" in row]


def test_every_container_has_every_block() -> None:
    assert all(list(CONTAINERS[name]["metadata"]) == list(SOURCES) for name in CELLS)


@pytest.mark.parametrize("container", CELLS)
def test_metadata_is_kept_or_noted(container: str, command: Command) -> None:
    """Run all blocks of a container together, and then again what came out."""
    row = CONTAINERS[container]
    names = {}
    for number, (block, (suffix, make)) in enumerate(SOURCES.items()):
        names[block] = f"{number}.{suffix}"
        Path(names[block]).write_bytes(make())
    Path("made.exr").unlink()
    options = ("--model", "tiny", "--strength", 0)
    first = command("deshadow", *names.values(), *options, "-o", f"once/{{stem}}.{row['suffix']}")
    again = command("deshadow", *sorted(Path("once").iterdir()), *options, "-o", f"twice/{{stem}}.{row['suffix']}")
    assert (first.code, again.code) == (0, 0), first.err + again.err
    wrong = []
    for block, becomes in row["metadata"].items():
        notes = [line for line in first.lines if f"{names[block]}: " in line and NOTES.get(block, block) in line]
        target = Path("twice", f"{Path(names[block]).stem}.{row['suffix']}")
        if len(notes) != (becomes == "noted"):
            wrong.append((block, notes or [line for line in first.lines if f"{names[block]}: " in line]))
        elif becomes == "kept" and not survives(block, target):
            wrong.append((block, "lost"))
    assert not wrong
