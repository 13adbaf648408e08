"""Output of decoders stays off the terminal; output of other threads passes."""

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from command_line import Run
from photo_fixtures import dng, noise, smooth
from PIL import Image

from relight_cli.photos.codecs.quiet import quiet
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo


def test_each_broken_file_is_one_line(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    pytest.importorskip("OpenEXR")
    kinds = {".dng": dng(smooth(64, 96))}
    for suffix, save in {
        ".exr": lambda file: write_photo(Photo(noise((40, 60, 3), "float32")), file, format="EXR"),
        ".tif": lambda file: Image.fromarray(noise((40, 60, 4)), "CMYK").save(file, "TIFF", compression="tiff_lzw"),
    }.items():
        save(file := io.BytesIO())
        kinds[suffix] = file.getvalue()
    (tmp_path / "in").mkdir()
    generator, bad = np.random.default_rng(2), set()
    for suffix, data in kinds.items():
        (tmp_path / "in" / f"good-{suffix[1:]}{suffix}").write_bytes(data)
        for number in range(8):
            bad.add(name := f"in/bad{number}-{suffix[1:]}{suffix}")
            (tmp_path / name).write_bytes(data[: generator.integers(len(data) // 4, len(data) * 3 // 4)])
    done = run("albedo", "in", "--model", "tiny", "--strength", "0", "-o", "out", "-q")
    *lines, summary = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (23, b"")
    assert summary.startswith("27 photos: 3 done, 24 failed, in ")
    assert sorted(line.split(": ")[0] for line in lines) == sorted(bad)
    assert all("damaged" in line or "cut off" in line or "known format" in line for line in lines)


def test_other_threads_come_through(capfd: pytest.CaptureFixture[str]) -> None:
    inside, printed = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait(10)
        print("from another thread")
        printed.set()

    thread = threading.Thread(target=other)
    thread.start()
    with quiet():
        os.write(2, b"output of a C library\n")
        print("its output from Python")
        inside.set()
        assert printed.wait(10)
    thread.join()
    os.write(2, b"after it\n")
    print("as before")
    assert capfd.readouterr() == ("from another thread\nas before\n", "after it\n")


def test_an_error_inside_restores_the_streams(capfd: pytest.CaptureFixture[str]) -> None:
    stdout = sys.stdout
    with pytest.raises(ValueError, match="within"), quiet():
        raise ValueError("within")
    assert sys.stdout is stdout
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_a_closed_stderr_is_allowed() -> None:
    program = """
import os
os.close(2)
from relight_cli.photos.codecs.quiet import quiet
with quiet():
    pass
print(os.open(os.devnull, 0))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "2\n")
