"""The files of depth refinement: which are needed, and the folders they are in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from relight_cli.checkpoints.consent import describe
from relight_cli.checkpoints.geometry import geometry_sha256
from relight_cli.checkpoints.manifest import WeightsFile, fetch_command, load_manifest
from relight_cli.checkpoints.weights import LookUp, availability, find, require_download
from relight_cli.errors import ModelUnavailableError, UsageError

TINY = "tiny"  # the geometry network inside the package
SIZES = (TINY, "small", "base", "large")
EMBEDDED = "the embedded geometry network"
DIFFUSION, TINY_AUTOENCODER, CAPTIONER = "stable-diffusion-v1-5", "taesd", "blip-image-captioning-base"


@dataclass(frozen=True)
class DepthFiles:
    """The files that a choice of networks needs."""

    name: str  # of the depth network's repository, or of the network inside the package
    revision: str | None
    sha256: str | None
    licence: str
    files: tuple[WeightsFile, ...]

    @property
    def sources(self) -> list[str]:
        """Repository @ revision of all files that affect the result; those of the package are in `sha256`."""
        return list(dict.fromkeys(f"{file.repository} @ {file.revision or 'main'}" for file in self.files))


def depth_files(
    size: str = "small",
    *,
    fast: bool = False,
    caption: bool = False,
    refined: bool = True,
    weights_dir: Path | None = None,
) -> DepthFiles:
    """Return the files of Depth Anything V2 in a size, Stable Diffusion 1.5, TAESD (`fast`) and BLIP (`caption`).

    Without `refined` there is no Stable Diffusion.
    """
    if size not in SIZES:
        raise UsageError(f"unknown depth model '{size}': choose {', '.join(SIZES)}.")
    if (fast or caption) and not refined:
        raise UsageError("fast and caption are about the refinement: leave them out where there are no steps.")
    depth = f"Depth-Anything-V2-{size.capitalize()}-hf"
    names = [*([] if size == TINY else [depth]), *([DIFFUSION] if refined else [])]
    names += [*([TINY_AUTOENCODER] if fast else []), *([CAPTIONER] if caption else [])]
    files = [file for name in names for file in load_manifest().select(name)]
    if fast:
        files = [file for file in files if not file.path.startswith("vae/")]
    if size == TINY:
        return DepthFiles(EMBEDDED, None, geometry_sha256(), "Apache-2.0", tuple(files))
    main = next(file for file in files if file.repository_name == depth and not file.config)
    found = availability(main, LookUp(weights_dir))
    return DepthFiles(depth, main.revision, found.sha256 if found else main.sha256, main.licence, tuple(files))


def find_folders(files: Iterable[WeightsFile], look_up: LookUp, notify: Callable[[str], None]) -> dict[str, Path]:
    """Return the folder of each repository by its name, after finding and checking all files.

    Raises ModelUnavailableError, naming everything that is missing.
    """
    files = tuple(files)
    missing = [file for file in files if not availability(file, look_up)]
    require_download(files, look_up)
    paths = {}
    for file in files:
        try:
            paths[file] = find(file, look_up, notify)
        except ModelUnavailableError as error:
            if file not in missing:
                raise
            raise ModelUnavailableError(_missing(missing, error)) from error
    folders: dict[str, Path] = {}
    for file, path in paths.items():
        root = path.parents[len(PurePosixPath(file.path).parts) - 1]
        if folders.setdefault(file.repository_name, root) != root:
            raise ModelUnavailableError(
                f"{path} is not in {folders[file.repository_name]} with the other files of its repository: "
                "put them into one folder."
            )
    return folders


def _missing(files: Iterable[WeightsFile], error: ModelUnavailableError) -> str:
    """Return a message that lists missing files with size and licence, the reason, and how to fetch them."""
    missing = tuple(files)
    reason = str(error).rpartition(": ")[0]
    unrefined = "--steps 0" if _only_refinement(missing) else "--depth-model tiny --steps 0"
    return (
        f"refine-depth lacks {describe(missing)}: {reason}; run {fetch_command(*missing)} on a machine with a network, "
        f"or name the folder that holds them with --weights-dir; {unrefined} gives a "
        "depth without refinement."
    )


def _only_refinement(missing: Iterable[WeightsFile]) -> bool:
    """Return whether the depth network itself is there."""
    return not any(file.repository_name.startswith("Depth-Anything") for file in missing)
