"""The networks that refine-depth runs, and where they come from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from relight_cli.checkpoints.manifest import WeightsFile, load_manifest
from relight_cli.checkpoints.weights import LookUp, availability, find, megabytes
from relight_cli.depth.options import DepthModel, DepthOptions
from relight_cli.errors import ModelUnavailableError

if TYPE_CHECKING:
    from relight_cli.checkpoints.depth import Caption, Embed
    from relight_cli.devices import Compute
    from relight_cli.models.depth_anything import DepthNetwork
    from relight_cli.models.diffusion_prior import DiffusionPrior

DIFFUSION, TINY_AUTOENCODER, CAPTIONER = "stable-diffusion-v1-5", "taesd", "blip-image-captioning-base"
DEPTH = {size: f"Depth-Anything-V2-{size.capitalize()}-hf" for size in DepthModel}


@dataclass(frozen=True)
class Wanted:
    """The networks that options ask for, by their files."""

    name: str
    revision: str | None
    sha256: str | None
    licence: str
    files: tuple[WeightsFile, ...]

    @property
    def sources(self) -> list[str]:
        """Name repository @ revision of everything that takes part in the result."""
        return list(dict.fromkeys(f"{file.repository} @ {file.revision or 'main'}" for file in self.files))


@dataclass(frozen=True)
class DepthParts:
    """Ready networks."""

    network: "DepthNetwork"
    prior: "DiffusionPrior"
    embed: "Embed"
    caption: "Caption | None"

    @property
    def weights_bytes(self) -> int:
        """Tell what the networks themselves take."""
        modules = (self.network, self.prior)
        return sum(parameter.nbytes for module in modules for parameter in module.parameters())


def wanted(options: DepthOptions) -> Wanted:
    """Tell which files the options ask for."""
    depth = DEPTH[options.depth_model]
    names = [depth, DIFFUSION, *([TINY_AUTOENCODER] if options.fast else []), *([CAPTIONER] if options.caption else [])]
    files = [file for name in names for file in load_manifest().select(name)]
    if options.fast:
        files = [file for file in files if not file.path.startswith("vae/")]
    main = next(file for file in files if file.repository_name == depth and not file.config)
    found = availability(main, _look_up(options))
    return Wanted(depth, main.revision, found.sha256 if found else main.sha256, main.licence, tuple(files))


def load_parts(wanted: Wanted, options: DepthOptions, compute: "Compute", notify: Callable[[str], None]) -> DepthParts:
    """Find and load networks. Raises ModelUnavailableError, naming everything that is missing."""
    from relight_cli.checkpoints.depth import load_captioner, load_depth_network, load_embedder, load_prior

    folders = _folders(wanted.files, _look_up(options), notify)
    embed = load_embedder(folders[DIFFUSION])
    network = load_depth_network(folders[wanted.name], device=compute.device)
    prior = load_prior(
        folders[DIFFUSION],
        folders.get(TINY_AUTOENCODER),
        embed,
        options.prompt,
        device=compute.device,
        dtype=compute.dtype,
    )
    caption = load_captioner(folders[CAPTIONER], device=compute.device) if options.caption else None
    if options.depth_model != DepthModel.SMALL:
        notify(f"{wanted.name}: licence {wanted.licence}.")
    return DepthParts(network, prior, embed, caption)


def _look_up(options: DepthOptions) -> LookUp:
    return LookUp(options.weights_dir, options.offline, progress=not options.quiet)


def _folders(files: Iterable[WeightsFile], look_up: LookUp, notify: Callable[[str], None]) -> dict[str, Path]:
    """Give each repository's folder by its name, all files found and checked."""
    missing = [file for file in files if not availability(file, look_up)]
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
                f"{path} lies apart from {folders[file.repository_name]}, which it belongs to: put them together."
            )
    return folders


def _missing(files: Iterable[WeightsFile], error: ModelUnavailableError) -> str:
    """List what is not there with size and licence, why, and how to fetch it."""
    listed, wanted = [], ["refine-depth"]
    for file in files:
        if file.only_with and file.repository_name not in wanted:
            wanted.append(file.repository_name)
        if not file.config:
            listed.append(f"{file.name} ({megabytes(file.size)}, {file.licence})")
    lacks = ", ".join(listed) or "small files beside the checkpoints"
    reason = str(error).rpartition(": ")[0]
    return (
        f"refine-depth lacks {lacks}: {reason}; run 'relight-cli weights fetch {' '.join(wanted)}' where there is a "
        "network, or name the folder that holds them with --weights-dir."
    )
