"""The server, driven by HTTP in this process; one real process for its end."""

import asyncio
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from command_line import Command
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.requests import Request

from relight_cli.checkpoints.kept_networks import networks_kept
from relight_cli.checkpoints.models import load_model
from relight_cli.cli import app as program_app
from relight_cli.jobs.option_tree import prepare_program
from relight_cli.jobs.options import CommandOptions
from relight_cli.jobs.progress import Outcome, begin_progress, current
from relight_cli.serving import server
from relight_cli.serving.app import make_app
from relight_cli.serving.errors import ProblemError
from relight_cli.serving.intake import take
from relight_cli.serving.jobs import Job, JobProgress, State
from relight_cli.serving.options import ServeOptions
from relight_cli.serving.running import commands_of, run_in
from relight_cli.serving.tasks import TASKS, parameters_of

TOKEN = "0123456789abcdef0123"
BASE = "http://127.0.0.1"


def picture(seed: int = 1, kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    rng, (width, height) = np.random.default_rng(seed), size
    pixels = np.kron(rng.integers(40, 220, (height // 8, width // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def bomb() -> bytes:
    """Return a PNG whose header promises 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


PHOTO, REFERENCE = picture(), picture(2)


@pytest.fixture(scope="module")
def context() -> typer.Context:
    program = typer.main.get_command(program_app)
    prepare_program(program)
    return program.make_context("relight-cli", ["serve"])


def served(context: typer.Context, token: str | None = None, run: Any = None, **options: Any) -> TestClient:
    commands = commands_of(context, TASKS)
    chosen = ServeOptions(**({"model": "tiny", "device": "cpu"} | options))
    return TestClient(
        make_app(commands, run or (lambda name, words: run_in(context, commands, name, words)), chosen, token),
        base_url=BASE,
    )


@pytest.fixture(scope="module")
def client(context: typer.Context) -> Iterator[TestClient]:
    with networks_kept(), served(context, max_upload=1) as client:
        yield client


@pytest.mark.parametrize(
    ("task", "options", "files", "ending"),
    [
        ("deshadow", {"strength": "0.7", "detail": "true"}, {}, ".png"),
        ("deshadow", {"mask-only": "true", "format": "png"}, {}, ".png"),
        ("albedo", {"format": "jpg", "quality": "80"}, {}, ".jpg"),
        ("relight", {"sun": "left,35", "kelvin": "3200", "keep-exposure": "false"}, {}, ".png"),
        ("relight", {}, {"light": REFERENCE, "mask": REFERENCE}, ".png"),
        ("refine-depth", {"depth-model": "tiny", "steps": "0", "format": "tif"}, {}, ".tif"),
    ],
)
def test_an_answer_has_the_bytes_of_the_command_line(
    client: TestClient,
    command: Command,
    tmp_path: Path,
    task: str,
    options: dict[str, str],
    files: dict[str, bytes],
    ending: str,
) -> None:
    (tmp_path / "photo.png").write_bytes(PHOTO)
    words = [f"--output=out{ending}", *(["--model=tiny"] if task != "refine-depth" else [])]
    for name, value in options.items():
        switch = {"true": [f"--{name}"], "false": [f"--no-{name}"]}.get(value, [f"--{name}={value}"])
        words += [] if name == "format" else switch
    for name, data in files.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        words.append(f"--{name}={name}.png")
    made = command(task, "photo.png", *words, "--device=cpu")
    assert made.code == 0, made.err
    parts = {name: (f"{name}.png", data, "image/png") for name, data in {"photo": PHOTO, **files}.items()}
    answer = client.post(f"/v1/{task}", files=parts, data=options)
    assert answer.status_code == 200, answer.text
    assert answer.content == (tmp_path / f"out{ending}").read_bytes()
    assert answer.headers["content-type"] == {".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff"}[ending]
    if not files:  # the photo as the body, the options in the address
        again = client.post(f"/v1/{task}", params=options, content=PHOTO)
        assert again.content == answer.content


def form(name: str = "photo.png", data: bytes = PHOTO, **more: Any) -> dict[str, Any]:
    return {"files": {"photo": (name, data, "image/png")}, **more}


@pytest.mark.parametrize(
    ("task", "request_", "status", "code", "says"),
    [
        ("deshadow", {"content": bytes(1_100_000)}, 413, None, "1 MB"),
        ("deshadow", {"content": iter([bytes(600_000)] * 3)}, 413, None, "1 MB"),  # of unknown length
        ("deshadow", form(data=bomb()), 413, None, "40000 x 40000"),
        ("deshadow", {"content": b"<html>", "headers": {"content-type": "text/html"}}, 415, None, "text/html"),
        ("deshadow", {"content": b"no picture"}, 415, None, "no picture"),
        ("deshadow", form("notes.txt"), 415, None, ".txt"),
        ("deshadow", form("clip.mp4"), 415, None, ".mp4"),
        ("deshadow", form("../../etc/photo.png"), 400, None, "without folders"),
        ("deshadow", form("..\\photo.png"), 400, None, "without folders"),
        ("deshadow", form("https://example.org/photo.png"), 400, None, "without folders"),
        (
            "deshadow",
            {"data": {"photo": "https://example.org/photo.png"}, "files": {"mask": PHOTO}},
            415,
            None,
            "photo",
        ),
        ("deshadow", {"content": b"https://example.org/photo.png"}, 415, None, "no picture"),
        ("deshadow", {"content": b""}, 400, None, "no photo"),
        ("deshadow", {"files": {"mask": ("m.png", PHOTO)}}, 400, None, "no photo"),
        ("deshadow", form(data=b""), 400, None, "empty"),
        ("deshadow", form(data=PHOTO[:200]), 422, 4, "photo.png"),
        ("deshadow", form(params={"no-such": "1"}), 400, None, "no-such"),
        ("deshadow", form(params={"output": "/tmp/x.png"}), 400, None, "output"),
        ("deshadow", form(params={"report": "/tmp/x.jsonl"}), 400, None, "report"),
        ("deshadow", form(params={"mask": "/etc/passwd"}), 400, None, "mask"),
        ("deshadow", form(params={"input-colour": "/etc/x.icc"}), 400, None, "input-colour"),
        ("deshadow", form(params={"format": "../x"}), 400, None, "format"),
        ("deshadow", form(params={"strength": "9"}), 400, 2, "strength"),
        ("deshadow", form(params={"strip": "perhaps"}), 400, None, "strip"),
        ("deshadow", form(params={"max-side": "8", "detail": "false"}), 400, 2, "contradict"),
        ("deshadow", form(params={"strength": ["1", "1"]}), 400, None, "twice"),
        ("relight", form(), 400, 2, "no light"),
        ("relight", form(params={"light": "/etc/passwd"}), 400, None, "preset"),
        ("relight", form(params={"light": "golden-hour:0.5,/etc/x.toml:0.5"}), 400, None, "preset"),
        ("relight", form(params={"light": "https://example.org/a.hdr"}), 400, None, "preset"),
        ("relight", form(params={"sun-at": "06:00..21:00"}), 400, None, "moving sun"),
        ("refine-depth", form(params={"sky": "/etc/mask.png"}), 400, None, "sky"),
        ("refine-depth", form(params={"format": "ply"}), 400, None, "format"),
        ("refine-depth", form(), 503, 6, "weights"),  # nothing is downloaded for a client
    ],
)
def test_what_is_refused(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    task: str,
    request_: dict[str, Any],
    status: int,
    code: int | None,
    says: str,
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    answer = client.post(f"/v1/{task}", **request_)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert (problem["status"], problem["exit_code"]) == (status, code)
    assert says in problem["detail"]
    assert "relight-serve" not in problem["detail"], "a folder of the server"
    assert not list(client.app.state.service.worker.root.iterdir()), "files are left"


def test_every_option_of_a_command_is_for_clients_or_for_the_server(context: typer.Context) -> None:
    theirs = {name.replace("_", "-") for name in CommandOptions.__dataclass_fields__} - {"page", "input-colour"}
    theirs |= {"model", "sequence", "keyframes", "codec", "crf", "frames", "fps"}
    theirs |= {"save-light", "save-shading", "save-mask", "layers"}  # a second file
    theirs |= {"working-space", "ocio-config", "depth"}  # for compositors; deshadow and albedo have a depth for layers
    theirs |= {"engine", "actors", "gpus-per-actor", "ray-address"}
    theirs |= {"preview", "normals", "uncertainty", "initial", "plot", "point-cloud", "fov", "resume"}
    for name, command in commands_of(context, TASKS).items():
        known, task = set(parameters_of(command)), TASKS[name]
        assert task.options | task.files <= known
        assert known - task.options - task.files <= theirs, "a new option: may clients give it?"
        assert not task.options & theirs
        paths = {n for n, one in parameters_of(command).items() if one.type_descriptor.is_path}
        assert not paths & task.options


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_request_makes_an_error_of_the_server(client: TestClient, data: st.DataObject) -> None:
    """Any options with any values, any file name, and a photo that is cut or changed."""
    document = client.get("/openapi.json").json()
    task = data.draw(st.sampled_from(sorted(TASKS)))
    parameters = {one["name"]: one["schema"] for one in document["paths"][f"/v1/{task}"]["post"]["parameters"]}
    names = data.draw(st.lists(st.sampled_from([*sorted(parameters), "x"]), max_size=3, unique=True))
    values = {name: data.draw(value_of(parameters.get(name, {}))) for name in names} | (
        {"steps": "0", "depth-model": "tiny"} if task == "refine-depth" else {}
    )
    cut = data.draw(st.integers(1, len(PHOTO) - 1))
    photo = data.draw(st.sampled_from([PHOTO[:cut], PHOTO[:cut] + b"\xff" + PHOTO[cut + 1 :], PHOTO[cut:]]))
    name = data.draw(st.one_of(st.just("photo.png"), st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)))
    answer = client.post(f"/v1/{task}", params=values, files={"photo": (name, photo)})
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, answer.text


def value_of(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return values that fit a schema, and others."""
    texts = st.text(max_size=12)
    if "enum" in schema:
        return st.one_of(st.sampled_from(schema["enum"]), texts)
    if schema.get("type") in ("integer", "number"):
        small = st.integers(-2, 64).map(str)
        return st.one_of(small, st.floats(allow_nan=True).map(str), texts)
    return st.one_of(st.sampled_from(["true", "false", "left", "12:00", "1,2", "-", "--help"]), texts)


def test_a_token_is_needed_where_there_is_one(context: typer.Context) -> None:
    with served(context, TOKEN, run=lambda name, words: None) as client:
        assert client.get("/healthz").status_code == 200
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            refused = client.post("/v1/deshadow", content=PHOTO, headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        good = {"authorization": f"Bearer {TOKEN}", "host": "photos.example.org"}
        assert client.get("/metrics", headers=good).status_code == 200
        assert client.get("/metrics").status_code == 401


def test_pages_of_other_sites_are_refused(client: TestClient) -> None:
    for headers, status in (
        ({"origin": "https://example.org"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "attacker.example.org"}, 421),
        ({"host": "localhost:8765"}, 200),
    ):
        assert client.get("/metrics", headers=headers).status_code == status


class Slow:
    """A command that works until it is told to end, step by step."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Semaphore(0), threading.Event()

    def __call__(self, name: str, words: list[str]) -> None:
        begin_progress(name, CommandOptions())
        self.began.release()
        for step in range(2000):
            current().step("photo", step % 10, 10)
            if self.may_end.wait(0.01):
                break
        Path(words[0].partition("=")[2]).write_bytes(b"made")


ASYNC = {"prefer": "respond-async", "content-type": "image/png"}


def state_of(client: TestClient, job: str, *states: str) -> dict[str, Any]:
    for _ in range(1000):
        facts = client.get(job).json()
        if facts["state"] in states:
            return facts
        time.sleep(0.01)
    raise AssertionError(facts)


def test_jobs_have_progress_and_can_be_cancelled_and_the_queue_is_bounded(context: typer.Context) -> None:
    slow = Slow()
    with served(context, run=slow, queue=1) as client:
        first, second = (client.post("/v1/deshadow", content=PHOTO, headers=ASYNC) for _ in range(2))
        assert first.status_code == second.status_code == 202
        assert slow.began.acquire(timeout=10)
        full = client.post("/v1/deshadow", content=PHOTO)
        assert (full.status_code, full.headers["retry-after"]) == (429, "5")
        job, other = first.headers["location"], second.headers["location"]
        early = client.get(f"{job}/result")
        assert (early.status_code, early.headers["retry-after"]) == (409, "1")
        assert client.delete(other).status_code == client.delete(job).status_code == 204
        for cancelled in (job, other):
            assert state_of(client, cancelled, "cancelled")["problem"]["status"] == 409
        assert client.get(f"{job}/result").status_code == 409
        slow.may_end.set()
        third = client.post("/v1/deshadow", content=PHOTO, headers=ASYNC).headers["location"]
        events = client.get(f"{third}/events").text.split("\n\n")
        assert events[-2].startswith("event: done\n")
        assert json.loads(events[-2].partition("data: ")[2])["progress"] == 1
        result = client.get(f"{third}/result")
        assert (result.content, result.headers["content-type"]) == (b"made", "image/png")
        assert client.delete(third).status_code == 204
        assert client.get(third).status_code == 404
        text = client.get("/metrics").text
        assert 'relight_jobs_total{state="cancelled",task="deshadow"} 2.0' in text
        assert "relight_admitted 0.0" in text


def test_a_sequence_tells_its_frames_and_stops_between_two(tmp_path: Path) -> None:
    async def run() -> None:
        job = Job("interpolate-timelapse", tmp_path)
        progress = JobProgress("interpolate-timelapse", job)
        progress.plan(4, "frame")
        progress.finish_one(Outcome("1.png", "out/1.png", "done"))
        assert (job.stage, job.share) == ("1 of 4 frames", 0.25)
        progress.finish_one(Outcome("2.png", None, "failed", message="broken"))
        assert job.notes == ["2.png: broken"]
        job.cancel(ProblemError(409, "stop"))
        with pytest.raises(ProblemError):
            progress.finish_one(Outcome(None, "out/3.png", "done"))

    asyncio.run(run())


def test_work_that_takes_too_long_is_stopped(context: typer.Context) -> None:
    with served(context, run=Slow(), time_limit=0.2) as client:
        answer = client.post("/v1/deshadow", content=PHOTO)
        assert (answer.status_code, answer.json()["exit_code"]) == (504, None)
        assert client.get("/healthz").json()["status"] == "ok"
        client.app.state.service.worker.drain()
        assert client.post("/v1/deshadow", content=PHOTO).status_code == 503
        assert client.get("/healthz").status_code == 503


def test_work_that_was_done_in_time_is_not_lost_while_its_memory_is_returned(
    context: typer.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, monotonic = [0.0], time.monotonic

    def release() -> None:
        late[0] = 3600.0
        time.sleep(0.1)

    monkeypatch.setattr("relight_cli.serving.worker.release_memory", release)
    for module in ("jobs", "worker"):
        clock = SimpleNamespace(monotonic=lambda: monotonic() + late[0])
        monkeypatch.setattr(f"relight_cli.serving.{module}.time", clock)
    monkeypatch.setattr("relight_cli.serving.app._LOOK", 0.01)
    with served(context, run=lambda name, words: Path(words[0].partition("=")[2]).write_bytes(b"made")) as client:
        answer = client.post("/v1/deshadow", content=PHOTO)
        assert (answer.status_code, answer.content) == (200, b"made")
        assert not list(client.app.state.service.worker.root.iterdir())


def test_a_disk_that_is_full_costs_no_places(context: typer.Context) -> None:
    with served(context, run=Slow(), queue=1) as client:
        root = client.app.state.service.worker.root
        root.rmdir()
        for _ in range(3):
            answer = client.post("/v1/deshadow", content=PHOTO)
            assert (answer.status_code, answer.headers["content-type"]) == (507, "application/problem+json")
        assert "relight_admitted 0.0" in client.get("/metrics").text


def test_an_event_is_told_though_it_comes_while_another_one_is_sent(context: typer.Context, tmp_path: Path) -> None:
    async def run() -> None:
        job = Job("deshadow", tmp_path)
        events = client.app.state.service.events(job)
        assert (await anext(events)).startswith("event: progress\n")
        job.end(State.DONE)
        await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            assert (await anext(events)).startswith("event: done\n")

    with served(context) as client:
        asyncio.run(run())


def test_a_photo_in_small_pieces_is_known_by_its_first_bytes(context: typer.Context, tmp_path: Path) -> None:
    pieces = [PHOTO[:1], *(PHOTO[at : at + 50] for at in range(1, len(PHOTO), 50))]
    messages = iter([{"type": "http.request", "body": piece, "more_body": True} for piece in pieces])

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.request", "body": b"", "more_body": False})

    async def run() -> None:
        request = Request({"type": "http", "method": "POST", "headers": [], "query_string": b""}, receive)
        await take(request, TASKS["deshadow"], commands["deshadow"], Job("deshadow", tmp_path), ServeOptions())

    commands = commands_of(context, TASKS)
    asyncio.run(run())
    assert (tmp_path / "photo.png").read_bytes() == PHOTO


def test_an_unexpected_error_costs_one_request(context: typer.Context) -> None:
    errors: Iterator[Exception] = iter([ZeroDivisionError("by zero"), MemoryError()])

    def run(name: str, words: list[str]) -> None:
        raise next(errors)

    with served(context, run=run) as client:
        answer = client.post("/v1/deshadow", content=PHOTO)
        assert (answer.status_code, answer.json()["exit_code"]) == (500, 1)
        assert "ZeroDivisionError" in answer.json()["detail"]
        answer = client.post("/v1/deshadow", content=PHOTO)
        assert (answer.status_code, answer.json()["exit_code"]) == (503, 7)


def test_networks_are_loaded_once() -> None:
    lines: list[str] = []
    with networks_kept():
        every = load_model("tiny", device="cpu", tasks=["deshadow", "albedo"], notify=lines.append)
        assert load_model("tiny", device="cpu", tasks=["albedo"], notify=lines.append, offline=True) is every
        assert load_model("tiny", device="cpu", tasks=["relight"], notify=lines.append) is not every
        assert load_model("tiny", device="cpu", dtype="bfloat16", tasks=["albedo"]) is not every
    assert load_model("tiny", device="cpu", tasks=["albedo"]) is not every


def test_what_the_server_is_not_started_with(command: Command, tmp_path: Path) -> None:
    open_to_all = command("serve", "--host", "0.0.0.0", "--model", "tiny")
    assert open_to_all.code == 2
    assert "--token-file" in open_to_all.err
    (tmp_path / "short").write_text("secret\n")
    assert command("serve", "--token-file", "short").code == 2
    assert command("serve", "--token-file", "missing").code == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = command("serve", "--port", taken.getsockname()[1], "--model", "tiny")
    assert refused.code == 5
    assert "cannot listen" in refused.err


def test_a_server_that_nobody_hears_leaves_no_folder(
    context: typer.Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unheard(line: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(server, "say", unheard)
    with socket.create_server(("127.0.0.1", 0)) as place, pytest.raises(BrokenPipeError):
        server.serve_on(place, context, ServeOptions(), None)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_ends_the_server_when_what_was_begun_is_sent(tmp_path: Path) -> None:
    words = ["serve", "--model", "tiny", "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "relight_cli", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    try:
        address = next(found[0] for line in process.stderr if (found := re.search(r"http://[\d.:]+", line)))
        answers: list[int] = []
        photo = picture(3, "JPEG", (1024, 768))

        def post() -> None:
            with urllib.request.urlopen(urllib.request.Request(f"{address}/v1/deshadow", photo)) as answer:
                answers.append(len(answer.read()))

        thread = threading.Thread(target=post)
        thread.start()
        while not any(tmp_path.glob("relight-serve-*/*/photo.jpg")):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        thread.join()
        assert process.wait() == 0, process.stderr.read()
        assert answers
        assert answers[0] > 1000
        assert not list(tmp_path.iterdir())
    finally:
        process.kill()
        process.stderr.close()
