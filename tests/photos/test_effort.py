"""--effort: every format at every effort, what it changes, and what it does not."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from photo_fixtures import noise
from PIL import Image

import relight_cli
from relight_cli.errors import UsageError
from relight_cli.photos.codecs import png_encoding
from relight_cli.photos.effort import Effort
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.provenance import history
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

SUFFIXES = (".jpg", ".png", ".webp", ".tif", ".avif", ".jp2", ".heic", ".exr")
KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "HEIF", "EXR")
# uint16 HEIF is rounded to 10 bits; grey is not stored as grey by WebP.
LOSSLESS = (("PNG", "uint8"), ("PNG", "uint16"), ("TIFF", "uint8"), ("TIFF", "uint16"), ("TIFF", "float32"))
LOSSLESS += (("WEBP", "uint8"), ("JPEG2000", "uint8"), ("JPEG2000", "uint16"), ("HEIF", "uint8"), ("EXR", "float32"))
TINY = ("--model", "tiny", "--strength", "0", "-q")


def photographic(height: int, width: int) -> np.ndarray:
    """Return a smooth picture with edges and grain, (H, W, 3), uint8."""
    rows, columns = np.mgrid[:height, :width]
    light = 110 + 60 * np.sin(columns / 37) * np.cos(rows / 23) + 40 * (columns > rows)
    grain = np.random.default_rng(0).normal(0, 2, (height, width, 3))
    return (light[..., None] * (1, 0.9, 0.8) + grain).clip(0, 255).astype(np.uint8)


def encoded(photo: Photo, kind: str, effort: str, quality: int = 95) -> bytes:
    file = io.BytesIO()
    write_photo(photo, file, format=kind, effort=effort, quality=quality)
    return file.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return read_photo(io.BytesIO(data), max_pixels=10**6).pixels


def decibels(found: np.ndarray, own: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((found / 255.0 - own / 255.0) ** 2)))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photographic(48, 64)).save("photo.png")
    return tmp_path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_written_at_every_effort(command: Command, scene: Path, suffix: str) -> None:
    files = {}
    for effort in ("", *Effort):
        chosen = ("--effort", effort) if effort else ()
        name = f"{effort or 'none'}{suffix}"
        assert command("deshadow", "photo.png", *TINY, *chosen, "-o", name).code == 0
        files[effort] = Path(name).read_bytes()
        assert read_photo(Path(name), max_pixels=10**6).pixels.shape == (48, 64, 3)
    assert files[""] == files["default"]  # the default is not recorded


@pytest.mark.parametrize("task", ["relight", "albedo"])
def test_other_commands_take_the_effort(command: Command, scene: Path, task: str) -> None:
    light = ("--light", "photo.png") if task == "relight" else ()
    for effort in ("fast", "small"):
        assert command(task, "photo.png", *light, *TINY, "--effort", effort, "-o", f"{effort}.webp").code == 0
    assert Path("fast.webp").read_bytes() != Path("small.webp").read_bytes()


def test_frames_of_a_timelapse_take_the_effort(command: Command, scene: Path) -> None:
    Path("in").mkdir()
    for number in range(2):
        Image.fromarray(photographic(48, 64) + np.uint8(number)).save(f"in/{number}.webp", lossless=True)
    for effort in ("fast", "small"):
        arguments = ("in", "--between", "1", "--mode", "image", "--effort", effort, "-o", effort, "-q")
        assert command("interpolate-timelapse", *arguments).code == 0
    assert Path("fast/frame_0002.webp").read_bytes() != Path("small/frame_0002.webp").read_bytes()


def test_an_unknown_effort_is_refused(command: Command, scene: Path) -> None:
    done = command("deshadow", "photo.png", *TINY, "--effort", "best")
    assert done.code == 2
    assert "effort" in " ".join(done.lines)
    with pytest.raises(UsageError, match="effort best is not known: give fast, default, small"):
        write_photo(Photo(photographic(4, 4)), io.BytesIO(), format="PNG", effort="best")
    assert relight_cli.Effort is Effort


def test_an_effort_is_recorded_if_it_is_not_the_default(command: Command, scene: Path) -> None:
    def made(*more: str) -> list[str]:
        done = command("deshadow", "photo.png", *TINY, "-o", "out.webp", "--report", "r.jsonl", *more)
        assert done.code == 0
        return [json.loads(line)["status"] for line in Path("r.jsonl").read_text().splitlines()][-1:]

    def recorded() -> str | None:
        xmp = read_photo(Path("out.webp"), max_pixels=10**6).metadata.xmp
        return json.loads(history(xmp or b"")[-1]["parameters"])["options"].get("effort")

    assert (made(), recorded()) == (["done"], None)
    assert made("--skip-existing", "--effort", "default") == ["skipped"]
    assert (made("--skip-existing", "--effort", "fast"), recorded()) == (["done"], "fast")
    assert made("--skip-existing", "--effort", "fast") == ["skipped"]
    assert (made("--skip-existing"), recorded()) == (["done"], None)


@pytest.mark.parametrize(("kind", "dtype"), LOSSLESS)
def test_lossless_formats_stay_lossless_at_every_effort(kind: str, dtype: str) -> None:
    pixels = noise((20, 30, 3), dtype)
    for effort in Effort:
        found = decoded(encoded(Photo(pixels), kind, effort, quality=100))
        assert found.dtype == pixels.dtype
        np.testing.assert_array_equal(found, pixels) if kind != "EXR" else None
    if kind == "EXR":  # holds linear light: the same at every effort
        light = [decoded(encoded(Photo(pixels), kind, effort)) for effort in Effort]
        assert all(np.array_equal(light[0], other) for other in light[1:])


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "JPEG2000", "HEIF"])
def test_lossy_pictures_are_as_good_at_every_effort(kind: str) -> None:
    own = photographic(256, 320)
    found = {effort: decibels(decoded(encoded(Photo(own), kind, effort)), own) for effort in Effort}
    assert max(found.values()) - min(found.values()) < 0.35


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
def test_small_files_are_the_smallest(kind: str) -> None:
    files = [encoded(Photo(photographic(256, 320)), kind, effort) for effort in Effort]
    assert len(files[2]) <= 1.02 * min(map(len, files))
    assert files[2] != files[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_of_many_strips_is_one_stream(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_encoding, "_STRIP", 3000)
    own = photographic(90, 70)[..., :channels]
    for effort in Effort:
        file = io.BytesIO()
        png_encoding.encode_png(file, own, Metadata(), effort)
        with Image.open(file) as image:  # checks the checksum of the stream
            np.testing.assert_array_equal(np.asarray(image).reshape(own.shape), own)


# Prints the hash of a picture in each format; the first argument is the number of cores.
_HASHES = """
import hashlib, io, os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import numpy as np
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
pixels = np.load(sys.argv[2])
for kind in sys.argv[3].split(","):
    for effort in ("fast", "default", "small"):
        file = io.BytesIO()
        write_photo(Photo(pixels), file, format=kind, effort=effort)
        print(kind, effort, hashlib.sha256(file.getvalue()).hexdigest())
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two cores to choose from"
)
def test_bytes_do_not_depend_on_the_number_of_cores(tmp_path: Path) -> None:
    np.save(
        tmp_path / "own.npy", photographic(600, 700)
    )  # more than one tile of AVIF, chunk of EXR, block of JPEG 2000

    def hashes(cores: int) -> list[str]:
        program = [sys.executable, "-c", _HASHES, str(cores), str(tmp_path / "own.npy"), ",".join(KINDS)]
        return subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()

    one = hashes(1)
    assert len(one) == len(KINDS) * len(Effort)
    assert one == hashes(2)
