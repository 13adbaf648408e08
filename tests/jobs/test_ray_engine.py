"""--engine ray: a pool of actors makes what one process makes, and a photo that kills its actor costs one line."""

import asyncio
import errno
import json
import os
import pickle
import socket
from pathlib import Path
from threading import Thread

import pytest
from command_line import Command
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_fixtures import noise

from relight_cli.devices import is_device_lost
from relight_cli.errors import OutputUnwritableError, PhotoUnreadableError
from relight_cli.jobs.engines.calls import current_call
from relight_cli.jobs.engines.carried_errors import pack, unpack
from relight_cli.jobs.engines.handed_jobs import HandedJobs, Made
from relight_cli.jobs.engines.ledger import DEATHS, STARTS, Ledger, Result
from relight_cli.jobs.engines.ray_actors import died_error
from relight_cli.jobs.outputs import Job
from relight_cli.jobs.stopping import is_lasting
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

ROOT = Path(__file__).parent.parent.parent
TINY = ("--model", "tiny", "--max-side", 64)
RAY = ("--engine", "ray")

# Runs in Ray's processes when Python starts: reading one photo kills the process always, reading another once.
KILLER = """
import os, pathlib, signal, sys

def watch(event, arguments):
    name = os.path.basename(str(arguments[0])) if event == "open" else ""
    mark = os.environ["KILLER_MARK"]
    if name == "always.png" or (name == "once.png" and not os.path.exists(mark)):
        if name == "once.png":
            os.mkdir(mark)
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five photos of 48 x 32, and a text."""
    (tmp_path / "in").mkdir()
    for number, name in enumerate(("a", "always", "b", "c", "once")):
        write_photo(Photo(noise((32, 48, 3), seed=number)), tmp_path / f"in/{name}.png")
    (tmp_path / "in/text.jpg").write_text("no photo")
    return tmp_path / "in"


def entries(report: Path) -> dict[str, dict]:
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    found = {Path(line["input"]).name: line for line in lines}
    assert len(found) == len(lines), "a photo is reported twice"
    return found


def test_actors_make_what_one_process_makes_and_their_deaths_cost_one_line(
    command: Command, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    local = command("deshadow", "in", *TINY, "-o", "local/", "--report", "local.jsonl")
    assert local.code == 23
    (tmp_path / "killer").mkdir()
    (tmp_path / "killer/sitecustomize.py").write_text(KILLER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'killer'}{os.pathsep}{ROOT}")
    monkeypatch.setenv("KILLER_MARK", str(tmp_path / "mark"))
    done = command("deshadow", "in", *TINY, *RAY, "--actors", "1", "-o", "ray/", "--report", "ray.jsonl")
    assert done.code == 23, done.err
    assert (tmp_path / "mark").is_dir(), "no actor was killed while it made once.png"
    assert sorted(done.lines[:-1]) == sorted([str(died_error(Job(Path("in/always.png"), Path()))), local.lines[0]])
    assert done.lines[-1].startswith("6 photos: 4 done, 2 failed, in ")
    made, expected = entries(tmp_path / "ray.jsonl"), entries(tmp_path / "local.jsonl")
    assert made["always.png"]["error"] == "DeviceError"
    for name, entry in made.items():
        if name != "always.png":
            own = ("options", "seconds", "output")
            assert {k: v for k, v in entry.items() if k not in own} == {
                k: v for k, v in expected[name].items() if k not in own
            }
    (tmp_path / "local/always_deshadowed.png").unlink()
    files = {folder: {p.name: p.read_bytes() for p in (tmp_path / folder).iterdir()} for folder in ("ray", "local")}
    assert files["ray"] == files["local"]  # and no temporary file is left
    again = command("deshadow", "in/a.png", "in/b.png", *TINY, *RAY, "-o", "ray/", "--skip-existing")
    assert (again.code, again.lines[-1].split(",")[1]) == (0, " 2 skipped")  # without a cluster


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("deshadow in --actors 2", "--actors is for --engine ray"),
        ("refine-depth in --gpus-per-actor 1", "--gpus-per-actor is for --engine ray"),
        ("albedo in --ray-address auto", "--ray-address is for --engine ray"),
        ("albedo in --engine ray --actors 0", "--actors 0 is no number of actors"),
        ("albedo in --engine ray --actors 3-1", "--actors 3-1 is no number of actors"),
        ("albedo in --engine ray --actors abc", "--actors abc is no number of actors"),
        ("albedo in --engine ray --gpus-per-actor 1.5", "Ray divides a GPU"),
        ("albedo in --engine ray --ray-address http://a:1/", "is no HOST:PORT"),
        ("albedo in --engine dask", "dask"),
        ("albedo in --engine ray --device cuda", "an actor has no GPU of its own"),
        ("albedo in --engine ray --budget 5", "--budget is of one process"),
        ("albedo in --engine ray --compare page.html", "--compare is of one process"),
        ("albedo in/a.png --engine ray -o -", "actors have no stdin and no stdout"),
        ("albedo in/a.png --engine ray --mask -", "actors have no stdin and no stdout"),
        ("albedo in --sequence --engine ray", "the frames of a sequence belong together"),
        ("relight in/a.png --sun-at 06:00..21:00 --engine ray", "a moving sun is one"),
        ("relight in --light golden-hour --save-light l.toml --engine ray", "--save-light is one file"),
    ],
)
def test_what_is_refused_before_ray_starts(command: Command, photos: Path, words: str, said: str) -> None:
    done = command(*words.split())
    assert (done.code, len(done.lines)) == (2, 1), done.err
    assert said in done.err


