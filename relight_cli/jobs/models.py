"""The network that a command runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relight_cli.checkpoints.manifest import WeightsFile, load_manifest
from relight_cli.checkpoints.weights import LookUp, availability, find, tiny_sha256
from relight_cli.errors import ModelUnavailableError
from relight_cli.jobs.options import Model, PhotoOptions

if TYPE_CHECKING:
    from relight_cli.devices import Compute
    from relight_cli.models.interface import RelightingModel
    from relight_cli.relighting.light_change import TileOptions


@dataclass(frozen=True)
class LoadedModel:
    """A ready network and where it comes from."""

    network: "RelightingModel"
    name: str
    revision: str | None
    sha256: str | None


@dataclass(frozen=True)
class ExpectedModel:
    """A network that is not loaded."""

    name: str
    revision: str | None
    sha256: str | None


def expected_model(mappers: dict[str, str], options: PhotoOptions) -> ExpectedModel:
    """Tell which network `load_model` would give without the Hub: of `auto`, what is on this machine."""
    files = _files(mappers)
    found = [availability(file, _look_up(options)) for file in files] if options.model != Model.TINY else []
    if options.model == Model.CROCODILIGHT or (found and all(found)):
        return ExpectedModel("crocodilight", files[0].revision, found[0].sha256 if found[0] else None)
    return ExpectedModel("tiny", None, tiny_sha256())


def load_model(
    mappers: dict[str, str], options: PhotoOptions, compute: "Compute", notify: Callable[[str], None]
) -> LoadedModel:
    """Load the network that --model asks for, with illumination mappers by name and published file.

    `auto` takes the published files where they are or can be fetched, else `tiny` with one line of warning; a file that
    is there and damaged is an error all the same. Raises ModelUnavailableError.
    """
    from relight_cli.checkpoints.crocodilight import load_crocodilight, load_tiny

    if options.model != Model.TINY:
        look_up, files = _look_up(options), _files(mappers)
        here = all(availability(file, look_up) for file in files)
        try:
            path, *mapper_paths = [find(file, look_up, notify) for file in files]
        except ModelUnavailableError as error:
            if here or options.model == Model.CROCODILIGHT:
                raise
            notify(f"using the embedded model tiny: {error}")
        else:
            network = load_crocodilight(
                path,
                dict(zip(mappers, mapper_paths, strict=True)),
                device=compute.device,
                dtype=compute.dtype,
                fused_attention=compute.fused_attention,
            )
            found = availability(files[0], look_up)
            return LoadedModel(network, "crocodilight", files[0].revision, found.sha256 if found else None)
    return LoadedModel(load_tiny(device=compute.device, dtype=compute.tiny_dtype), "tiny", None, tiny_sha256())


def tile_options(options: PhotoOptions, compute: "Compute", best_side: int, *, agree: bool = False) -> "TileOptions":
    """Settle how pictures go through a network: as asked for, else at the side best for it and as suits the device."""
    from relight_cli.relighting.light_change import TileOptions

    batch = options.tile_batch or compute.tile_batch
    longest = best_side if options.max_side is None else options.max_side
    return TileOptions(options.tile_overlap, batch, compute.device, longest, agree)


def _files(mappers: dict[str, str]) -> list[WeightsFile]:
    return [load_manifest().file(name) for name in ("CroCoDiLight.pth", *mappers.values())]


def _look_up(options: PhotoOptions) -> LookUp:
    return LookUp(options.weights_dir, options.offline, progress=not options.quiet)
