"""The addresses of the server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from relight_cli._version import __version__
from relight_cli.serving.errors import ProblemError
from relight_cli.serving.intake import documented, take
from relight_cli.serving.jobs import Job, State
from relight_cli.serving.limits import Guard, answer_problem
from relight_cli.serving.metrics import MEDIA_TYPE as METRICS_TYPE
from relight_cli.serving.metrics import Metrics
from relight_cli.serving.options import ServeOptions
from relight_cli.serving.tasks import TASKS, Task
from relight_cli.serving.uploads import media_type
from relight_cli.serving.worker import Run, Worker

_LOOK = 0.5  # seconds between looks whether a client is still there
_GRACE = 2.0  # seconds after the time limit in which the work may stop by itself
_HEARTBEAT = 15.0  # seconds between lines of a stream of events


class Service:
    """The server's jobs, behind its addresses."""

    def __init__(self, commands: dict[str, Any], run: Run, options: ServeOptions) -> None:
        self.commands, self.options, self.metrics = commands, options, Metrics()
        self.worker = Worker(run, options, self.metrics.job_ended)
        self.metrics.watch(self.worker)

    async def post(self, request: Request, task: Task) -> Response:
        """Make a photo: answer with it, or at once with the job if the client prefers that."""
        is_job = "respond-async" in request.headers.get("prefer", "").lower()
        job = self.worker.admit(task.name, is_kept=is_job)
        try:
            await take(request, task, self.commands[task.name], job, self.options)
        except BaseException:
            self.worker.withdraw(job)
            raise
        self.worker.submit(job)
        if is_job:
            return JSONResponse(job.facts(), 202, {"Location": f"/v1/jobs/{job.id}"})
        try:
            await self._wait(request, job)
            if job.problem:
                raise job.problem
            return await picture(job)
        finally:
            self.worker.abandon(job, ProblemError(408, "the client has gone."))

    async def _wait(self, request: Request, job: Job) -> None:
        """Wait until a job ends. Raises a ProblemError when the client goes, or the work does not stop in time."""
        while not job.is_final:
            await job.wait(_LOOK)
            if await request.is_disconnected():
                raise ProblemError(408, "the client has gone.")
            with contextlib.suppress(ProblemError):
                job.check()
            if job.is_overdue(_GRACE):
                raise ProblemError(504, "the work took longer than the server allows.")

    def job(self, number: str) -> Job:
        """Return a job by its id. Raises a ProblemError if there is none."""
        if job := self.worker.kept.get(number):
            return job
        raise ProblemError(404, "there is no such job, or its result was kept long enough.")

    async def events(self, job: Job) -> AsyncIterator[str]:
        """Yield the events of a job, the last one when it ends."""
        told = None
        while True:
            changed = job.changed  # before the facts are read: the job may change while they are sent
            is_last, facts = job.is_final, json.dumps(job.facts())
            if facts != told:
                told = facts
                yield f"event: {job.state if is_last else 'progress'}\ndata: {facts}\n\n"
            if is_last:
                return
            if not await job.wait(_HEARTBEAT, changed):
                yield ": still here\n\n"


async def picture(job: Job) -> Response:
    """Return the result of a job as an answer."""
    assert job.result is not None
    body = await run_in_threadpool(job.result.read_bytes)
    headers = {"Relight-Notes": json.dumps(job.notes)} if job.notes else {}
    return Response(body, headers=headers, media_type=media_type(job.result))


def make_app(commands: dict[str, Any], run: Run, options: ServeOptions, token: str | None = None) -> FastAPI:
    """Return the app; `commands` are the Typer commands of the tasks, which `run` runs."""
    service = Service(commands, run, options)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.worker.drain()
        await asyncio.to_thread(service.worker.close)

    app = FastAPI(title="relight-cli", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    app.add_middleware(
        Guard,
        token=token,
        is_local=options.is_local,
        max_upload=options.max_upload,
        answered=service.metrics.answered,
    )
    app.add_exception_handler(ProblemError, answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_error)
    for task in TASKS.values():
        _add_task(app, service, task)
    _add_jobs(app, service)
    _add_state(app, service)
    return app


def _add_task(app: FastAPI, service: Service, task: Task) -> None:
    async def post(request: Request) -> Response:
        return await service.post(request, task)

    command = service.commands[task.name]
    app.add_api_route(
        f"/v1/{task.name}",
        post,
        methods=["POST"],
        name=task.name,
        response_class=Response,
        summary=(command.help or "").partition("\n")[0],
        openapi_extra=dict(documented(task, command)),
    )


def _add_jobs(app: FastAPI, service: Service) -> None:
    @app.get("/v1/jobs/{number}")
    async def state(number: str) -> JSONResponse:
        """Tell the state of a job."""
        return JSONResponse(service.job(number).facts())

    @app.get("/v1/jobs/{number}/events")
    async def events(number: str) -> StreamingResponse:
        """Tell the progress of a job as server-sent events, until it ends."""
        stream = service.events(service.job(number))
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @app.get("/v1/jobs/{number}/result")
    async def result(number: str) -> Response:
        """Return the picture of a job that is done."""
        job = service.job(number)
        if job.problem:
            raise job.problem
        if job.state != State.DONE:
            raise ProblemError(409, f"the job is {job.state}: ask again when it is done.", headers={"Retry-After": "1"})
        return await picture(job)

    @app.delete("/v1/jobs/{number}", status_code=204)
    async def cancel(number: str) -> Response:
        """Cancel a job, or forget its result."""
        job = service.job(number)
        if job.is_final:
            service.worker.forget(job)
        else:
            job.cancel(ProblemError(409, "the client cancelled the job."))
        return Response(status_code=204)


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """Tell whether the server takes photos."""
        worker = service.worker
        state = "stuck" if worker.is_stuck else "draining" if worker.is_draining else "ok"
        return JSONResponse({"status": state, "version": __version__}, 200 if state == "ok" else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Return counters for Prometheus."""
        return Response(service.metrics.text(), media_type=METRICS_TYPE)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await answer_problem(request, ProblemError(error.status_code, str(error.detail), headers=error.headers))
