"""Runs with many photos: inputs, names of outputs, --skip-existing, order, memory and failures."""

import json
import os
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Command
from photo_fixtures import noise

from relight_cli.checkpoints import models
from relight_cli.devices import Compute
from relight_cli.jobs import batch, reading_ahead
from relight_cli.jobs.reading_ahead import ReadAhead
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

# With strength 0 the photo stays as it is and no network runs: these tests are about everything else.
SAME = ("--model", "tiny", "--strength", "0")


def put(name: str | Path, seed: int = 0, size: tuple[int, int] = (6, 8)) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(Photo(noise((*size, 3), seed=seed)), path)
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def report(path: str = "r.jsonl") -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def pixels(path: Path | str) -> np.ndarray:
    return read_photo(Path(path), max_pixels=10**6).pixels


# inputs


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\0"])
def test_lists_of_names(command: Command, ends: bytes) -> None:
    names = [b"a.png", b"[b].png", b"in/c.png", b"-d.png", b"@e.png", b"*.png", b"\xff.png"]
    for seed, name in enumerate(names):
        put(os.fsdecode(name), seed)
    Path("names").write_bytes(ends.join([*names, b"", b"gone.png"]))
    null = ["-0"] if ends == b"\0" else []
    done = command("albedo", "@names", *null, *SAME, "-o", "out", "--report", "r.jsonl")
    assert done.code == 23
    assert done.lines[0].startswith("gone.png: no such file")
    assert done.lines[1:] == [done.lines[-1]]
    assert [one["input"].encode(errors="surrogateescape") for one in report()] == [*names, b"gone.png"]
    again = command("albedo", "@-", *null, *SAME, "-o", "piped", stdin=Path("names").read_bytes())
    assert again.code == 23
    assert (
        files_in(Path("piped"))
        == files_in(Path("out"))
        == sorted(os.fsdecode(name.rsplit(b"/")[-1].replace(b".png", b"_albedo.png")) for name in names)
    )


def test_a_name_with_brackets_or_at_is_that_photo(command: Command) -> None:
    for name in ("@x.png", "[ab].png", "a.png"):
        put(name)
    assert command("albedo", "@x.png", "[ab].png", *SAME, "-o", "out").code == 0
    assert files_in(Path("out")) == ["@x_albedo.png", "[ab]_albedo.png"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["@none"], b"", "none: the list cannot be read"),
        (["@-"], b"\n\n", "the list names no photo"),
        (["@-"], b"a.png\0b.png\0", "give -0"),
        (["a.png", "-0"], b"", "-0 applies to lists"),
        (["@-", "-"], b"a.png", "stdin cannot be both"),
        (["@-", "--mask", "-"], b"a.png", "stdin cannot be both"),
    ],
)
def test_bad_lists_are_refused(command: Command, arguments: list[str], stdin: bytes, message: str) -> None:
    put("a.png")
    done = command("albedo", *arguments, *SAME, stdin=stdin)
    assert done.code in (2, 4)
    assert message in done.err
    assert len(done.lines) == 1


def test_trees_are_mirrored(command: Command) -> None:
    for name in ("in/a.png", "in/deep/a.png", "in/deep/er/b.png"):
        put(name)
    assert command("albedo", "in", "-r", *SAME, "-o", "out").code == 0
    assert files_in(Path("out")) == ["a_albedo.png", "deep/a_albedo.png", "deep/er/b_albedo.png"]
    assert command("albedo", "in", "-r", *SAME, "-o", "by/{task}/{stem}.tif").code == 0
    assert files_in(Path("by")) == ["albedo/a.tif", "deep/albedo/a.tif", "deep/er/albedo/b.tif"]


def test_the_tools_own_photos_are_left_out(command: Command) -> None:
    put("in/a.png")
    assert command("deshadow", "in", *SAME).code == 0
    again = command("albedo", "in", *SAME)
    assert again.code == 0
    assert "in/a_deshadowed.png: left out, because relight-cli made it." in again.lines
    assert files_in(Path("in")) == ["a.png", "a_albedo.png", "a_deshadowed.png"]
    by_shell = command("albedo", *sorted(Path("in").iterdir()), *SAME, "--skip-existing")
    assert by_shell.code == 0  # a_albedo.png is left out, as the output of a.png; a_deshadowed.png is an input
    assert files_in(Path("in")) == ["a.png", "a_albedo.png", "a_deshadowed.png", "a_deshadowed_albedo.png"]
    assert command("albedo", "in/*_deshadowed.png", *SAME, "-o", "out").code == 2


