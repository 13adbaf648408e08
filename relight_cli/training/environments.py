"""Environment maps to light the rendered views with: this command fetches them, the renderer reads them.

python -m relight_cli.training.environments MAPS

All are CC0: eight of Debian's package blender-data (by Greg Zaal, says its license.txt), sixteen of the npm package
@pmndrs/assets (Poly Haven's, made smaller). apt-get and npm fetch the packages, unless they are in the folder already.
"""

import base64
import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from relight_cli.photos.reading import read_photo
from relight_cli.rasters.rows import to_array
from relight_cli.training.scenes.surroundings import Environment, environment_of

# SHA-256 of each map. Left out are two of @pmndrs/assets whose suns are damaged, park and sunrise: blue, amid black.
MAPS = {
    name: digest
    for digest, name in (
        line.split() for line in Path(__file__).with_name("environment_maps.txt").read_text().splitlines()
    )
}
# Held out of the training: open places with and without a sun, a room with lamps, one with windows. None was taken
# where a map of the training was.
HELD_OUT = frozenset({"blender-city", "blender-forest", "pmndrs-lobby", "pmndrs-venice", "pmndrs-warehouse"})
INDOORS = frozenset(
    {"blender-interior", "blender-studio"}
    | {f"pmndrs-{name}" for name in ("apartment", "bridge", "esplanade", "hall", "lab", "lobby")}
    | {f"pmndrs-{name}" for name in ("studio", "warehouse", "workshop")}
)
BLENDER = ("blender-data_3.4.1+dfsg-2_all.deb", "5ceaf56a49ba3ded95c751d739aeec3d19e7fad76fba5cb70666986af9303b0e")
PMNDRS = ("pmndrs-assets-1.7.0.tgz", "152bd218a3390703f184f0c6ce16e73c8f0a87f32d38530d418a09d33d8208dc")
FETCH = {
    BLENDER[0]: ["apt-get", "download", "blender-data=3.4.1+dfsg-2"],
    PMNDRS[0]: ["npm", "pack", "--silent", "@pmndrs/assets@1.7.0"],
}
_IN_BLENDER, _IN_PMNDRS = "./usr/share/blender/datafiles/studiolights/world/", "package/hdri/"


def checked(data: bytes, digest: str, name: str) -> bytes:
    """Return the data if it has the SHA-256 `digest`; raises ValueError."""
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise ValueError(f"{name}: SHA-256 {found} instead of {digest}; remove it and fetch it again")
    return data


def archive(folder: Path, name: str, digest: str) -> bytes:
    """Return a package of the folder, fetched if it is not there, with its hash checked."""
    path = folder / name
    if not path.exists():
        try:
            subprocess.run(FETCH[name], cwd=folder, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            line = " ".join(FETCH[name])
            raise ValueError(f"'{line}' failed ({error}): put {name} into {folder} by other means") from None
    return checked(path.read_bytes(), digest, str(path))


def members(data: bytes, start: str) -> dict[str, bytes]:
    """Return the files of a tar archive whose names begin with `start`, by the rest of their names."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = [member for member in tar if member.isfile() and member.name.startswith(start)]
        opened = {member.name.removeprefix(start): tar.extractfile(member) for member in found}
        return {name: file.read() for name, file in opened.items() if file is not None}


def content_of_deb(data: bytes) -> bytes:
    """Return the tar archive of a Debian package's files: a member of an ar archive, see deb(5) and ar(5)."""
    at = 8
    while at < len(data):
        header = data[at : at + 60]
        size = int(header[48:58])
        if header.startswith(b"data.tar"):
            return data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    raise ValueError("the Debian package has no data.tar")


def fetch(folder: Path) -> None:
    """Fetch all maps to the folder, as NAME.exr; maps that are there stay."""
    if all((folder / f"{name}.exr").exists() for name in MAPS):
        return
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        f"blender-{name}": data
        for name, data in members(content_of_deb(archive(folder, *BLENDER)), _IN_BLENDER).items()
    }
    for name, data in members(archive(folder, *PMNDRS), _IN_PMNDRS).items():
        if name.endswith(".exr.js"):  # export default 'data:application/exr;base64,...'
            found[f"pmndrs-{name.removesuffix('.js')}"] = base64.b64decode(data.split(b"'")[1].split(b",")[1])
    for name, digest in MAPS.items():
        path = folder / f"{name}.exr"
        if not path.exists():
            path.write_bytes(checked(found[path.name], digest, name))


def read_environments(folder: Path, *, held_out: bool) -> list[Environment]:
    """Read the maps of a folder, with their hashes checked: those to train on, or those held out."""
    read = []
    for name in sorted(MAPS):
        if (name in HELD_OUT) == held_out:
            path = folder / f"{name}.exr"
            checked(path.read_bytes(), MAPS[name], str(path))
            radiance = np.asarray(to_array(read_photo(path).pixels), np.float32)
            read.append(environment_of(radiance, name, indoors=name in INDOORS))
    return read


def main(folder: Annotated[Path, typer.Argument(help="Folder of the maps; existing files are kept.")]) -> None:
    """Fetch environment maps to files NAME.exr."""
    fetch(folder)


if __name__ == "__main__":
    typer.run(main)
