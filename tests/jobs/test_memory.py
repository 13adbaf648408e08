"""How much memory a photo takes on its way: count arrays and bytes, on medium-size pictures."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: F401  before the tracing, which is slow
from command_line import Command
from PIL import ExifTags, Image

from relight_cli.jobs import batch, reference
from relight_cli.jobs.reading import read_input
from relight_cli.photos import writing
from relight_cli.photos.codecs import png_encoding, tiff_encoding
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.bit_depth import in_depth
from relight_cli.rasters.rows import to_array

SIDES = (900, 1200)


@pytest.fixture
def traced() -> Iterator[None]:
    """Trace the memory of numpy and of Python."""
    tracemalloc.start(1)
    yield
    tracemalloc.stop()


def camera_photo(path: Path, dtype: type, seed: int = 0, sides: tuple[int, int] = SIDES) -> Photo:
    """Write a photo with noise and camera tags."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.01
    pixels = np.random.default_rng(seed).integers(85, 127, (*sides, 3), np.uint8)
    pixels = to_array(in_depth(pixels, np.dtype(dtype)))
    photo = Photo(pixels, metadata=Metadata(exif=exif.tobytes()[6:]))
    write_photo(photo, path)
    return photo


def copies_of(photo: Photo) -> int:
    """Count numpy's arrays of a photo's size, or of its size in floats or more."""
    by_numpy = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    traces = tracemalloc.take_snapshot().filter_traces([by_numpy]).traces
    own = photo.pixels
    return sum(trace.size == own.nbytes or trace.size >= 4 * own.size for trace in traces)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("task", ["relight", "deshadow"])
def test_the_photo_is_released_before_the_new_one_is_encoded(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    photo = camera_photo(tmp_path / "photo.jpg", np.uint8, sides=(300, 400))
    camera_photo(tmp_path / "reference.jpg", np.uint8, seed=1, sides=(300, 400))
    held = []
    changing, encoding = Photo.with_srgb, writing.encode

    def change(*arguments: object) -> Photo:
        changed = changing(*arguments)
        held.append(copies_of(photo))
        return changed

    def encode(*arguments: object, **named: object) -> object:
        held.append(copies_of(photo))
        return encoding(*arguments, **named)

    monkeypatch.setattr(reference, "KEPT_BYTES", 0)
    monkeypatch.setattr(Photo, "with_srgb", change)
    monkeypatch.setattr(writing, "encode", encode)
    light = ("--light", "reference.jpg", "--reference", "latents") if task == "relight" else ()
    done = command(task, "photo.jpg", *light, "--model", "tiny", "--no-detail")  # its rows can be read once
    assert done.code == 0, done.err
    assert held == [1 + 2, 1 + 1]  # the test itself holds one


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("task", "suffix", "dtype", "options"),
    [
        ("relight", "tif", np.uint16, ("--light", "reference.png", "--reference", "latents")),
        ("relight", "tif", np.float32, ("--light", "reference.png", "--reference", "latents", "--strength", 0.5)),
        ("deshadow", "png", np.uint16, ("--save-mask", "--mask", "photo.png")),
        ("albedo", "tif", np.uint16, ("--save-shading",)),
        ("deshadow", "webp", np.uint8, ()),
    ],
)
def test_a_photo_is_changed_and_written_in_bands(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
    suffix: str,
    dtype: type,
    options: tuple[object, ...],
) -> None:
    photo = camera_photo(tmp_path / f"photo.{suffix}", dtype, sides=(1500, 2000))
    camera_photo(tmp_path / "reference.png", np.uint8, seed=1, sides=(150, 200))
    changing, before = batch.Batch._change, []

    def change(*arguments: object) -> object:
        before.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.reset_peak()
        return changing(*arguments)

    monkeypatch.setattr(batch.Batch, "_change", change)
    for encoder in (png_encoding, tiff_encoding):  # scaled down like the photo
        monkeypatch.setattr(encoder, "_STRIP", 1 << 16)
    done = command(task, f"photo.{suffix}", *options, "--model", "tiny", "--max-side", 64)
    assert done.code == 0, done.err
    # Bands take about three quarters of these few pixels on two cores; a copy of all pixels would add a whole.
    assert tracemalloc.get_traced_memory()[1] - before[0] < photo.pixels.nbytes


def test_a_released_reference_is_read_again_for_a_photo_of_another_size(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    monkeypatch.setattr(reference, "read_input", lambda *given: reads.append(1) or read_input(*given))
    wide, high = camera_photo(tmp_path / "wide.png", np.uint8, sides=(200, 250)), tmp_path / "high.png"
    write_photo(Photo(wide.pixels.swapaxes(0, 1).copy()), high)
    write_photo(wide, tmp_path / "again.png")
    write_photo(Photo(wide.pixels // 2), tmp_path / "light.png")
    made = []
    for kept, expected in ((1 << 27, 0), (0, 1)):
        monkeypatch.setattr(reference, "KEPT_BYTES", kept)
        done = command(
            "relight",
            "wide.png",
            "again.png",
            "high.png",
            "--light",
            "light.png",
            "--reference",
            "latents",
            "--model",
            "tiny",
            "--overwrite",
        )
        assert done.code == 0, done.err
        assert len(reads) == expected
        made.append([(tmp_path / f"{name}_relit.png").read_bytes() for name in ("wide", "again", "high")])
    assert made[0] == made[1]


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_an_encoded_file_is_never_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    photo = camera_photo(tmp_path / f"photo.{suffix}", np.uint16)
    for encoder in (png_encoding, tiff_encoding):
        monkeypatch.setattr(encoder, "_STRIP", 1 << 14)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    write_photo(photo, tmp_path / f"again.{suffix}")
    most = tracemalloc.get_traced_memory()[1] - before
    assert most < 0.5 * (tmp_path / f"again.{suffix}").stat().st_size


@pytest.mark.usefixtures("traced")
def test_a_deep_png_is_read_with_one_copy_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    photo = camera_photo(path, np.uint16, sides=(300, 400))
    read_photo(path, max_pixels=10**8)  # what the first photo of a process imports is not counted
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    read_photo(path, max_pixels=10**8)
    most = tracemalloc.get_traced_memory()[1] - before
    assert most < photo.pixels.nbytes + 1.5 * path.stat().st_size


def test_memory_of_a_freed_pillow_picture_returns_to_the_system() -> None:
    """malloc maps blocks above 32 MiB one by one, and unmaps them when they are freed."""
    assert Image.core.get_block_size() > 32 << 20