# names of outputs


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("out/{stem}-{task}.{ext}", ["out/a-albedo.png", "out/b-albedo.tif"]),
        ("out/{index}.png", ["out/1.png", "out/2.png"]),
        ("out/{index:03}/{stem}.{ext}", ["out/001/a.png", "out/002/b.tif"]),
        ("{stem}.{task}.jpg", ["a.albedo.jpg", "b.albedo.jpg"]),
    ],
)
def test_templates(command: Command, template: str, names: list[str]) -> None:
    put("a.png")
    put("b.tif")
    assert command("albedo", "a.png", "b.tif", *SAME, "-o", template).code == 0
    assert sorted({*files_in(Path())} - {"a.png", "b.tif"}) == names


@pytest.mark.parametrize(
    ("photo", "template", "message"),
    [
        ("a.png", "out/{name}.png", "{name} is not a field"),
        ("a.png", "out/{stem!r}.png", "is not a field"),
        ("a.png", "out/{stem.__class__}.png", "is not a field"),
        ("a.png", "out/{index:99999}.png", "is not a field"),
        ("a.png", "out/{}.png", "is not a field"),
        ("a.png", "out/{stem}.xyz", "not a known picture format"),
        ("a.png", "out/{stem}", "not a known picture format"),
        ("...png", "out/{stem}/x.png", "would leave its folder"),
        ("...png", "out/{stem}/{stem}/x.{ext}", "would leave its folder"),
    ],
)
def test_templates_never_leave_their_folder(command: Command, photo: str, template: str, message: str) -> None:
    put(photo)
    done = command("albedo", photo, *SAME, "-o", template)
    assert (done.code, len(done.lines)) == (2, 1)
    assert message in done.err
    assert files_in(Path()) == [photo]


@pytest.mark.parametrize("output", ["out/{task}.png", "out/{stem}.png"])
def test_names_that_clash_are_refused_before_anything(command: Command, output: str) -> None:
    put("a.png")
    put("a.jpg")
    done = command("albedo", "a.png", "a.jpg", *SAME, "-o", output)
    assert done.code == 2
    assert "a.png and a.jpg would both be written to out/" in done.err
    assert files_in(Path()) == ["a.jpg", "a.png"]


# --skip-existing


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a network was loaded with nothing to do")

    monkeypatch.setattr(models, "load_model", refuse)


def test_nothing_is_loaded_if_nothing_is_to_do(command: Command, request: pytest.FixtureRequest) -> None:
    put("a.png")
    put("b.jpg")
    assert command("albedo", "a.png", "b.jpg", *SAME).code == 0
    before = {path: Path(path).stat().st_ino for path in ("a_albedo.png", "b_albedo.jpg")}
    request.getfixturevalue("no_network")
    assert command("albedo", "a.png", "b.jpg", *SAME, "--skip-existing", "--report", "r.jsonl").code == 0
    assert [one["status"] for one in report()] == ["skipped", "skipped"]
    assert before == {path: Path(path).stat().st_ino for path in before}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_what_changed_is_done_again(command: Command, suffix: str) -> None:
    photos = [f"a{suffix}", f"b{suffix}"]
    for seed, name in enumerate(photos):
        put(name, seed)
    put("light.png")

    def statuses(*options: str) -> list[str]:
        Path("r.jsonl").unlink(missing_ok=True)
        arguments = (
            "relight",
            *photos,
            "--light",
            "light.png",
            "--reference",
            "latents",
            *SAME,
            *options,
            "--skip-existing",
        )
        assert command(*arguments, "--report", "r.jsonl").code == 0
        return [one["status"] for one in report()]

    assert statuses() == ["done", "done"]
    assert statuses("--tile-batch", "1", "--device", "cpu", "-q") == ["skipped", "skipped"]
    put_again = Photo(noise((6, 8, 3), seed=7))
    write_photo(put_again, Path(photos[0]), overwrite=True)
    assert statuses() == ["done", "skipped"]
    assert statuses("--quality", "90") == ["done", "done"]
    assert statuses("--quality", "90") == ["skipped", "skipped"]
    write_photo(put_again, Path("light.png"), overwrite=True)
    assert statuses("--quality", "90") == ["done", "done"]


