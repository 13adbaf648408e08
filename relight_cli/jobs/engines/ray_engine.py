"""--engine ray: Ray Data shares out the photos of a plan to a pool of actors; this process reports them."""

import contextlib
import math
import os
import pickle
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

from relight_cli.errors import RelightError, one_line
from relight_cli.interruption import INTERRUPTIONS, signals_held
from relight_cli.jobs.console import say
from relight_cli.jobs.engines.calls import current_call
from relight_cli.jobs.engines.carried_errors import unpack
from relight_cli.jobs.engines.engine_options import Actors, Engine, EngineOptions, parse_actors
from relight_cli.jobs.engines.ledger import Ledger, News, Result
from relight_cli.jobs.engines.ray_actors import JOB, NUMBER, PhotoActor, Start, died_error
from relight_cli.jobs.engines.ray_cluster import ray_cluster
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.progress import ProgressMode, current
from relight_cli.jobs.reports import Summary

CPUS = 0.01  # of an actor: what it reserves, and not what it uses, so that none waits for another's
MEMORY = 4 << 30  # bytes of the cluster for each actor, where --actors does not say how many
BLOCKS = 5000  # at most; each is a task of Ray's: of many photos a block has several
AHEAD = 2  # blocks of an actor: one in work, and one that waits
LISTEN = 1.0  # seconds between looks whether the cluster is still at work
ANSWER = 300.0  # seconds in which the ledger must answer; it does so at once, but the machine may be busy
GRACE = 5.0  # seconds after an interruption in which photos that are in work may be finished


def make_on_ray(jobs: list[Job], summary: Summary) -> None:
    """Make the jobs on a Ray cluster and report each. Raises the errors of a batch, see `one_by_one.run_jobs`."""
    options: Any = summary.options
    current().plan(len(jobs))
    for job in jobs:
        if job.skip:
            summary.add(job, 0.0)
    if to_make := [job for job in jobs if not job.skip]:
        gpus = options.gpus_per_actor or 0
        current().stage("starting Ray")
        with ray_cluster(options.ray_address, gpus) as ray:
            actors = _actors(ray, options, len(to_make))
            current().stage(f"loading the network in {actors.most} actors")
            Run(ray, to_make, summary, actors, gpus).run()
    summary.finish()


def _actors(ray: Any, options: EngineOptions, photos: int) -> Actors:
    """Return how many actors there are to be, not more than photos."""
    found = ray.cluster_resources()
    if options.actors:
        chosen = parse_actors(options.actors)
    else:
        gpus = options.gpus_per_actor or 0
        places = found.get("GPU", 0) / gpus if gpus else found.get("CPU", 1)
        chosen = Actors(*[max(1, int(min(places, found.get("memory", math.inf) / MEMORY)))] * 2)
    return Actors(min(chosen.fewest, photos), min(chosen.most, photos))


