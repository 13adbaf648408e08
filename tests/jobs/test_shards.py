"""--shard I/N and `report merge`: shares that have no photo in common make what one run makes."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Command
from forked import run_forked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from photo_fixtures import noise

from relight_cli.jobs.shards import Shard
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

TINY = ("--model", "tiny", "--max-side", 64)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photos of 32 x 24 in nested folders, and a file that is none."""
    for number in range(12):
        folder = tmp_path / "photos" / ("", "a", "b c/ä")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        write_photo(Photo(noise((24, 32, 3), seed=number)), folder / f"p{number}.png")
    (tmp_path / "photos/notes.txt").write_text("none")
    return tmp_path / "photos"


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def entries(report: Path) -> list[dict]:
    return [json.loads(line) for line in report.read_text().splitlines()]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(), unique=True, max_size=8), st.integers(1, 20))
def test_shares_are_a_partition_that_any_program_can_compute(names: list[str], count: int) -> None:
    for name in names:
        having = [number for number in range(1, count + 1) if Shard(number, count).has(name)]
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        assert having == [int(digest, 16) % count + 1]


def test_four_shares_make_the_bytes_of_one_run(command: Command, photos: Path, tmp_path: Path) -> None:
    assert command("deshadow", "photos", "-r", *TINY, "-o", "one/").code == 0
    for number in range(1, 5):
        share = ("--shard", f"{number}/4", "--report", f"{number}.jsonl")
        assert command("deshadow", "photos", "-r", *TINY, "-o", "four/", *share).code == 0
    assert files(tmp_path / "four") == files(tmp_path / "one") != {}
    reports = [f"{number}.jsonl" for number in range(1, 5)]
    done = command("report", "merge", *reports, "-o", "all.jsonl")
    assert (done.code, done.out) == (0, b"12 photos in 4 reports: 12 done\n")
    assert len({entry["input"] for entry in entries(tmp_path / "all.jsonl")}) == 12
    again = command("deshadow", "photos", "-r", *TINY, "-o", "four/", "--shard", "2/4", "--skip-existing")
    assert again.code == 0
    assert "0 done" in again.err
    planned = command("deshadow", "photos", "-r", *TINY, "-o", "new/", "--shard", "2/4", "--dry-run")
    assert planned.out.count(b"\nmake") + planned.out.startswith(b"make") == len(entries(tmp_path / "2.jsonl"))


def test_lists_are_divided_by_their_names(command: Command, photos: Path, tmp_path: Path) -> None:
    names = [path.relative_to(tmp_path).as_posix() for path in sorted(photos.rglob("*.png"))]
    made = []
    for number in (1, 2):
        stdin = "\0".join(names).encode()
        options = (*TINY, "-o", "{stem}.png", "--shard", f"{number}/2", "--report", f"{number}.jsonl")
        assert command("deshadow", "@-", "-0", *options, stdin=stdin).code == 0
        made.append({entry["input"] for entry in entries(tmp_path / f"{number}.jsonl")})
        assert made[-1] == {name for name in names if Shard(number, 2).has(name)}
    assert not made[0] & made[1]


def test_a_share_of_no_photo_and_one_of_a_broken_photo(command: Command, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/broken.jpg").write_bytes(b"\xff\xd8\xff")
    number = next(n for n in (1, 2) if Shard(n, 2).has("broken.jpg"))
    base = ("deshadow", "in", *TINY, "-o", "out/")
    nothing = command(*base, "--shard", f"{3 - number}/2", "--report", "none.jsonl")
    assert (nothing.code, nothing.lines[0]) == (0, f"share {3 - number}/2 has no photos.")
    broken = command(*base, "--shard", f"{number}/2", "--report", "broken.jsonl")
    assert broken.code == 23  # as in a batch, though it is the share's only photo
    merged = command("report", "merge", "none.jsonl", "broken.jsonl")
    assert merged.code == 23
    assert merged.out.splitlines()[0] == b"1 photo in 2 reports: 0 done, 1 failed"
    assert b"failed   in/broken.jpg: " in merged.out
    assert b"missing" not in merged.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("deshadow photos --shard 0/4", "--shard 0/4 is not a share"),
        ("deshadow photos --shard 5/4", "--shard 5/4 is not a share"),
        ("deshadow photos --shard 1", "--shard 1 is not a share"),
        ("deshadow - --shard 1/2", "stdin is one photo"),
        ("deshadow photos --shard 1/2 -o {index}.png", "{index} counts the whole list"),
        ("deshadow photos --shard 1/2 -o one.png", "is one file, but there are the inputs of all shares"),
        ("deshadow photos --shard 1/2 --strip", "outputs without a record among the photos in photos"),
        ("interpolate-timelapse photos --between 1 --shard 1/2", "the frames of a timelapse belong together"),
        ("relight photos/p0.png --sun-at 06:00..21:00 --shard 1/2", "a moving sun is one photo"),
        ("deshadow nothing-here/ --shard 1/2 --report r.jsonl", ""),
    ],
)
def test_what_a_share_refuses(command: Command, photos: Path, words: str, said: str) -> None:
    done = command(*words.split())
    if said:
        assert (done.code, len(done.lines)) == (2, 1)
        assert said in done.err
    else:  # a name that does not exist belongs to one share, and fails there
        other = command(*words.replace("1/2", "2/2").split())
        assert sorted((done.code, other.code)) == [0, 23]