def test_what_others_made_is_left_alone(command: Command) -> None:
    put("a.png")
    Path("a_albedo.png").write_bytes(b"mine")
    done = command("albedo", "a.png", *SAME, "--skip-existing")
    assert (done.code, len(done.lines)) == (0, 1)
    assert "left as it is" in done.err
    assert Path("a_albedo.png").read_bytes() == b"mine"


def test_the_report_tells_of_stripped_outputs(command: Command) -> None:
    for seed, name in enumerate(("a.png", "b.jpg")):
        put(name, seed)

    def statuses(*options: str) -> list[str]:
        before = len(report()) if Path("r.jsonl").exists() else 0
        asked = ("deshadow", "a.png", "b.jpg", *SAME, "--strip", "--save-mask", "--skip-existing", *options)
        done = command(*asked, "--report", "r.jsonl")
        assert (done.code, len(done.lines)) == (0, 1)
        return [one["status"] for one in report()[before:]]

    assert statuses() == ["done", "done"]
    assert statuses() == ["skipped", "skipped"]
    put("again.png", 7)
    Path("again.png").replace("a.png")
    assert statuses() == ["done", "skipped"]
    assert statuses("--quality", "90") == ["done", "done"]
    lines = Path("r.jsonl").read_text().splitlines()
    odd = [lines[0], "[1]", lines[-1][:100], *lines[1:], ""]  # a foreign line and a truncated one
    Path("r.jsonl").write_text("\n".join(odd))
    done = command("deshadow", "a.png", "b.jpg", *SAME, "--strip", "--skip-existing", "--report", "r.jsonl")
    assert done.lines == ["2 photos: 2 done, in " + done.lines[0].rpartition("in ")[2]]  # quality is not 90
    mine = Path("a_deshadowed.png")
    write_photo(Photo(noise((6, 8, 3), seed=9)), mine, overwrite=True)
    before = mine.read_bytes()
    done = command("deshadow", "a.png", *SAME, "--strip", "--skip-existing", "--report", "r.jsonl")
    assert "left as it is" in done.err  # it is no longer the file in the report
    assert mine.read_bytes() == before


def test_a_layer_that_is_missing_is_made(command: Command) -> None:
    put("a.png")
    assert command("deshadow", "a.png", *SAME).code == 0
    assert command("deshadow", "a.png", *SAME, "--save-mask", "--skip-existing").code == 0
    assert files_in(Path()) == ["a.png", "a_deshadowed.png", "a_deshadowed_mask.png"]


def test_a_layer_left_by_a_killed_run_does_not_block_its_photo(command: Command) -> None:
    for seed, name in enumerate(("a.png", "b.png")):
        put(name, seed)
    asked = ("deshadow", "a.png", "b.png", *SAME, "--save-mask")
    assert command(*asked).code == 0
    whole = {path: path.read_bytes() for path in Path().glob("*_deshadowed*.png")}
    Path("a_deshadowed.png").unlink()
    done = command(*asked, "--skip-existing")
    assert (done.code, "2 photos: 1 done, 1 skipped" in done.err) == (0, True)
    assert {path: path.read_bytes() for path in Path().glob("*_deshadowed*.png")} == whole
    Path("a_deshadowed.png").unlink()
    Path("a_deshadowed_mask.png").write_bytes(b"mine")
    done = command(*asked, "--skip-existing")
    assert (done.code, "did not make a_deshadowed_mask.png" in done.err) == (0, True)
    assert Path("a_deshadowed_mask.png").read_bytes() == b"mine"
    assert not Path("a_deshadowed.png").exists()


def test_a_layer_that_others_made_is_left_alone(command: Command) -> None:
    put("a.png")
    assert command("deshadow", "a.png", *SAME).code == 0
    Path("a_deshadowed_mask.png").write_bytes(b"mine")
    done = command("deshadow", "a.png", *SAME, "--save-mask", "--skip-existing")
    assert (done.code, len(done.lines)) == (0, 1)
    assert Path("a_deshadowed_mask.png").read_bytes() == b"mine"


# order, memory and failures


