"""The options that say who makes the photos."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from relight_cli.errors import MissingExtraError, UnfitOptionError, UsageError

if TYPE_CHECKING:
    from relight_cli.jobs.options import CommandOptions

_FORM = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_ADDRESS = re.compile(r"auto|[^\s:/@]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}")
EXTRA = "--engine ray needs an extra: pip install 'relight-cli[ray]'"


class Engine(StrEnum):
    """The values of --engine."""

    LOCAL = "local"
    RAY = "ray"


class Actors(NamedTuple):
    """How many actors there are."""

    fewest: int
    most: int


def parse_actors(text: str) -> Actors:
    """Return what --actors says. Raises UsageError."""
    found = _FORM.fullmatch(text.strip())
    fewest = int(found[1]) if found else 0
    most = int(found[2] or found[1]) if found else 0
    if not 1 <= fewest <= most:
        raise UsageError(f"--actors {text} is no number of actors: give N, or MIN-MAX such as 2-8.")
    return Actors(fewest, most)


@dataclass(frozen=True)
class EngineOptions:
    """Options of the engine; None where an option is not given."""

    engine: Annotated[
        Engine,
        typer.Option(
            case_sensitive=False,
            help="Who makes the photos. local: this process. ray: actors on a Ray cluster, on this machine by default.",
        ),
    ] = Engine.LOCAL
    actors: Annotated[
        str | None,
        typer.Option(
            metavar="N|MIN-MAX",
            show_default="as many as the cluster has cores, or GPUs, and memory for",
            help="Actors of --engine ray; each loads the network once.",
        ),
    ] = None
    gpus_per_actor: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=64,
            metavar="X",
            show_default="0",
            help="GPUs that each actor of --engine ray reserves; 0.5: two actors share one.",
        ),
    ] = None
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|auto",
            show_default="a cluster of its own, on this machine",
            help="Running cluster for --engine ray; auto: the one that this machine belongs to.",
        ),
    ] = None

    def check_engine(self) -> None:
        """Raise UsageError for options of an engine that contradict each other."""
        given = {"--actors": self.actors, "--gpus-per-actor": self.gpus_per_actor, "--ray-address": self.ray_address}
        if self.engine is not Engine.RAY:
            if unused := next((name for name, value in given.items() if value is not None), None):
                raise UnfitOptionError(f"{unused} is for --engine ray: give both, or leave it out.", unused)
            return
        if self.actors is not None:
            parse_actors(self.actors)
        gpus = self.gpus_per_actor or 0
        if gpus > 1 and gpus != int(gpus):
            raise UsageError(f"--gpus-per-actor {gpus:g}: Ray divides a GPU, but not several: give 1, 2 ... or a part.")
        if self.ray_address is not None and not _ADDRESS.fullmatch(self.ray_address):
            raise UsageError(f"--ray-address {self.ray_address} is no HOST:PORT, such as 10.0.0.1:6379, and not auto.")


def refuse_ray(options: object, what: str) -> None:
    """Raise UsageError if --engine ray is given for work that it does not share out."""
    if getattr(options, "engine", Engine.LOCAL) is Engine.RAY:
        raise UnfitOptionError(f"--engine ray shares out photos, but {what}: leave it out.", "--engine")


def check_for_ray(options: "CommandOptions", read: Iterable[object]) -> None:
    """Raise UsageError or MissingExtraError for what actors cannot do; `read` are the photos and files of a command."""
    from importlib.util import find_spec

    if getattr(options, "engine", Engine.LOCAL) is not Engine.RAY:
        return
    unfit = {
        "--compare": options.compare,
        "--budget": getattr(options, "budget", None),
    }
    remedies = {"--budget": "give --max-side, which is the same for all"}
    for name, value in unfit.items():
        if value is not None:
            remedy = remedies.get(name, "leave out one of them")
            raise UnfitOptionError(
                f"{name} is of one process, and --engine ray has several: {remedy}.", name, "--engine"
            )
    if options.output == "-" or any(str(one) == "-" for one in read):
        raise UnfitOptionError("--engine ray: actors have no stdin and no stdout: name files.", "--engine")
    device = str(options.device)
    if device.partition(":")[0] in ("cuda", "mps") and not getattr(options, "gpus_per_actor", None):
        raise UsageError(f"--device {device}: an actor has no GPU of its own: give --gpus-per-actor 1, too.")
    if not all(map(find_spec, ("ray", "pyarrow", "pandas"))):
        raise MissingExtraError(EXTRA)
