"""What runs in the worker processes of Ray: a command that waits for photos."""

import contextlib
import os
import pickle
import sys
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from relight_cli._version import __version__
from relight_cli.cores import use_cores
from relight_cli.errors import DeviceError, RelightError, UsageError
from relight_cli.interruption import leave
from relight_cli.jobs.engines.calls import Call
from relight_cli.jobs.engines.carried_errors import pack
from relight_cli.jobs.engines.handed_jobs import HandedJobs
from relight_cli.jobs.engines.ledger import Result
from relight_cli.jobs.outputs import Job

if TYPE_CHECKING:
    import pyarrow

NUMBER, JOB = "number", "job"  # columns


@dataclass(frozen=True)
class Start:
    """What an actor needs to start."""

    call: Call
    sample: Job
    folder: str  # that relative names begin at
    threads: int
    version: str = __version__


class PhotoActor:
    """Makes the photos of blocks, one by one; the class that `Dataset.map_batches` starts as an actor."""

    def __init__(self, ledger: Any, start: Start) -> None:
        """Load what the command needs; an error ends the run through the ledger."""
        import ray

        self._ray, self._ledger = ray, ledger
        self._actor = ray.get_runtime_context().get_actor_id()
        self._work: HandedJobs | None = None
        if not self._ask("starting", self._actor):
            return
        threading.Thread(target=self._leave_when_told, name="leave", daemon=True).start()
        try:
            self._work = _started(start)
        except BaseException as error:  # noqa: BLE001  libraries may raise anything
            self._ask("fail", pack(error))
        else:
            self._ask("ready", self._actor, self._work.notes)

    def __call__(self, block: "pyarrow.Table") -> "pyarrow.Table":
        """Make the photos of a block; return their numbers."""
        for number, data in zip(block[NUMBER].to_pylist(), block[JOB].to_pylist(), strict=True):
            if self._work and (attempt := self._ask("begin", number, self._actor)):
                self._ask("end", self._actor, self._made(number, pickle.loads(data), attempt))
        return block.select([NUMBER])

    def _made(self, number: int, job: Job, attempt: int) -> Result:
        assert self._work is not None
        made = self._work.make(job, again=attempt > 1)
        return Result(number, replace(made, error=None), pack(made.error) if made.error else None)

    def _ask(self, name: str, *arguments: object) -> Any:
        return self._ray.get(getattr(self._ledger, name).remote(*arguments))

    def _leave_when_told(self) -> None:
        """End this process without a trace when the run is over for it, or its ledger is gone."""
        with contextlib.suppress(Exception):  # Ray's errors are many; all say that the run is over
            self._ask("wait_to_leave")
        leave(0)


def _started(start: Start) -> HandedJobs:
    """Return the command, ready for photos. Raises its errors."""
    if start.version != __version__:
        raise UsageError(
            f"this node has relight-cli {__version__}, not {start.version}: install the same on all nodes."
        )
    try:
        os.chdir(start.folder)
    except OSError as error:
        raise UsageError(
            f"a node of the cluster has no folder {start.folder}: start from one that all nodes have."
        ) from error
    sys.argv = ["relight-cli"]
    use_cores(start.threads)
    try:
        return HandedJobs(start.call, start.sample)
    except SystemExit as error:
        raise RelightError(f"the command ended in an actor with {error.code}") from error


def died_error(job: Job) -> DeviceError:
    """Return the error of a photo whose process died each time it was made."""
    return DeviceError(
        f"{job.source}: the actor died each time it made this photo (a crash, or too little memory): "
        "try it alone, without --engine ray."
    )