def test_the_next_photo_is_read_and_the_previous_written_during_the_work(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [put(f"{number}.png", number).name for number in range(4)]
    events: list[str] = []
    reached = {f"read {name}": threading.Event() for name in names} | {
        f"wrote {name}": threading.Event() for name in names
    }
    reader, writer, change = ReadAhead.read, batch.Batch._write, batch.Batch._change

    def note(event: str) -> None:
        events.append(event)
        if event in reached:
            reached[event].set()

    def read(self: ReadAhead, path: Path) -> batch.Original:
        original = reader(self, path)
        note(f"read {path}")
        return original

    def write(self: batch.Batch, job: batch.Job, changed: batch.Changed) -> batch.Written:
        written = writer(self, job, changed)
        note(f"wrote {job.source}")
        return written

    def work(self: batch.Batch, job: batch.Job, original: batch.Original) -> batch.Changed:
        place = names.index(str(job.source))
        for event in [f"wrote {names[place - 1]}"] * (place > 0) + [f"read {name}" for name in names[place + 1 :][:1]]:
            assert reached[event].wait(10), f"{event} did not happen while {job.source} was worked on"
        note(f"changed {job.source}")
        return change(self, job, original)

    monkeypatch.setattr(batch, "LARGE", 1)
    monkeypatch.setattr(reading_ahead, "LARGE", 1)
    monkeypatch.setattr(ReadAhead, "read", read)
    monkeypatch.setattr(batch.Batch, "_write", write)
    monkeypatch.setattr(batch.Batch, "_change", work)
    assert command("albedo", *names, *SAME, "--report", "r.jsonl").code == 0
    assert [one["input"] for one in report()] == names
    for last, after in zip(names[:-2], names[2:], strict=True):  # at most two photos are held
        assert events.index(f"wrote {last}") < events.index(f"read {after}")


@pytest.mark.parametrize(("suffix", "waits"), [(".avif", True), (".jp2", True), (".jpg", False)])
def test_no_memory_hungry_encoder_runs_with_the_network(
    command: Command, monkeypatch: pytest.MonkeyPatch, suffix: str, waits: bool
) -> None:
    names = [put(f"{number}.png", number).name for number in range(3)]
    events: list[str] = []
    begun = threading.Event()
    writer, change = batch.Batch._write, batch.Batch._change

    def write(self: batch.Batch, job: batch.Job, made: batch.Changed) -> batch.Written:
        begun.wait(0.3 if waits else 30)  # wait for the work on the next photo, if it may start
        written = writer(self, job, made)
        events.append(f"wrote {job.source}")
        return written

    def work(self: batch.Batch, job: batch.Job, original: batch.Original) -> batch.Changed:
        events.append(f"began {job.source}")
        if job.source.name == names[1]:
            begun.set()
        return change(self, job, original)

    monkeypatch.setattr(batch, "LARGE", 1)
    monkeypatch.setattr(batch.Batch, "_write", write)
    monkeypatch.setattr(batch.Batch, "_change", work)
    template = "{stem}_albedo" + suffix
    assert command("albedo", *names, *SAME, "--device", "cpu", "-o", template).code == 0
    assert (events.index("wrote 0.png") < events.index("began 1.png")) is waits


def test_a_summary_and_a_report(command: Command) -> None:
    for name in ("a.png", "b.png"):
        put(name)
    Path("bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    assert command("albedo", "a.png", *SAME).err == ""
    done = command("albedo", "a.png", "bad.png", "b.png", *SAME, "--skip-existing", "--report", "r.jsonl", "-q")
    assert done.code == 23
    assert len(done.lines) == 2
    assert done.lines[-1].startswith("3 photos: 1 done, 1 skipped, 1 failed, in ")
    assert [one["status"] for one in report()] == ["skipped", "failed", "done"]
    wanted = {"input", "output", "status", "error", "seconds", "model", "revision", "sha256", "options", "version"}
    assert all(wanted <= set(one) for one in report())


def broken(good: list[Path], folder: Path, count: int) -> None:
    """Make broken copies of good photos: truncated, damaged, renamed, empty, of another kind."""
    generator = np.random.default_rng(1)
    for number in range(count):
        source = good[number % len(good)]
        data = bytearray(source.read_bytes())
        kind = number % 5
        if kind == 0:
            data = data[: generator.integers(1, len(data) // 2)]
        elif kind == 1:
            data[8:40] = generator.bytes(32)  # the header
        elif kind == 2:
            data = bytearray(generator.bytes(200))
        elif kind == 3:
            data = bytearray(b"" if number % 2 else b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
        else:
            data = bytearray(b"GIF89a" + data[6:])
        (folder / f"broken{number:03}{source.suffix}").write_bytes(data)


def test_good_photos_among_broken_ones(command: Command) -> None:
    suffixes = (".png", ".jpg", ".webp", ".tif", ".avif")
    good = [put(f"good/{number:02}{suffixes[number % 5]}", number, (40, 60)) for number in range(20)]
    Path("mixed").mkdir()
    for path in good:
        (Path("mixed") / path.name).write_bytes(path.read_bytes())
    broken(good, Path("mixed"), 200)
    assert command("albedo", "good", *SAME, "-o", "alone").code == 0
    done = command("albedo", "mixed", *SAME, "-o", "out", "--report", "r.jsonl")
    assert done.code == 23
    assert {path.name: path.read_bytes() for path in Path("alone").iterdir()} == {
        path.name: path.read_bytes() for path in Path("out").iterdir()
    }
    failed = [one for one in report() if one["status"] == "failed"]
    assert (len(failed), len(report())) == (200, 220)
    assert {one["error"] for one in failed} == {"PhotoUnreadableError"}
    assert len(done.lines) == 201
    assert all(line.startswith(one["input"]) for line, one in zip(done.lines, failed, strict=False))
    assert "Traceback" not in done.err


def test_memory_holds_at_most_one_more_photo(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    side = 400
    names = [str(put(f"{number}.png", number, (side, side))) for number in range(4)]
    write_photo(Photo(noise((8, 8, 3))), Path("warm.png"))
    assert command("albedo", "warm.png", *SAME).code == 0

    def peak(*photos: str) -> int:
        tracemalloc.start()
        assert command("albedo", *photos, *SAME, "--overwrite").code == 0
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    monkeypatch.setattr(batch, "LARGE", 1)
    monkeypatch.setattr(batch, "HUGE", 1)  # one is written at a time: bands are not small next to these photos
    one_more = 3 * side * side  # decoded, in 8 bits
    alone, all_of_them = peak(names[0]), peak(*names)
    assert all_of_them < alone + 3.5 * one_more


@pytest.mark.parametrize("light", [(), ("--light", "light.png")])
def test_small_photos_together_give_the_bytes_of_each_alone(
    command: Command, monkeypatch: pytest.MonkeyPatch, light: tuple[str, ...]
) -> None:
    names = [put(f"{number}.png", number, (70 + number % 2 * 20, 90)).name for number in range(5)]
    put("light.png", 9, (40, 30))
    arguments = ("relight" if light else "deshadow", *light, "--model", "tiny", "--max-side", "0", "--tile-batch", "1")
    monkeypatch.setattr(Compute, "tiny_workers", 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in names:
            assert command(*arguments, name, "-o", "alone/").code == 0
        monkeypatch.setattr(Compute, "tiny_workers", 3)
        torch.set_num_threads(2)
        Path("bad.png").write_bytes(b"not a photo")
        done = command(*arguments, *names[:3], "bad.png", *names[3:], "-o", "together/", "--report", "r.jsonl")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert done.code == 23
    assert [one["input"] for one in report()] == [*names[:3], "bad.png", *names[3:]]
    assert [one["status"] for one in report()] == ["done"] * 3 + ["failed"] + ["done"] * 2
    assert files_in(Path("together")) == files_in(Path("alone"))
    for name in files_in(Path("alone")):
        assert Path("together", name).read_bytes() == Path("alone", name).read_bytes()


def test_small_photos_are_changed_together_and_memory_that_runs_out_is_saved(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [put(f"{number}.png", number, (20, 30)).name for number in range(4)]
    both, change, tried = threading.Barrier(2), batch.Batch._run_change, []

    def meet(self: batch.Batch, job: batch.Job, model: object, tiles: int, *more: object) -> object:
        tried.append(tiles)
        if tiles > 1:
            both.wait(30)  # breaks if only one photo is changed at a time
            raise MemoryError
        return change(self, job, model, tiles, *more)

    monkeypatch.setattr(Compute, "tiny_workers", 2)
    monkeypatch.setattr(batch.Batch, "_run_change", meet)
    assert command("deshadow", *names, "--model", "tiny", "--device", "cpu", "--report", "r.jsonl").code == 0
    assert tried[:2] == [2, 2]
    assert set(tried[2:]) == {1}
    assert [one["input"] for one in report()] == names


def test_the_same_run_gives_the_same_bytes(command: Command) -> None:
    put("a.png", size=(90, 70))
    put("light.png", 3, (40, 30))
    for output in ("one.png", "two.png"):
        assert (
            command(
                "relight", "a.png", "--light", "light.png", "--reference", "latents", "--model", "tiny", "-o", output
            ).code
            == 0
        )
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()
    assert (pixels("one.png") != pixels("a.png")).any()