def test_a_share_keeps_no_more_than_its_own(tmp_path: Path) -> None:
    """The list of all names is never in memory: of 60,000 of 125 bytes, a share of 1/300 takes a few."""
    count = 60_000
    (tmp_path / "list.txt").write_text("".join(f"{number:0120}.jpg\n" for number in range(count)))
    program = (
        "import sys, tracemalloc\n"
        "from relight_cli.jobs.inputs import expand_inputs\n"
        "from relight_cli.jobs.shards import Shard\n"
        "tracemalloc.start()\n"
        "found = expand_inputs(['@' + sys.argv[1]], recursive=False, shard=Shard(7, 300))\n"
        "print(len(found), tracemalloc.get_traced_memory()[1])\n"
    )
    done = run_forked(program, [tmp_path / "list.txt"], cwd=tmp_path, text=True)  # a process without other threads
    found, peak = map(int, done.stdout.split())
    assert 100 < found < 300
    assert peak < 5 << 20  # of 7.5 MB


def lines(*rows: dict) -> str:
    return "".join(json.dumps({"output": None, "message": None} | row) + "\n" for row in rows)


@pytest.fixture
def reports(tmp_path: Path) -> Iterator[Path]:
    """Reports of shares 1/3 (one photo short), 2/3 and a rerun; none of 3/3."""
    one, two = {"share": "1/3", "photos": 3}, {"share": "2/3", "photos": 2}
    (tmp_path / "a.jsonl").write_text(
        lines(
            {"input": "x", "status": "failed", "message": "m"} | one,
            {"input": "y", "status": "done", "output": "o/1"} | one,
        )
    )
    (tmp_path / "b.jsonl").write_text(
        lines(
            {"input": "z", "status": "done", "output": "o/1"} | two,
            {"input": "w", "status": "failed", "message": "v\nw"} | two,
        )
    )
    (tmp_path / "c.jsonl").write_text(
        lines({"input": "x", "status": "done", "output": "o/2"} | one, {"input": "y", "status": "done"} | one)
        + '{"torn'
    )
    yield tmp_path
    shutil.rmtree(tmp_path)


def test_merged_reports_say_what_failed_is_missing_and_twice(command: Command, reports: Path) -> None:
    done = command("report", "merge", "a.jsonl", "b.jsonl", "c.jsonl", "-o", "all.jsonl")
    assert done.code == 23
    assert done.lines == ["c.jsonl: lines that are about no photo, or damaged, are left out (1)."]
    assert done.out.decode().splitlines() == [
        "4 photos in 3 reports: 3 done, 1 failed",
        "failed   w: v\\nw",
        "missing  share 3/3: no line",
        "missing  share 1/3: 1 of its 3 photos have no line",
        "twice    y: in a.jsonl and in c.jsonl",
    ]
    assert [entry["input"] for entry in entries(reports / "all.jsonl")] == ["x", "y", "z", "w"]
    assert entries(reports / "all.jsonl")[0]["status"] == "done"
    twice = command("report", "merge", "a.jsonl", "b.jsonl")
    assert b"twice    o/1: the output of y and of z" in twice.out
    assert command("report", "merge", "a.jsonl", "-o", "a.jsonl").code == 2
    assert command("report", "merge", "a.jsonl", "-o", "all.jsonl").code == 5
    assert command("report", "merge", "none.jsonl").code == 4
    streamed = command("report", "merge", "a.jsonl", "-o", "-")
    assert streamed.out == (reports / "a.jsonl").read_bytes()
