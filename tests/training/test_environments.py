"""Environment maps come out of their packages unchanged, or not at all."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from relight_cli.training import environments
from relight_cli.training.environments import HELD_OUT, INDOORS, MAPS, fetch


def _tar(name: str, data: bytes, mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as tar:  # type: ignore[call-overload]
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def _deb(data: bytes) -> bytes:
    parts = b"".join(
        name.encode().ljust(16)
        + b" " * 32
        + str(len(part)).encode().ljust(10)
        + b"`\n"
        + part
        + b"\n" * (len(part) % 2)
        for name, part in (("debian-binary", b"2.0"), ("data.tar.xz", data))
    )
    return b"!<arch>\n" + parts


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Put two small packages into the folder, and make their hashes the expected ones."""
    maps = {"blender-city": b"first map", "pmndrs-sky": b"second map!"}
    script = b"export default 'data:application/exr;base64," + base64.b64encode(maps["pmndrs-sky"]) + b"'"
    deb = _deb(_tar("./usr/share/blender/datafiles/studiolights/world/city.exr", maps["blender-city"], "w:xz"))
    npm = _tar("package/hdri/sky.exr.js", script, "w:gz")
    for attribute, name, data in (("BLENDER", "a.deb", deb), ("PMNDRS", "b.tgz", npm)):
        (tmp_path / name).write_bytes(data)
        monkeypatch.setattr(environments, attribute, (name, hashlib.sha256(data).hexdigest()))
    monkeypatch.setattr(environments, "MAPS", {name: hashlib.sha256(data).hexdigest() for name, data in maps.items()})
    return maps


def test_maps_come_out_of_their_packages(tmp_path: Path, packages: dict[str, bytes]) -> None:
    fetch(tmp_path)
    assert {name: (tmp_path / f"{name}.exr").read_bytes() for name in packages} == packages


@pytest.mark.parametrize("damaged", ["a.deb", "map"])
def test_other_bytes_are_refused_by_name(
    damaged: str, tmp_path: Path, packages: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    if damaged == "map":
        monkeypatch.setitem(environments.MAPS, "pmndrs-sky", "0" * 64)
    else:
        (tmp_path / damaged).write_bytes((tmp_path / damaged).read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"a\.deb.*fetch it again" if damaged == "a.deb" else "pmndrs-sky"):
        fetch(tmp_path)


def test_maps_held_out_are_known() -> None:
    assert len(MAPS) == 24
    assert set(MAPS) >= HELD_OUT | INDOORS
    assert HELD_OUT - INDOORS
    assert HELD_OUT & INDOORS
