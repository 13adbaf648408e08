"""The network that estimates surfaces: Depth Anything V2 Small where it can be had, else the embedded one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from relight_cli.checkpoints.consent import megabytes
from relight_cli.checkpoints.geometry import geometry_sha256, load_geometry
from relight_cli.checkpoints.manifest import WeightsFile, load_manifest
from relight_cli.checkpoints.models import CROCODILIGHT, TINY, warn
from relight_cli.checkpoints.weights import LookUp, availability, find, require_download
from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    from relight_cli.models.depth_anything import DepthNetwork
    from relight_cli.models.geometry import GeometryNetwork
    from relight_cli.models.interface import Model

REPOSITORY = "Depth-Anything-V2-Small-hf"


@dataclass(frozen=True)
class SurfaceSource:
    """A network that estimates surfaces, found and not loaded yet."""

    sha256: str | None  # of its file
    load: "Callable[[], DepthNetwork | GeometryNetwork]"


def expected_surfaces(model: str, weights_dir: Path | None) -> str | None:
    """Return the hash of the network that `find_surfaces` would find without the Hub."""
    files = load_manifest().select(REPOSITORY)
    found = [availability(file, LookUp(weights_dir)) for file in files] if model != TINY else []
    return _sha256(files) if found and all(found) else geometry_sha256()


def expected_networks(model: str, weights_dir: Path | None, *, estimated: bool) -> dict[str, str | None]:
    """Return the hashes that outputs record: of the network of the sky, and of surfaces if they are estimated."""
    surfaces = {"geometry": expected_surfaces(model, weights_dir)} if estimated else {}
    return {"sky": geometry_sha256(), **surfaces}


def find_surfaces(
    name: str,
    model: "Model",
    look_up: LookUp,
    *,
    device: str = "cpu",
    notify: Callable[[str], None] = warn,
) -> SurfaceSource:
    """Return the network that estimates surfaces for a relighting model that was loaded under this name.

    "tiny" stands for what is inside the package. Otherwise Depth Anything V2 Small is taken if it is on this machine,
    or downloaded next to a published relighting network; where it cannot be had, the embedded network is taken, with
    one line to `notify` when it is loaded. A damaged file is an error. `device` is where it runs.
    Raises ModelUnavailableError, UsageError.
    """

    def embedded(reason: str = "") -> SurfaceSource:
        def load() -> "GeometryNetwork":
            if reason:
                notify(f"surfaces are estimated by the embedded network: {reason}")
            return load_geometry(device=device)

        return SurfaceSource(geometry_sha256(), load)

    if name == TINY:
        return embedded()
    files = load_manifest().select(REPOSITORY)
    here = all(availability(file, look_up) for file in files)
    if not here and model.name != CROCODILIGHT:  # the Hub has been asked, or must not be
        main = next(file for file in files if not file.config)
        return embedded(
            f"{REPOSITORY} ({megabytes(main.size)}, {main.licence}) is not on this machine; "
            f"'relight-cli weights fetch {REPOSITORY}' fetches it."
        )
    try:
        require_download(files, look_up)
        paths = {file: find(file, look_up, notify) for file in files}
    except ModelUnavailableError as error:
        if here:
            raise
        return embedded(str(error))
    folders = {path.parents[len(PurePosixPath(file.path).parts) - 1] for file, path in paths.items()}
    if len(folders) > 1:
        raise ModelUnavailableError(f"the files of {REPOSITORY} are in several folders: put them into one.")
    (folder,) = folders

    def load() -> "DepthNetwork":
        from relight_cli.checkpoints.depth import load_depth_network

        return load_depth_network(folder, device=device)

    return SurfaceSource(_sha256(files), load)


def _sha256(files: tuple[WeightsFile, ...]) -> str | None:
    return next(file.sha256 for file in files if not file.config)
