"""Hostile names, links and files."""

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from photo_fixtures import exif_block, noise
from PIL import Image

from relight_cli.errors import PhotoUnreadableError
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

SAME = ("--model", "tiny", "--strength", "0")
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "AVIF")


def photo(path: Path | str, seed: int = 0) -> Path:
    write_photo(Photo(noise((6, 8, 3), seed=seed)), Path(path))
    return Path(path)


def names() -> set[str]:
    return {path.name for path in Path().iterdir()} - {".hf"}


# names


@pytest.mark.parametrize(
    "name",
    [
        "nas\x1b[31mty.png",
        "two\nlines.png",
        "[bold]x[-x].png",
        "-o.png",
        "--help.png",
        os.fsdecode(b"\xff\xfe.png"),
        "n" * 251 + ".png",
        "{stem}.png",
        "%s $HOME `id`.png",
        "\u202eexe.png",
        " .png",
    ],
)
def test_odd_names(command: Command, name: str) -> None:
    Path("ok.png").write_bytes(photo(name).read_bytes())
    done = command("albedo", *SAME, "--report", "r.jsonl", "-o", "out.png", "--", name)
    assert (done.code, done.err) == (0, "")
    assert names() == {name, "ok.png", "out.png", "r.jsonl"}
    Path(name).write_bytes(b"broken")
    failed = command("albedo", *SAME, "--overwrite", "--", name, "ok.png")
    assert failed.code == 23
    assert len(failed.lines) == 2
    assert all(line.isprintable() for line in failed.lines)


def test_a_folder_named_like_a_shell_pattern(command: Command) -> None:
    Path("[").mkdir()
    photo("[/x].png")
    assert command("albedo", "[/x].png", *SAME).code == 0
    assert Path("[/x]_albedo.png").exists()


def test_a_name_too_long_for_its_output_is_shortened(command: Command) -> None:
    photo("a.png")
    photo("n" * 251 + ".png")
    assert command("albedo", "n" * 251 + ".png", "a.png", *SAME).code == 0
    made = {path.name for path in Path().glob("*_albedo.png")}
    assert len(made) == 2
    assert "a_albedo.png" in made


# links, and one file twice


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_an_input_is_never_the_output_by_any_name(command: Command, link: type) -> None:
    before = photo("a.png").read_bytes()
    link(Path("b.png"), "a.png")
    Path("here").symlink_to(".")
    for output in ("a.png", "./a.png", "here/a.png", "b.png", str(Path("a.png").absolute())):
        done = command("albedo", "a.png", *SAME, "-o", output, "--overwrite")
        assert (done.code, len(done.lines)) == (2, 1)
        assert "would be overwritten" in done.err
    assert Path("a.png").read_bytes() == before


def test_links_as_outputs_are_replaced_not_followed(command: Command) -> None:
    photo("a.png")
    Path("precious.png").write_bytes(b"precious")
    Path("soft.png").symlink_to("precious.png")
    Path("hard.png").hardlink_to("precious.png")
    Path("dangling.png").symlink_to("nowhere.png")
    for output in ("soft.png", "hard.png", "dangling.png"):
        assert command("albedo", "a.png", *SAME, "-o", output).code == 5
        assert command("albedo", "a.png", *SAME, "-o", output, "--overwrite").code == 0
        assert not Path(output).is_symlink()
        assert read_photo(Path(output), max_pixels=48).pixels.shape == (6, 8, 3)
    assert Path("precious.png").read_bytes() == b"precious"
    assert not Path("nowhere.png").exists()


def test_links_as_inputs_are_photos_of_their_own(command: Command) -> None:
    photo("a.png")
    Path("soft.png").symlink_to("a.png")
    Path("hard.png").hardlink_to("a.png")
    assert command("albedo", "a.png", "soft.png", "hard.png", *SAME).code == 0
    assert {"a_albedo.png", "soft_albedo.png", "hard_albedo.png"} <= names()


# files


@pytest.fixture(scope="module")
def good() -> dict[str, bytes]:
    """Return one file of each format, with metadata."""
    made = {}
    for kind in FORMATS:
        file = io.BytesIO()
        photo = Photo(noise((24, 32, 3)), metadata=Metadata(exif_block(6), None, b"<x:xmpmeta/>", (72, 72)))
        write_photo(photo, file, format=kind)
        made[kind] = file.getvalue()
    return made


