"""The ledger of a run on several processes: which photo is in work, which is made, and how often its process died.

Ray repeats what it has sent to an actor when the actor dies, a block of photos that wait as well as the one in work,
and as often as it is told. Only the one in work may be to blame. So each actor asks here before it begins a photo:
one that was begun twice and never ended is a failed photo.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

from relight_cli.errors import DeviceError
from relight_cli.jobs.engines.carried_errors import pack
from relight_cli.jobs.engines.handed_jobs import Made

DEATHS = 2  # of the process of one photo, after which the photo has failed
STARTS = 3  # of one actor in a row whose process dies before it is ready; then the run ends
DIES = "an actor dies each time it loads the network (a crash, or too little memory): give fewer --actors."


@dataclass(frozen=True)
class Result:
    """What happened to a photo, for another process."""

    number: int  # of the photo in the run
    made: Made | None = None  # without its error, which is packed; None: its process died `DEATHS` times
    error: bytes | None = None


@dataclass(frozen=True)
class News:
    """What has happened since the news that were seen."""

    results: list[Result] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # of actors that have started
    error: bytes | None = None  # that ends the run
    in_work: int = 0  # photos


class Ledger:
    """Counts photos and processes; all methods run in one event loop."""

    def __init__(self, photos: int) -> None:
        self._made = bytearray(photos)
        self._begun: dict[int, int] = {}  # how often each photo was begun that is not made yet
        self._at_work: dict[str, int] = {}  # the photo of each actor
        self._results: list[Result] = []  # after those that were seen
        self._seen = 0
        self._notes: list[str] = []
        self._error: bytes | None = None
        self._starts: dict[str, int] = {}  # of each actor since it was last ready
        self._is_stopped = False
        self._left, self._changed = asyncio.Event(), asyncio.Event()

    async def starting(self, actor: str) -> bool:
        """Note that an actor starts; return whether there is work for it."""
        self._free(actor)
        self._starts[actor] = self._starts.get(actor, 0) + 1
        if self._starts[actor] > STARTS:
            await self.fail(pack(DeviceError(DIES)))
        return not self._is_stopped and self._error is None

    async def ready(self, actor: str, notes: list[str]) -> None:
        """Note that an actor is ready for photos."""
        self._starts[actor] = 0
        self._notes += notes
        self._changed.set()

    async def fail(self, error: bytes) -> None:
        """End the run by an error."""
        self._error = self._error or error
        self._changed.set()

    async def begin(self, number: int, actor: str) -> int:
        """Note that an actor begins a photo; return which attempt it is, from 1, or 0 if it is not to be made."""
        self._free(actor)
        if self._made[number] or self._is_stopped or self._error:
            return 0
        attempt = self._begun[number] = self._begun.get(number, 0) + 1
        if attempt > DEATHS:
            self._end(Result(number))
            return 0
        self._at_work[actor] = number
        return attempt

    async def end(self, actor: str, result: Result) -> None:
        """Take what happened to a photo; a second result of one photo is left out."""
        self._free(actor)
        if not self._made[result.number]:
            self._end(result)

    async def news(self, seen: int, seconds: float) -> News:
        """Wait until something happens, but not longer than this, and return it.

        `seen` results were taken before; later ones are given again until they are seen, since an answer may be lost.
        """
        del self._results[: seen - self._seen]
        self._seen = seen
        if not self._results:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)
        self._changed.clear()
        notes, self._notes = self._notes, []
        return News(list(self._results), notes, self._error, len(self._at_work))

    async def stop(self) -> None:
        """Let no more photos be begun."""
        self._is_stopped = True
        self._changed.set()

    async def leave(self) -> None:
        """Let the actors end that are at work or wait for it; those that start after this have none."""
        self._is_stopped = True
        self._left.set()

    async def wait_to_leave(self) -> None:
        """Wait until actors are to end."""
        await self._left.wait()

    def _end(self, result: Result) -> None:
        self._made[result.number] = 1
        self._begun.pop(result.number, None)
        self._results.append(result)
        self._changed.set()

    def _free(self, actor: str) -> None:
        self._at_work.pop(actor, None)