def test_an_address_without_a_cluster_is_one_line(command: Command, photos: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        done = command("deshadow", "in", *TINY, *RAY, "--ray-address", address)
    assert (done.code, len(done.lines)) == (2, 1), done.err
    assert f"--ray-address {address}: no Ray cluster answers there" in done.err
    with socket.create_server(("127.0.0.1", 0)) as other:
        Thread(target=answer_once, args=[other], daemon=True).start()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = command("deshadow", "in", *TINY, *RAY, "--ray-address", address)
    assert (done.code, len(done.lines)) == (2, 1), done.err
    assert "what answers is not Ray" in done.err


def answer_once(server: socket.socket) -> None:
    with server.accept()[0] as connection:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_retry_takes_the_output_of_this_recipe_as_done(command: Command, photos: Path, tmp_path: Path) -> None:
    """A process that died after its output was written and before it was reported."""
    made = ("in/a.png", *TINY, "-o", "out/a.png", "--report", "r.jsonl")
    assert command("deshadow", *made).code == 0
    planned = Job(Path("in/a.png"), Path("out/a.png"), found=(None,))
    first = (tmp_path / "out/a.png").stat()
    facts = entries(tmp_path / "r.jsonl")["a.png"]
    handed = HandedJobs(current_call().with_changes({"photos": ["in/a.png"]}, {}), planned)
    again = handed.make(planned, again=True)
    assert not again.job.skip
    assert again.facts
    assert again.facts.items() <= facts.items()
    assert handed.make(planned, again=False).job.skip  # of another process
    assert (tmp_path / "out/a.png").stat() == first
    (tmp_path / "out/a.png").write_bytes((tmp_path / "in/b.png").read_bytes())  # of another program
    other = handed.make(planned, again=True)
    assert isinstance(other.error, OutputUnwritableError)
    assert (tmp_path / "out/a.png").read_bytes() == (tmp_path / "in/b.png").read_bytes()


def test_notes_and_errors_of_photos_come_back(command: Command, photos: Path) -> None:
    command("deshadow", "in/a.png", *TINY, "-o", "out/a.png", "--dry-run")
    call = current_call().with_changes({}, {"dry_run": False})
    handed = HandedJobs(call, Job(Path("in/text.jpg"), Path("out/text.jpg")))
    made = handed.make(Job(Path("in/text.jpg"), Path("out/text.jpg"), found=(None,)), again=False)
    error = unpack(pack(made.error or OSError()))
    assert type(error) is PhotoUnreadableError
    assert str(error) == str(made.error)
    with pytest.raises(PhotoUnreadableError, match=r"nothing\.png"):
        HandedJobs(call.with_changes({}, {"mask": Path("nothing.png")}), handed.sample)


class OddError(Exception):
    """An error that cannot be made from its arguments."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{text} {number}")


def test_errors_keep_their_class_message_and_causes() -> None:
    full = OutputUnwritableError("a.jpg: no room")
    full.__cause__ = OSError(errno.ENOSPC, "No space left")
    assert is_lasting(unpack(pack(full)))
    odd = unpack(pack(OddError(3, "odd")))
    assert (type(odd).__name__, str(odd)) == ("OddError", "odd 3")
    assert not is_lasting(died_error(Job(Path("a"), Path("b"))))
    assert not is_device_lost(died_error(Job(Path("a"), Path("b"))))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_photo_ends_once_whatever_dies(data: st.DataObject) -> None:
    """Blocks of photos on actors that die at any point; each block is repeated until its actor comes to its end."""
    count = data.draw(st.integers(1, 8), label="photos")
    per_block = data.draw(st.integers(1, 4), label="photos of a block")
    deaths = {n: data.draw(st.integers(0, 3), label=f"deaths in photo {n}") for n in range(count)}
    loses = data.draw(st.sets(st.integers(0, count - 1)), label="photos whose actor dies after their end, once")
    results: list[Result] = []

    async def run() -> None:
        ledger, begun = Ledger(count), dict.fromkeys(range(count), 0)

        async def block(numbers: list[int], actor: str) -> bool:
            assert await ledger.starting(actor)
            await ledger.ready(actor, [])
            for number in numbers:
                if not (attempt := await ledger.begin(number, actor)):
                    continue
                begun[number] += 1
                assert attempt == begun[number] <= DEATHS
                if attempt <= deaths[number]:
                    return False
                await ledger.end(actor, Result(number, Made(Job(Path(), Path()), 0.0)))
                if number in loses:
                    loses.remove(number)
                    return False
            return True

        for first in range(0, count, per_block):
            while not await block(list(range(first, min(count, first + per_block))), str(first)):
                news = await ledger.news(len(results), 0)
                if data.draw(st.booleans(), label="answer arrives"):
                    results.extend(news.results)
        news = await ledger.news(len(results), 0)
        results.extend(news.results)
        assert (news.in_work, news.error) == (0, None)

    asyncio.run(run())
    assert sorted(one.number for one in results) == list(range(count))
    assert {one.number for one in results if one.made is None} == {n for n in deaths if deaths[n] >= DEATHS}
    assert pickle.loads(pickle.dumps(results)) == results


def test_an_actor_that_dies_while_it_starts_ends_the_run() -> None:
    async def run() -> None:
        ledger = Ledger(1)
        assert [await ledger.starting("a") for _ in range(STARTS)] == [True] * STARTS
        assert await ledger.starting("b")
        assert not await ledger.starting("a")
        error = (await ledger.news(0, 0)).error
        assert error
        assert "give fewer --actors" in str(unpack(error))
        stopped = Ledger(2)
        await stopped.begin(0, "a")
        await stopped.stop()
        assert await stopped.begin(1, "b") == 0
        assert (await stopped.news(0, 0)).in_work == 1

    asyncio.run(run())