def read(data: bytes) -> None:
    """Read data that may be broken: the result is a photo or PhotoUnreadableError."""
    try:
        photo = read_photo(io.BytesIO(data), max_pixels=10**6)
    except PhotoUnreadableError:
        return
    assert photo.pixels.ndim == 3
    assert photo.to_srgb().shape[2] == 3


@pytest.mark.parametrize("kind", FORMATS)
def test_broken_files_are_unreadable_and_nothing_else(good: dict[str, bytes], kind: str) -> None:
    data, generator = good[kind], np.random.default_rng(6)
    for _ in range(40):
        read(data[: generator.integers(0, len(data))])
    for _ in range(80):
        flipped = np.frombuffer(data, np.uint8).copy()
        where = generator.integers(0, min(len(data), generator.choice([64, 600, len(data)])), generator.integers(1, 6))
        flipped[where] ^= (1 << generator.integers(0, 8, len(where))).astype(np.uint8)
        read(flipped.tobytes())
    for other in FORMATS:  # the head of one kind on the body of another
        read(data[: generator.integers(4, 40)] + good[other][generator.integers(4, 40) :])


def test_a_suffix_says_nothing_of_what_is_inside(command: Command, good: dict[str, bytes]) -> None:
    for kind in FORMATS:
        Path(f"{kind}.jpg").write_bytes(good[kind])
    for name, data in {"a.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n", "b.png": b"SIMPLE  =", "c.tif": b"8BPS\0\1"}.items():
        Path(name).write_bytes(data)
    assert command("albedo", *[f"{kind}.jpg" for kind in FORMATS], *SAME, "-q").code == 0
    for name in ("a.jpg", "b.png", "c.tif"):  # EPS, FITS and PSD are not even tried
        assert command("albedo", name, *SAME).code == 4


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """Return a small PNG with a profile and a text that expand a thousandfold."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    data, grown = file.getvalue(), zlib.compress(bytes(200 << 20), 9)
    bombs = chunk(b"iCCP", b"x\0\0" + grown) + chunk(b"zTXt", b"x\0\0" + grown)
    bombs += chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + grown)
    return data[:33] + bombs + data[33:]


def enlarged(data: bytes, kind: str) -> bytes:
    """Set the size in a header to 60000 x 60000 pixels."""
    if kind == "JPEG":
        frame = data.index(b"\xff\xc0") + 5
        return data[:frame] + struct.pack(">HH", 60000, 60000) + data[frame + 4 :]
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "TIFF")
    tiff = bytearray(file.getvalue())
    (start,) = struct.unpack_from("<I", tiff, 4)
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", tiff, start)[0], 12):
        tag, type_ = struct.unpack_from("<HH", tiff, entry)
        if tag in (256, 257):
            struct.pack_into("<H" if type_ == 3 else "<I", tiff, entry + 8, 60000)
    return bytes(tiff)


def test_bombs_are_refused_by_their_header(good: dict[str, bytes]) -> None:
    bombs = [png_bomb(60000, 60000), enlarged(good["JPEG"], "JPEG"), enlarged(b"", "TIFF")]
    tracemalloc.start()
    for bomb in bombs:
        with pytest.raises(PhotoUnreadableError, match="raise --max-pixels"):
            read_photo(io.BytesIO(bomb), max_pixels=10**8)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_max_pixels_of_the_command_line(command: Command) -> None:
    Path("bomb.png").write_bytes(png_bomb(30000, 30000))
    photo("a.png")
    done = command("albedo", "bomb.png", *SAME)
    assert (done.code, len(done.lines)) == (4, 1)
    assert "30000 x 30000 pixels are more than the 500000000 allowed" in done.err
    assert command("albedo", "a.png", *SAME, "--max-pixels", "47").code == 4
    assert command("albedo", "a.png", *SAME, "--max-pixels", "48").code == 0


def test_a_metadata_bomb_costs_at_most_a_note() -> None:
    bomb = text_bomb()
    tracemalloc.start()
    assert read_photo(io.BytesIO(bomb), max_pixels=100).pixels.shape == (4, 4, 3)
    assert tracemalloc.get_traced_memory()[1] < 150 << 20
    tracemalloc.stop()
