"""Photos, lists, lights and outputs in buckets: the bytes of a local run, nothing lost or torn, no secret told."""

import hashlib
import json
import random
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bucket_server import Bucket, served_bucket
from command_line import Command
from photo_fixtures import noise

from relight_cli.jobs.inputs import expand_inputs
from relight_cli.jobs.shards import Shard
from relight_cli.photos.header import read_record
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
from relight_cli.places import copies, objects, stores, transfers
from relight_cli.places.objects import place_of
from relight_cli.places.stores import store_of

TINY = ("--model", "tiny", "--max-side", 64)


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with served_bucket() as bucket:
        yield bucket


@pytest.fixture
def bucket(server: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, without pauses between attempts."""
    monkeypatch.setattr(transfers, "PAUSE", 0.01)
    keys = server.keys()
    for key in keys:
        server.client.delete_object(Bucket="bkt", Key=key)
    server.begin()
    return server


def png(number: int, folder: Path, size: int = 24) -> bytes:
    path = folder / f".photo{number}.png"
    write_photo(Photo(noise((size, size + 8, 3), seed=number)), path, overwrite=True)
    data = path.read_bytes()
    path.unlink()
    return data


def fill(bucket: Bucket, folder: Path, count: int) -> list[str]:
    """Put photos into in/ and in/sub/, and into a local folder of the same name; return their keys below in/."""
    names = [f"{'sub/' * (number % 2)}p {number}.png" for number in range(count)]
    for number, name in enumerate(names):
        data = png(number, folder)
        bucket.put(f"in/{name}", data)
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(data)
    bucket.put("in/", b"")  # what consoles make of a folder
    bucket.put("in/notes.txt", b"none")
    return names


def hashes(bucket: Bucket, prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): hashlib.sha256(bucket.get(key)).hexdigest() for key in bucket.keys(prefix)}


def local_hashes(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def entries(text: str | bytes) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_bucket_gets_the_bytes_of_a_folder_and_is_resumed_without_reading(
    command: Command, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PAGE", 3)
    names = fill(bucket, tmp_path, 8)
    assert command("deshadow", "in", "-r", *TINY, "-o", "out/").code == 0
    base = ("deshadow", "s3://bkt/in/", "-r", *TINY, "-o", "s3://bkt/out/")
    bucket.begin()
    for number in (1, 2):
        report = f"s3://bkt/reports/{number}.jsonl"
        done = command(*base, "--shard", f"{number}/2", "--report", report)
        assert done.code == 0, done.err
        inputs = {entry["input"] for entry in entries(bucket.get(f"reports/{number}.jsonl"))}
        assert inputs == {f"s3://bkt/in/{name}" for name in names if Shard(number, 2).has(name)}
    assert hashes(bucket, "out/") == local_hashes(tmp_path / "out") != {}
    photos_read = [path for method, path, _ in bucket.requests if method == "GET" and "/bkt/in/" in path]
    assert len(photos_read) == len(names)  # each once
    assert not [path for method, path, _ in bucket.requests if method == "GET" and "/bkt/out/" in path]
    assert len([path for method, path, _ in bucket.requests if "prefix=in%2F" in path]) == 2 * -(-10 // 3)
    head = bucket.head("out/p 0_deshadowed.png")
    assert head["ContentType"] == "image/png"
    assert set(head["Metadata"]) == {"relightmade", "relightphoto", "relightsource", "relightwrite"}
    bucket.begin()
    assert "8 skipped" in command(*base, "--skip-existing").err
    assert not [request for request in bucket.requests if request[0] != "HEAD" and "list-type" not in request[1]]
    merged = command(
        "report", "merge", "s3://bkt/reports/1.jsonl", "s3://bkt/reports/2.jsonl", "-o", "s3://bkt/r.jsonl"
    )
    assert (merged.code, len(entries(bucket.get("r.jsonl")))) == (0, 8)


def test_a_changed_photo_or_recipe_is_made_again_and_foreign_objects_stay(
    command: Command, bucket: Bucket, tmp_path: Path
) -> None:
    fill(bucket, tmp_path, 4)
    base = ("deshadow", "s3://bkt/in/", *TINY, "-o", "s3://bkt/out/", "--skip-existing", "--report", "s3://bkt/r.jsonl")
    assert command(*base).code == 0
    bucket.put("in/p 0.png", png(9, tmp_path))
    bucket.put("out/p 2_deshadowed.png", b"someone else's")
    done = command(*base)
    assert "1 done, 1 skipped" in done.err
    assert "s3://bkt/out/p 2_deshadowed.png: left as it is" in done.err
    assert bucket.get("out/p 2_deshadowed.png") == b"someone else's"
    assert "1 done, 1 skipped" in command(*base, "--strength", "0.5").err
    assert [entry["status"] for entry in entries(bucket.get("r.jsonl"))] == ["done"] * 3 + [
        "skipped",
        "done",
        "skipped",
    ]


def test_an_object_that_appears_meanwhile_is_never_replaced(command: Command, bucket: Bucket, tmp_path: Path) -> None:
    fill(bucket, tmp_path, 1)

    def another(method: str, path: str, number: int) -> None:
        if method == "PUT" and "out" in path:
            bucket.put("out/x.png", b"first")

    bucket.begin(another)
    done = command("deshadow", "s3://bkt/in/p 0.png", *TINY, "-o", "s3://bkt/out/x.png")
    assert done.code == 5
    assert done.lines == ["relight-cli: s3://bkt/out/x.png: the object exists; pass --overwrite or choose another name"]
    assert bucket.get("out/x.png") == b"first"


@pytest.mark.parametrize("seed", [1, 2])
def test_faults_lose_nothing_and_tear_nothing(command: Command, bucket: Bucket, tmp_path: Path, seed: int) -> None:
    names = fill(bucket, tmp_path, 10)
    assert command("deshadow", "in", "-r", *TINY, "-o", "out/").code == 0
    chance = random.Random(seed)
    injected: list[str] = []

    def faulty(method: str, path: str, number: int) -> str | None:
        if chance.random() > 0.2:
            return None
        injected.append(chance.choice(["503", "drop", "lost", "slow", *(["cut"] if method == "GET" else [])]))
        return injected[-1]

    bucket.begin(faulty)
    done = command("deshadow", "s3://bkt/in/", "-r", *TINY, "-o", "s3://bkt/out/", "--report", "s3://bkt/r.jsonl")
    assert len(set(injected)) >= 4
    assert done.code == 0, done.err
    assert hashes(bucket, "out/") == local_hashes(tmp_path / "out")
    reported = sorted(entry["input"] for entry in entries(bucket.get("r.jsonl")))
    assert reported == sorted(f"s3://bkt/in/{name}" for name in names)


def test_a_store_that_is_down_costs_one_photo_a_line_and_leaves_nothing(
    command: Command, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(store_of("s3").system), "retries", 2)
    fill(bucket, tmp_path, 3)
    bucket.begin(lambda method, path, number: "503" if "p%200" in path and method == "PUT" else None)
    done = command("deshadow", "s3://bkt/in/", *TINY, "-o", "s3://bkt/out/", "--report", "r.jsonl")
    assert done.code == 23
    assert done.lines[0].startswith(
        "s3://bkt/in/p 0.png: s3://bkt/out/p 0_deshadowed.png: cannot be written (An error occurred (SlowDown)"
    )
    assert bucket.keys("out/") == ["out/p 2_deshadowed.png"]


def test_parts_are_put_together_last_and_taken_back_after_a_fault(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PART", 5 << 20)
    data = random.Random(0).randbytes(11 << 20)
    (tmp_path / "x").write_bytes(data)
    target = place_of("s3://bkt/big.png")
    assert isinstance(target, objects.ObjectPath)
    monkeypatch.setattr(type(store_of("s3").system), "retries", 2)
    bucket.begin(lambda method, path, number: "503" if "partNumber=2" in path else None)
    with pytest.raises(OSError, match="SlowDown"):
        target.upload(tmp_path / "x", overwrite=False)
    assert (bucket.keys(), bucket.uploads()) == ([], [])
    bucket.begin()
    target.upload(tmp_path / "x", overwrite=False)
    assert bucket.get("big.png") == data
    with pytest.raises(FileExistsError):
        target.upload(tmp_path / "x", overwrite=False)


def test_names_prefixes_globs_and_lists(command: Command, bucket: Bucket, tmp_path: Path) -> None:
    keys = ["a/1.png", "a/[1].png", "a/ä %2B+&.png", "a/x/3.png", "a//4.png", "a/.trash-1/5.png", "ab/6.png", "a/7"]
    for number, key in enumerate(keys):
        bucket.put(key, png(number, tmp_path))

    def read(*names: str) -> list[str]:
        found = expand_inputs([name for name in names if name != "-r"], recursive="-r" in names)
        return [str(source.path).removeprefix("s3://bkt/") for source in found]

    below = ["a/1.png", "a/[1].png", "a/ä %2B+&.png"]
    assert sorted(read("s3://bkt/a")) == sorted(read("s3://bkt/a/")) == sorted(below)
    assert sorted(read("s3://bkt/a/", "-r")) == sorted([*below, "a/x/3.png", "a//4.png"])
    assert read("s3://bkt/a/[1].png") == ["a/[1].png"]
    assert read("s3://bkt/a/[0-9].png") == ["a/1.png"]
    assert sorted(read("s3://bkt/a*/*.png")) == sorted([*below, "ab/6.png"])
    assert read("s3://bkt/a/7", "s3://bkt/a/7") == ["a/7"]
    bucket.put("list.txt", b"s3://bkt/a/1.png\ns3://bkt/ab/\n")
    assert read("@s3://bkt/list.txt") == ["a/1.png", "ab/6.png"]
    listed = command("deshadow", "@-", "-o", "out/", "-n", *TINY, stdin=b"s3://bkt/a/[1].png\n")
    assert b"make     s3://bkt/a/[1].png -> out/[1]_deshadowed.png" in listed.out
    (tmp_path / "1.png").write_bytes(bucket.get("a/1.png"))
    assert command("deshadow", f"file://{tmp_path}/1.png", *TINY).code == 0
    assert (tmp_path / "1_deshadowed.png").is_file()
    assert command("deshadow", "s3://bkt/none/", *TINY, "-o", "out/").code == 2
    assert command("deshadow", "s3://nothing/none/", *TINY, "-o", "out/").code == 4
    assert command("deshadow", "s3:///none/", *TINY, "-o", "out/").code == 2


def test_what_is_read_besides_photos_and_written_besides_outputs(
    command: Command, bucket: Bucket, tmp_path: Path
) -> None:
    for name in ("photo", "other"):
        bucket.put(f"{name}.png", png(len(name), tmp_path, 64))
    write_photo(Photo(noise((64, 72, 1))), tmp_path / "grey.png")
    bucket.put("grey.png", (tmp_path / "grey.png").read_bytes())
    (tmp_path / "photo.png").write_bytes(bucket.get("photo.png"))
    base = ("relight", "s3://bkt/photo.png", "--model", "tiny", "-o")
    more = ("--light", "noon", "--save-light", "s3://bkt/noon.toml", "--save-shading")
    assert command(*base, "s3://bkt/out/a.png", *more).code == 0
    assert sorted(bucket.keys()) == [
        "grey.png",
        "noon.toml",
        "other.png",
        "out/a.png",
        "out/a_shading.png",
        "photo.png",
    ]
    lit = ("--light", "s3://bkt/noon.toml", "--mask", "s3://bkt/grey.png", "--depth", "s3://bkt/grey.png")
    done = command(*base, "b.png", *lit, "--report", "r.jsonl")
    assert done.code == 0, done.err
    bucket.client.download_file("bkt", "noon.toml", str(tmp_path / "noon.toml"))
    lit = ("--light", "noon.toml", "--mask", "grey.png", "--depth", "grey.png")
    assert command("relight", "photo.png", "--model", "tiny", "-o", "c.png", *lit).code == 0
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()
    bucket.begin()
    assert command(*base, "d.png", "--light", "s3://bkt/other.png").code == 0
    assert [path for method, path, _ in bucket.requests if method == "GET"].count("/bkt/other.png") == 1
    missing = command(*base, "e.png", "--light", "s3://bkt/none.png")
    assert (missing.code, missing.lines) == (4, ["relight-cli: s3://bkt/none.png: cannot be read (no such object); "
        "check the name, your credentials and the connection"])  # fmt: skip


def test_headers_are_read_by_ranges(command: Command, bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("big.png", png(1, tmp_path, 900))
    assert bucket.head("big.png")["ContentLength"] > 2 << 20
    bucket.begin()
    photo = place_of("s3://bkt/big.png")
    assert read_record(photo) is None
    ranges = [found for method, _, found in bucket.requests if method == "GET"]
    spans = [int(end) - int(start) + 1 for start, end in (one.removeprefix("bytes=").split("-") for one in ranges)]
    assert 0 < sum(spans) <= 5 * stores.BLOCK


def test_signatures_and_passwords_are_never_told(command: Command, bucket: Bucket, tmp_path: Path) -> None:
    for name in ("a", "b"):
        bucket.put(f"{name}.png", png(len(name), tmp_path, 64))
    signed = [bucket.signed(f"{name}.png") for name in ("a", "b")]
    secret = re.compile("Signature|TESTKEYID|TESTSECRET|user:word")
    assert all(secret.search(url) for url in signed)
    bucket.put("list.txt", "\n".join(signed).encode())
    done = command("relight", "@s3://bkt/list.txt", "--model", "tiny", "--light", signed[1], "-o", "out/", "-v",
        "--report", "r.jsonl")  # fmt: skip
    assert done.code == 0, done.err
    assert [entry["input"].partition("/bkt/")[2] for entry in entries((tmp_path / "r.jsonl").read_text())] == [
        "a.png",
        "b.png",
    ]
    outputs = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    told = done.err + (tmp_path / "r.jsonl").read_text() + outputs.decode("latin-1")
    bad = (
        signed[0].replace("/bkt/", "/bkt/none/"),
        signed[0].replace("http://", "http://user:word@").replace("/a.png", "/c.png"),
    )
    for url in (*bad, "s3://user:word@bkt/a.png"):
        failed = command("deshadow", url, *TINY, "-o", "s3://bkt/x/", "-v")
        assert failed.code in (2, 4), failed.err
        told += failed.err
    bucket.begin(lambda method, path, number: "503" if "Signature" in path else None)
    down = command("deshadow", *signed, *TINY, "-o", "x/", "-v", "--progress", "json", "--report", "r.jsonl")
    assert down.code == 23
    told += down.err + (tmp_path / "r.jsonl").read_text()
    assert not secret.search(told)


def test_what_cannot_be_is_one_line(
    command: Command, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bucket, tmp_path, 1)
    cases = {
        ("deshadow", "https://127.0.0.1/a.png"): (2, "a web server is only read"),
        ("deshadow", "in/p 0.png", "-o", "http://127.0.0.1/"): (2, "a web server is only read"),
        ("deshadow", "in/p 0.png", "--report", "http://127.0.0.1/r"): (2, "a web server is only read"),
        ("interpolate-timelapse", "s3://bkt/in/", "--between", "1"): (2, "a timelapse needs files"),
        ("interpolate-timelapse", "s3://nothing/in/", "--between", "1"): (2, "a timelapse needs files"),
        ("interpolate-timelapse", "in", "--between", "1", "-o", "s3://bkt/o/"): (2, "a timelapse needs files"),
        ("deshadow", "s3://bkt/in/p 0.png", "-o", "s3://nothing/"): (5, "s3://nothing/p 0_deshadowed.png"),
    }
    for words, (code, said) in cases.items():
        done = command(*words, *(TINY if words[0] == "deshadow" else ()))
        assert (done.code, len(done.lines)) == (code, 1), done.err
        assert said in done.err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    store_of.cache_clear()
    done = command("deshadow", "s3://bkt/in/p 0.png", *TINY, "-o", "x/")
    assert done.code == 4
    assert "credentials" in done.lines[-1]
    store_of.cache_clear()
    monkeypatch.setattr(stores, "find_spec", lambda name: None)
    for words in (("s3://bkt/in/", "-o", "x/"), ("in/p 0.png", "-o", "gs://bkt/")):
        done = command("deshadow", *words, *TINY)
        assert done.code == 3
        assert done.lines[0].endswith(":// needs an extra: pip install 'relight-cli[remote]'")
    store_of.cache_clear()


def test_threads_that_begin_at_once_have_one_folder_of_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    copies.remove_copies()
    make, both = tempfile.mkdtemp, threading.Barrier(3)

    def slow(**options: str) -> str:
        time.sleep(0.02)
        return make(**options)

    def new_file(number: int) -> Path:
        both.wait(20)
        return copies.new_file(f"{number}.png")

    monkeypatch.setattr(tempfile, "mkdtemp", slow)
    with ThreadPoolExecutor(3) as pool:
        files = list(pool.map(new_file, range(3)))
    copies.remove_copies()
    assert [file for file in files if file.exists()] == []


def test_layers_go_to_a_bucket(command: Command, bucket: Bucket, tmp_path: Path) -> None:
    fill(bucket, tmp_path, 2)
    base = ("albedo", "-r", *TINY)
    assert command(*base, "in", "-o", "out", "--layers", "layers").code == 0
    done = command(*base, "s3://bkt/in/", "-o", "s3://bkt/out/", "--layers", "s3://bkt/layers/")
    assert (done.code, hashes(bucket, "layers/")) == (0, local_hashes(tmp_path / "layers"))
    assert len(bucket.keys("layers/")) == 2
    again = command(*base, "s3://bkt/in/", "-o", "s3://bkt/out/", "--layers", "s3://bkt/layers/", "--skip-existing")
    assert (again.code, hashes(bucket, "layers/")) == (0, local_hashes(tmp_path / "layers"))
