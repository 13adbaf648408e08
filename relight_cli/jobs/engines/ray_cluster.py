"""Start a Ray cluster on this machine, or join one that runs; quietly, and without a request to other machines."""

import contextlib
import errno
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from relight_cli.errors import RelightError, UsageError, one_line
from relight_cli.interruption import watch_writing
from relight_cli.jobs.progress import current
from relight_cli.paths import is_folder
from relight_cli.photos.codecs.quiet import without_descriptor

STORE = 80 << 20  # bytes of Ray's object store: names and results of photos, no pictures; the least that Ray takes
REACHED = 5.0  # seconds in which the cluster's address must answer
SETTINGS = 4  # the type of the frame with which both sides of HTTP/2 begin (RFC 9113, section 3.4)
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0))
TRIES = 3  # to start: on a busy machine Ray's processes wait too short for each other
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # no GPU for an actor that reserves none
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a thread that is late must not start another cluster
}
"""Environment of Ray's processes."""
_folders: set[Path] = set()  # of clusters that run


@contextlib.contextmanager
def ray_cluster(address: str | None, gpus: float) -> Iterator[Any]:
    """Yield the module ray, connected to a cluster; a cluster of its own ends with the block.

    Raises UsageError if there is no cluster at the address, or not a GPU for an actor; RelightError if none starts.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    folder = Path(tempfile.mkdtemp(prefix="relight-ray-", dir=_place_for_sockets()))
    _folders.add(folder)
    with without_descriptor(), _connected(address, gpus, folder) as ray:
        yield ray


@contextlib.contextmanager
def _connected(address: str | None, gpus: float, folder: Path) -> Iterator[Any]:
    import ray

    _silence()
    try:
        if address is None:
            _start(ray, folder)
        else:
            _join(ray, address, folder)
        _require_gpus(ray, gpus, address)
        yield ray
    finally:
        started = _processes()
        with contextlib.suppress(Exception):
            ray.shutdown()
        _end(started)
        shutil.rmtree(folder, ignore_errors=True)
        _folders.discard(folder)


def _start(ray: Any, folder: Path) -> None:
    for number in range(1, TRIES + 1):
        try:
            _init(
                ray,
                folder,
                address="local",
                include_dashboard=False,
                object_store_memory=STORE,
                _temp_dir=str(folder),
            )
            return
        except Exception as error:
            ray.shutdown()
            if number == TRIES:
                raise RelightError(
                    f"Ray does not start here ({one_line(error)[:200]}): leave out --engine ray."
                ) from error
            current().note("Ray did not start; it is tried again.")


def _join(ray: Any, address: str, folder: Path) -> None:
    """Join a cluster, of which this machine must be a node."""
    if address != "auto":
        _require_answer(address)
    try:
        _init(ray, folder, address=address)
    except Exception as error:
        reason = "no cluster runs on this machine" if address == "auto" else one_line(error)[:200]
        raise UsageError(
            f"--ray-address {address}: there is no Ray cluster that this machine belongs to ({reason}): "
            "start one with 'ray start'."
        ) from error


def _require_answer(address: str) -> None:
    """Raise UsageError unless a server of HTTP/2 answers, as Ray's does: Ray itself would ask others for minutes."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), REACHED) as connection:
            if "RAY_USE_TLS" not in os.environ:
                connection.sendall(HELLO)
                answer = connection.recv(4)
                if len(answer) < 4 or answer[3] != SETTINGS:
                    raise OSError(errno.EPROTO, "what answers is not Ray")
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"--ray-address {address}: no Ray cluster answers there ({reason}): start one with 'ray start --head'."
        ) from error


def _init(ray: Any, folder: Path, **how: Any) -> None:
    """Connect; keep the handlers of signals, and the current folder out of the search path of Ray's workers."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in numbers}
    before = Path.cwd()
    os.chdir(folder)
    try:
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **how)
    finally:
        os.chdir(before)
        for number in numbers if is_main else ():
            signal.signal(number, handlers[number])


def _require_gpus(ray: Any, gpus: float, address: str | None) -> None:
    found = ray.cluster_resources().get("GPU", 0)
    if gpus and not found:
        where = "this machine" if address is None else "the cluster"
        raise UsageError(f"--gpus-per-actor {gpus:g}: Ray finds no GPU on {where}: leave it out.")
    if gpus > found:
        raise UsageError(f"--gpus-per-actor {gpus:g}: the cluster has {found:g} in all: give fewer.")


def _silence() -> None:
    """Keep Ray's notes, and what it says about dead workers, off stderr: relight-cli has its own lines."""
    import ray.data as data
    from ray._private import worker

    data.DataContext.get_current().enable_progress_bars = False
    for name in ("ray", "ray.data"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.NullHandler()], False
    worker.print_to_stdstream = lambda *arguments, **named: None


def _place_for_sockets() -> str | None:
    """Return where the paths of Ray's sockets fit, which may take 107 bytes; None: the usual temporary folder."""
    return "/tmp" if len(os.fsencode(tempfile.gettempdir())) > 20 and is_folder("/tmp") else None


def _processes() -> list[Any]:
    """Return the processes of Ray that this one has started, and those that they have started."""
    with contextlib.suppress(Exception):  # a process may end meanwhile
        import psutil  # Ray brings it along

        found = psutil.Process().children(recursive=True)
        return [one for one in found if any("ray" in word for word in one.cmdline())]
    return []


def _end(processes: list[Any]) -> None:
    """End processes that still run: some notice late that those that started them are gone."""
    for one in processes:
        with contextlib.suppress(Exception):
            one.kill()


def _end_at_once() -> None:
    """End the own cluster of a process that ends at once."""
    if _folders:
        _end(_processes())
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


watch_writing(lambda: False, _end_at_once)
