"""Temporary files of killed runs are removed, and no others."""

import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from relight_cli.photos import leftovers
from relight_cli.photos.atomic_files import write_atomically
from relight_cli.photos.leftovers import remove_leftovers, temporary_path_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="on Windows only the age of a file counts")
WRITER = "import sys, time; print(flush=True); time.sleep(60)"


def put(path: Path, *, days: float = 0.0) -> Path:
    path.write_bytes(b"half of it")
    os.utime(path, (time.time() - days * 86400,) * 2)
    return path


def of_process(folder: Path, process: int) -> Path:
    name = temporary_path_for(folder / "x.png").name
    return folder / name.replace(f"-{os.getpid()}-", f"-{process}-")


def test_only_what_is_surely_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        of_live = put(of_process(tmp_path, writer.pid), days=9)
        own, of_my_number = put(temporary_path_for(tmp_path / "x.png")), put(temporary_path_for(tmp_path / "x.png"))
        leftovers._machine.cache_clear()
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(socket, "gethostname", lambda: "elsewhere")
            of_others = put(of_process(tmp_path, 7), days=0.9)
            of_others_long_ago = put(of_process(tmp_path, 7), days=1.1)
        leftovers._machine.cache_clear()
        names = (".relight-cli-notes.tmp", "relight-cli-0a0a0a0a-1-0123456789abcdef.tmp", ".0123456789abcdef.tmp")
        foreign = [put(tmp_path / name, days=99) for name in names]
        folder = of_process(tmp_path, 2**22 + 1)
        folder.mkdir()
        remove_leftovers(tmp_path, {Path("another/spelling") / own.name})
        assert set(tmp_path.iterdir()) == {of_live, own, of_others, folder, *foreign}
        assert not of_my_number.exists()
        assert not of_others_long_ago.exists()
        writer.kill()
    remove_leftovers(tmp_path, {own})
    assert set(tmp_path.iterdir()) == {own, of_others, folder, *foreign}


def test_the_first_write_into_a_folder_sweeps_it(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", "pass"])
    writer.wait()
    left = put(of_process(tmp_path, writer.pid))
    write_atomically(tmp_path / "a.png", b"whole", overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    put(left)
    write_atomically(tmp_path / "b.png", b"whole", overwrite=False)  # only once, because folders can be large
    assert left.exists()


def test_a_folder_that_cannot_be_listed_is_left_alone(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "none", set())


def test_machines_with_the_same_name_are_distinguished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a boot id, a live process on another machine could be taken for one that ended on this one."""

    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    names = set()
    for address in (1, 2, 2):
        monkeypatch.setattr(uuid, "getnode", lambda address=address: address)
        leftovers._machine.cache_clear()
        names.add(leftovers._machine())
    leftovers._machine.cache_clear()
    assert len(names) == 2
