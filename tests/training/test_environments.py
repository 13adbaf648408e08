"""Environment maps come out of their packages unchanged, or not at all."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
from relight_cli.training import environments, views
from relight_cli.training.environments import HELD_OUT, INDOORS, MAPS, fetch, read_environments


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
    kept, again = (tmp_path / f"{name}.exr" for name in packages)
    kept.write_bytes(b"mine")
    again.unlink()
    fetch(tmp_path)
    assert (kept.read_bytes(), again.exists()) == (b"mine", True)


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


def test_views_are_lit_by_maps_held_out_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps, photos = tmp_path / "maps", tmp_path / "photos"
    for folder in (maps, photos):
        folder.mkdir()
    pixels = np.full((16, 16, 3), 90, np.uint8)
    for k in range(10):
        write_photo(Photo(pixels, format="PNG"), photos / f"{k}.png")
    hashes = {}
    for name, colour in (("blender-city", (0.02, 0.02, 3.0)), ("pmndrs-sky", (3.0, 0.02, 0.02))):  # blue is held out
        path = maps / f"{name}.exr"
        write_photo(Photo(np.tile(np.array(colour, np.float32), (16, 32, 1)), format="EXR"), path)
        hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(environments, "MAPS", hashes)
    monkeypatch.setattr(views, "SHARD", 2)
    redder = []
    for seed in (4, 10_000_000):
        views.main(photos, tmp_path / str(seed), count=2, size=8, lights=3, first_seed=seed, environments=maps)
        shading = torch.from_numpy(np.load(next((tmp_path / str(seed)).glob("*.npy")))[:, 1:4]).float()
        redder.append((shading[:, :, 0] / shading[:, :, 2]).mean((-2, -1)))
    assert redder[0].max() > 3
    assert redder[0].min() > 1 / 3
    assert redder[1].min() < 1 / 3
    assert [e.name for e in read_environments(maps, held_out=False)] == ["pmndrs-sky"]
    (maps / "pmndrs-sky.exr").write_bytes(b"else")
    with pytest.raises(ValueError, match=r"pmndrs-sky\.exr.*SHA-256"):
        read_environments(maps, held_out=False)
