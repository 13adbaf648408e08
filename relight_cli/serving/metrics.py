"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from relight_cli.serving.jobs import State
from relight_cli.serving.worker import Worker

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter("relight_answers", "Answers to requests.", ["status"], registry=self._registry)
        self._jobs = Counter("relight_jobs", "Photos that were worked on.", ["task", "state"], registry=self._registry)
        self._seconds = Histogram(
            "relight_job_seconds", "Seconds of work on a photo.", ["task"], registry=self._registry, buckets=_SECONDS
        )
        ProcessCollector(registry=self._registry)

    def watch(self, worker: Worker) -> None:
        """Show how many jobs wait or are at work."""
        gauge = Gauge("relight_admitted", "Photos that wait or are worked on.", registry=self._registry)
        gauge.set_function(lambda: worker.admitted)

    def job_ended(self, task: str, state: State, seconds: float) -> None:
        """Count a job."""
        self._jobs.labels(task, state).inc()
        self._seconds.labels(task).observe(seconds)

    def answered(self, status: int) -> None:
        """Count an answer."""
        self._answers.labels(str(status)).inc()

    def text(self) -> bytes:
        """Return all counters."""
        return generate_latest(self._registry)
