"""Every block of metadata in the table of containers survives, also when the output is read again, or is noted."""

from pathlib import Path

import pytest
from command_line import Command
from container_charts import CONTAINERS
from container_metadata import NOTES, SOURCES, exif_of_a_camera, same_light, survives
from extras_fixtures import IPTC, jpeg
from extras_fixtures import block as block_of
from held_metadata import held

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
        elif becomes == "converted" and not same_light(Path(names[block]), target):
            wrong.append((block, "other colours"))
    assert not wrong


@pytest.mark.parametrize("container", [name for name, row in CONTAINERS.items() if "holds" in row])
def test_what_a_container_holds_comes_through(container: str, command: Command) -> None:
    """Run all blocks of a container, as other programs write them, together."""
    row = CONTAINERS[container]
    suffix = row["suffix"] if row["written"] else row.get("output", "png")
    names = {block: f"{number}.{row['suffix']}" for number, block in enumerate(row["holds"])}
    for block, name in names.items():
        Path(name).write_bytes(held(container, block))
    options = ("--model", "tiny", "--strength", 0)
    done = command("deshadow", *names.values(), *options, "-o", f"out/{{stem}}.{suffix}")
    assert done.code == 0, done.err
    wrong = []
    for block, becomes in row["holds"].items():
        notes = [line for line in done.lines if f"{names[block]}: " in line]
        if len(notes) != (becomes == "noted") or not all(NOTES[block] in note for note in notes):
            wrong.append((block, notes))
        elif becomes == "kept" and not survives(block, Path("out", f"{Path(names[block]).stem}.{suffix}")):
            wrong.append((block, "lost"))
    assert not wrong


def test_an_exr_has_one_note_for_all_that_it_cannot_store(command: Command) -> None:
    photoshop = (0xED, b"Photoshop 3.0\0" + block_of(0x0404, IPTC))
    Path("a.jpg").write_bytes(jpeg(photoshop, exif=exif_of_a_camera(), dpi=(240, 240)))
    done = command("deshadow", "a.jpg", "--model", "tiny", "--strength", 0, "-o", "b.exr")
    (note,) = [line for line in done.lines if "a.jpg: " in line]
    assert all(name in note for name in ("EXIF data", "resolution", "IPTC data"))
