"""Files that systems and developers put next to photos are no photos where a folder, a glob or a shell brings them."""

from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from PIL import Image

from relight_cli.jobs.inputs import expand_inputs

APPLE_DOUBLE = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(60)
COMPANIONS = {
    "._a.jpg": APPLE_DOUBLE,
    ".DS_Store": b"\0\0\0\1Bud1",
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    "ehthumbs.db": b"",
    "desktop.ini": b"[.ShellClassInfo]",
    ".picasa.ini": b"[a.jpg]",
    "a.xmp": b"<x/>",
    "a.jpg.XMP": b"<x/>",
    "a.AAE": b"<plist/>",
    "a.THM": b"\xff\xd8\xff",
    "a.pp3": b"[Version]",
    "a.jpg.dop": b"Sidecar = {}",
}
IN_FOLDERS = (
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg",
    "__MACOSX/._a.jpg",
    ".thumbnails/a.jpg",
    "$RECYCLE.BIN/a.jpg",
    ".Trash-1000/a.jpg",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "in"
    photos.mkdir()
    picture = Image.fromarray(np.full((16, 16, 3), 90, np.uint8))
    picture.save(photos / "a.jpg")
    picture.save(photos / "b.png")
    for name, data in COMPANIONS.items():
        (photos / name).write_bytes(data)
    for name in IN_FOLDERS:
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(photos / name)
    return photos


PHOTOS = ["a.jpg", "b.png"]


@pytest.mark.parametrize("pattern", ["", "*", "**", "**/*", "?*.*", "[.@_$a-zA-Z]*"])
@pytest.mark.parametrize("recursive", [False, True])
def test_folders_and_globs(folder: Path, pattern: str, recursive: bool) -> None:
    found = expand_inputs([str(folder / pattern)], recursive=recursive)
    assert sorted(source.path.name for source in found) == PHOTOS


def test_names_that_a_shell_expands(command: Command, folder: Path) -> None:
    names = sorted(path for path in folder.iterdir() if path.is_file())
    run = command("deshadow", *names, "--model", "tiny", "--strength", 0, "-o", "out")
    assert run.code == 0
    assert "2 photos: 2 done" in run.err


def test_lists(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n".join(str(path) for path in sorted(folder.iterdir()) if path.is_file()))
    assert [source.path.name for source in expand_inputs([f"@{tmp_path / 'list'}"], recursive=False)] == PHOTOS


def test_a_name_alone_is_taken_at_its_word(command: Command, folder: Path) -> None:
    run = command("deshadow", folder / "Thumbs.db", "--model", "tiny", "-o", "out")
    assert run.code == 4
    assert "Thumbs.db" in run.err


def test_a_photo_may_have_such_a_name(folder: Path) -> None:
    (folder / "._c.jpg").write_bytes((folder / "a.jpg").read_bytes())
    found = expand_inputs([str(folder / "a.jpg"), str(folder / "._c.jpg"), str(folder / "gone.xmp")], recursive=False)
    assert [source.path.name for source in found] == ["a.jpg", "._c.jpg", "gone.xmp"]  # the last one fails on its own
