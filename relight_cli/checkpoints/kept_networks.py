"""Networks that stay loaded for the next call in the same process, as a server needs it."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
KEPT = 4  # networks; of more, the one that was not used for longest is released
_HOW = ("offline", "progress", "accept_licence", "ask", "download", "notify")  # how files are had, not which


@dataclass
class _Loaded:
    key: object
    tasks: frozenset[str]
    result: Any
    notes: list[str]  # what was said while it was loaded; said again for each use


_loaded: list[_Loaded] | None = None  # the last one used stands last; None: nothing is kept
_lock = threading.RLock()


@contextlib.contextmanager
def networks_kept() -> Iterator[None]:
    """Keep what is loaded in the block, in all threads, until its end."""
    global _loaded
    with _lock:
        before, _loaded = _loaded, []
    try:
        yield
    finally:
        with _lock:
            _loaded = before


class Network(Protocol):
    """The options that say which network is loaded, and how."""

    @property
    def model(self) -> str: ...
    @property
    def weights_dir(self) -> Path | None: ...
    @property
    def offline(self) -> bool: ...
    @property
    def yes(self) -> bool: ...
    @property
    def device(self) -> str: ...
    @property
    def dtype(self) -> str: ...


def warm_up(options: Network, *, ask: Any, notify: Callable[[str], None]) -> None:
    """Load the network for all tasks where it is the same for all; another is loaded when it is asked for.

    Raises what `checkpoints.models.load_model` raises.
    """
    from relight_cli.checkpoints.models import expected_model, load_model

    tasks = ("relight", "deshadow", "albedo")
    found = {expected_model(options.model, [task], options.weights_dir) for task in tasks}
    notify("loading the network")
    load_model(
        name=options.model,
        tasks=tasks if len(found) == 1 else tasks[:1],
        device=options.device,
        dtype=options.dtype,
        weights_dir=options.weights_dir,
        offline=options.offline,
        progress=True,
        accept_licence=options.yes,
        ask=ask,
        notify=notify,
    )


def loaded_once(load: Callable[P, R]) -> Callable[P, R]:
    """Return the loader of a network, which inside `networks_kept` loads each network once.

    A network that was loaded for more tasks than are asked for is returned, too.
    """

    @functools.wraps(load)
    def loader(*args: P.args, **kwargs: P.kwargs) -> R:
        if _loaded is None:
            return load(*args, **kwargs)
        with _lock:
            return _keep(load, _loaded, args, kwargs)

    return loader


def _keep(load: Callable[..., R], loaded: list[_Loaded], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
    which = {name: value for name, value in kwargs.items() if name not in (*_HOW, "tasks")}
    key, tasks = (load.__qualname__, args, sorted(which.items())), frozenset(kwargs.get("tasks", ()))
    notify = kwargs.get("notify", lambda line: None)
    found = next((one for one in loaded if one.key == key and one.tasks >= tasks and _is_in_place(one.result)), None)
    if found:
        for line in found.notes:
            notify(line)
    else:
        notes: list[str] = []

        def note(line: str) -> None:
            notes.append(line)
            notify(line)

        found = _Loaded(key, tasks, load(*args, **(kwargs | {"notify": note} if "notify" in kwargs else kwargs)), notes)
    loaded[:] = [one for one in loaded if one is not found and not (one.key == key and one.tasks <= found.tasks)]
    loaded.append(found)
    del loaded[:-KEPT]
    result: R = found.result
    return result


def _is_in_place(result: object) -> bool:
    """Return whether a model's network is still on its device: a run out of memory moves it to the CPU."""
    network, device = getattr(result, "network", None), getattr(result, "device", None)
    parameters = getattr(network, "parameters", None)
    first = next(parameters(), None) if parameters else None
    return first is None or device is None or first.device.type == str(device).partition(":")[0]
