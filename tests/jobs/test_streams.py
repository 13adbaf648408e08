"""What stdout contains, and what happens when a device runs out of memory."""

import ctypes
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from photo_fixtures import noise

from relight_cli.jobs import batch
from relight_cli.jobs.memory import MemoryFallback
from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting import gain, mapping
from relight_cli.relighting.options import TileOptions
from relight_cli.timelapse import timelapse

TINY = ("--model", "tiny")
BY_TILES = (*TINY, "--tile-colour", "free")
SAME = (*TINY, "--strength", "0")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_photo(Photo(noise((40, 50, 3))), tmp_path / "a.png")
    return tmp_path / "a.png"


def test_output_of_libraries_is_not_in_the_picture(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = batch.Batch._change

    def noisy(self: batch.Batch, *arguments: object) -> list:
        print("from Python")
        os.write(1, b"from a system call\n")
        ctypes.CDLL(None).puts(b"from C")
        subprocess.run([sys.executable, "-S", "-c", "print('from a child')"], check=True)
        return change(self, *arguments)

    assert command("albedo", "a.png", *SAME).code == 0
    monkeypatch.setattr(batch.Batch, "_change", noisy)
    done = command("albedo", "-", *SAME, stdin=photo.read_bytes())
    assert done.out.startswith(b"\x89PNG\r\n\x1a\n")
    assert done.out.endswith(b"IEND\xaeB`\x82")
    assert b"from" not in done.out
    assert sorted(done.lines) == ["from C", "from Python", "from a child", "from a system call"]
    assert command("albedo", "a.png", *SAME, "-o", "-").out == Path("a_albedo.png").read_bytes()


STREAMS = """
import sys
sys.argv = ["relight-cli", "albedo", "a.png", "--model", "tiny", "--strength", "0", "-o", "{output}"]
from relight_cli.cli import main
main()
"""


def test_a_closed_pipe_ends_the_run_quietly(photo: Path) -> None:
    write_photo(Photo(noise((300, 400, 3))), photo, overwrite=True)  # more than a pipe holds
    program = STREAMS.format(output="-")
    command = f"'{sys.executable}' -c '{program}' | head -c1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=photo.parent, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"\x895\n", b"")


def test_closed_streams(photo: Path) -> None:
    for closed, output, code in (("<&- >&- 2>&-", "out.png", 0), (">&-", "-", 5)):
        program = STREAMS.format(output=output)
        command = f"'{sys.executable}' -c '{program}' {closed}"
        done = subprocess.run(["bash", "-c", command], cwd=photo.parent, capture_output=True, check=False)
        assert done.returncode == code, done.stderr
    assert done.stderr.count(b"\n") == 1
    assert b"stdout is closed" in done.stderr
    assert (photo.parent / "out.png").read_bytes().endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("output", ["-", "b.png"])
def test_a_photo_on_stdin(command: Command, photo: Path, output: str) -> None:
    done = command("albedo", "-", *SAME, "-o", output, stdin=photo.read_bytes())
    assert (done.code, done.err) == (0, "")
    assert (done.out or Path("b.png").read_bytes()).startswith(b"\x89PNG")
    assert command("albedo", "-", *SAME, "-o", "c.png", stdin=b"no picture").code == 4


# memory


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A device that holds one tile at a time; the value lists the tiles that were tried."""
    tried: list[int] = []
    change_light = mapping.change_light

    def limited(model: object, picture: object, target: object, change: object, tiling: TileOptions, *more: object):
        tried.append(tiling.batch)
        if tiling.batch > 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return change_light(model, picture, target, change, tiling, *more)

    monkeypatch.setattr(mapping, "change_light", limited)
    return tried


def test_fewer_tiles_when_memory_runs_out(command: Command, photo: Path, small_memory: list[int]) -> None:
    (photo.parent / "b.png").write_bytes(photo.read_bytes())
    done = command("albedo", "a.png", "b.png", *BY_TILES, "--tile-batch", "5", "-q")
    assert (done.code, done.err) == (0, "")
    assert small_memory == [5, 2, 1, 1]  # later photos start with one tile
    assert Path("a_albedo.png").exists()
    assert Path("b_albedo.png").exists()


def test_a_timelapse_continues_with_fewer_tiles(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        write_photo(Photo(noise((40, 50, 3), seed=number)), tmp_path / "in" / f"{number}.png")
    asked = ("interpolate-timelapse", "in", *TINY, "--deflicker", "3", "-q")
    assert command(*asked, "-o", "plenty", "--tile-batch", "1").code == 0
    keyframe, tried = timelapse.Keyframe, []

    def limited(*arguments: object, **options: object) -> timelapse.Keyframe:
        tried.append(arguments[2].batch)
        if tried[-1] > 1:
            raise RuntimeError("CUDA out of memory.")
        return keyframe(*arguments, **options)

    monkeypatch.setattr(timelapse, "Keyframe", limited)
    assert command(*asked, "-o", "little", "--tile-batch", "4").code == 0
    assert tried == [4, 2, 1, 1, 1]
    for path in Path("plenty").iterdir():
        assert path.read_bytes() == (Path("little") / path.name).read_bytes()


@pytest.mark.parametrize(("options", "part"), [(BY_TILES, "change_light"), (TINY, "map_whole")])
def test_out_of_memory_with_one_tile_on_the_cpu(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], part: str
) -> None:
    def never(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(mapping, part, never)
    done = command("albedo", "a.png", *options)
    assert (done.code, len(done.lines)) == (7, 1)
    assert "--tile-batch 1" in done.err
    assert command("albedo", "a.png", "a.png", "gone.png", *options).code == 23


def test_out_of_memory_while_writing(command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is reported, and not mistaken for metadata that the encoder refuses."""
    multiply_light = gain.multiply_light
    failures = iter([MemoryError])

    def fail_once(own: np.ndarray, stops: np.ndarray) -> np.ndarray:
        if failure := next(failures, None):
            raise failure
        return multiply_light(own, stops)

    monkeypatch.setattr(gain, "multiply_light", fail_once)
    done = command("albedo", "a.png", *TINY, "--max-side", "16")
    assert (done.code, len(done.lines)) == (7, 1)
    assert not Path("a_albedo.png").exists()
    assert command("albedo", "a.png", *TINY, "--max-side", "16").code == 0


def test_the_cpu_takes_over_in_the_dtype_that_was_asked_for() -> None:
    import torch

    import relight_cli as rl

    model = rl.load_model("tiny", tasks=("deshadow", "albedo"), dtype="bfloat16")
    fallback = MemoryFallback(replace(model, device="cuda:0"), 1, "bfloat16")

    def work(model: Model, batch: int) -> np.ndarray:
        if model.device != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        photo = rl.Photo(noise((40, 60, 3)))
        return np.stack([task(model, photo).photo.to_array() for task in (rl.deshadow, rl.albedo)])

    assert fallback.run(work).shape == (2, 40, 60, 3)


def test_the_cpu_takes_over(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    from relight_cli.checkpoints.tiny import load_tiny

    network = load_tiny().double()
    fallback = MemoryFallback(Model(network, "tiny", None, None, "cuda:0"), 2, "auto")
    tried: list[tuple[str, int]] = []

    def work(model: Model, batch: int) -> torch.Tensor:
        tried.append((model.device, batch))
        if model.device != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return next(network.parameters())

    assert fallback.run(work).dtype == torch.float32  # the dtype of tiny on a CPU
    assert tried == [("cuda:0", 2), ("cuda:0", 1), ("cpu", 2)]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "CPU" in lines[0]
    with pytest.raises(KeyError):  # other errors are not retried
        fallback.run(lambda model, batch: {}["x"])