def _start(ray: Any, jobs: list[Job], actors: Actors) -> Start:
    """Return what an actor needs: the call of this process, as one whose photos are handed to it."""
    call = current_call()
    for_actors = {
        "engine": Engine.LOCAL,
        "actors": None,
        "gpus_per_actor": None,
        "ray_address": None,
        "shard": None,
        "progress": ProgressMode.AUTO,
        "resume": not call.options.overwrite,  # of refine-depth: a photo whose process died has finished runs
    }
    threads = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(threads) if threads.isdecimal() else int(ray.cluster_resources().get("CPU", 1) // actors.most)
    call = call.with_changes({"photos": [str(jobs[0].source)]}, for_actors)
    return Start(call, jobs[0], os.getcwd(), max(1, cores))  # noqa: PTH109  for another machine


@dataclass
class Run:
    """A run on a cluster."""

    ray: Any
    jobs: list[Job]
    summary: Summary
    actors: Actors
    gpus: float

    def __post_init__(self) -> None:
        """Start the ledger, next to this process."""
        here = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            self.ray.get_runtime_context().get_node_id(), soft=False
        )
        remote = self.ray.remote(num_cpus=0, max_restarts=0, scheduling_strategy=here)(Ledger)
        self.ledger = remote.remote(len(self.jobs))
        self.start = _start(self.ray, self.jobs, self.actors)
        self.left = len(self.jobs)
        self.is_ending = False
        self.notes: set[str] = set()
        self.broken: Exception | None = None  # an error of Ray's
        self.flow = threading.Thread(target=self._flow, name="photos", daemon=True)

    def run(self) -> None:
        """Make and report all photos. Raises the error of a single photo, or one that ends the run."""
        self.flow.start()
        try:
            while self.left and not self.summary.is_stopped:
                has_ended = not self.flow.is_alive()
                self._report(self._news(LISTEN))
                if has_ended:
                    self._require_all()
            if self.summary.is_stopped:
                self._finish_begun(GRACE)
        except INTERRUPTIONS:
            current().stage("finishing the photos that are begun; Ctrl-C again stops at once")
            self._finish_begun(GRACE)
            raise
        finally:
            self._end()

    def _flow(self) -> None:
        """Let Ray Data send the photos to its actors, until all are made."""
        import pyarrow
        import ray.data as data

        try:
            table = pyarrow.table({NUMBER: range(len(self.jobs)), JOB: [pickle.dumps(job) for job in self.jobs]})
            photos = data.from_arrow(table, override_num_blocks=min(len(self.jobs), BLOCKS))
            made = photos.map_batches(
                PhotoActor,
                batch_size=None,
                batch_format="pyarrow",
                num_cpus=CPUS,
                num_gpus=self.gpus or None,
                fn_constructor_args=(self.ledger, self.start),
                compute=data.ActorPoolStrategy(
                    min_size=self.actors.fewest,
                    max_size=self.actors.most,
                    max_tasks_in_flight_per_actor=AHEAD,
                ),
            )
            for _ in made.iter_batches(batch_size=None, prefetch_batches=0):
                if self.is_ending:
                    break
        except BaseException as error:  # noqa: BLE001  the other thread raises it
            self.broken = error if isinstance(error, Exception) else RuntimeError(repr(error))

    def _news(self, seconds: float) -> News:
        news = self._ask("news", len(self.jobs) - self.left, seconds)
        assert isinstance(news, News)
        return news

    def _ask(self, name: str, *arguments: object, seconds: float = ANSWER) -> object:
        """Ask the ledger. Raises RelightError if it does not answer."""
        try:
            return self.ray.get(getattr(self.ledger, name).remote(*arguments), timeout=seconds)
        except self.ray.exceptions.RayError as error:
            raise self._end_of_cluster(error) from error

    def _report(self, news: News) -> None:
        for line in news.notes:
            if line not in self.notes:  # each actor says the same when it starts
                self.notes.add(line)
                say(line)
        for result in news.results:
            with signals_held():  # a photo that is reported is counted
                self.left -= 1
                self._report_one(result)
        if news.error:
            raise unpack(news.error)

    def _report_one(self, result: Result) -> None:
        job = self.jobs[result.number]
        if result.made is None:
            self.summary.add(job, 0.0, died_error(job))
            return
        for line in result.made.notes:
            say(line)
        error = unpack(result.error) if result.error else None
        job = replace(job, skip=result.made.job.skip)
        self.summary.add(job, result.made.seconds, error, result.made.facts)

    def _finish_begun(self, seconds: float) -> None:
        """Let no photo be begun, and report those that end within so many seconds."""
        self._ask("stop")
        until = time.monotonic() + seconds
        while (news := self._news(LISTEN)).in_work and time.monotonic() < until:
            self._report(news)
        self._report(news)

    def _end(self) -> None:
        """End the flow of photos, since Ray ends a process whose threads use it when it is shut down."""
        self.is_ending = True
        with contextlib.suppress(RelightError):
            if self.left:
                self._ask("leave", seconds=LISTEN)
        self.flow.join(GRACE)

    def _require_all(self) -> None:
        """Raise RelightError if Ray has ended before all photos are made."""
        if self.left and not self.summary.is_stopped:
            raise self._end_of_cluster(self.broken) from self.broken

    def _end_of_cluster(self, error: Exception | None) -> RelightError:
        reason = one_line(error)[:300] if error else "no reason is known"
        return RelightError(f"the Ray cluster ended before all photos were made ({reason}): run it again.")
