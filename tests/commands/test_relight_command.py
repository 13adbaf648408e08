"""relight through the real command line, mostly with the embedded model."""

import io
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import Command, Run
from forked import COMMAND_LINE, Forked
from PIL import Image

from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

TINY = ("--model", "tiny", "--light", "reference.png", "--reference", "latents")  # these tests are about files


def pixels(path: Path) -> np.ndarray:
    return read_photo(path, max_pixels=10**8).pixels


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(max(1e-12, ((a / 255.0 - b / 255.0) ** 2).mean())))


def outputs(folder: Path) -> set[str]:
    return {p.name for p in folder.rglob("*") if p.is_file()} - {"photo.png", "reference.png"}


@pytest.mark.parametrize("mode", ["--detail", "--no-detail"])
def test_relit_is_nearer_to_the_reference_and_quiet(run: Run, scene: Path, mode: str) -> None:
    done = run("relight", "photo.png", *TINY, mode)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    before, wanted, after = (pixels(scene / name) for name in ("photo.png", "reference.png", "photo_relit.png"))
    assert after.shape == before.shape
    assert psnr(after, wanted) > psnr(before, wanted) + 1.5


def test_own_light_and_no_strength_change_nothing(command: Command, scene: Path) -> None:
    command(
        "relight", "photo.png", "--model", "tiny", "--light", "photo.png", "-o", "own.png", "--reference", "latents"
    )
    command("relight", "photo.png", *TINY, "--strength", "0", "-o", "none.png")
    assert psnr(pixels(scene / "own.png"), pixels(scene / "photo.png")) > 50
    assert (pixels(scene / "none.png") == pixels(scene / "photo.png")).all()


def test_auto_falls_back_with_one_line(run: Run, scene: Path) -> None:
    done = run("relight", "photo.png", "--light", "reference.png", "--reference", "latents")
    assert done.returncode == 0
    assert done.stderr.count(b"\n") == 1
    assert b"tiny" in done.stderr
    assert run("relight", "photo.png", *TINY, "-o", "same.png").returncode == 0
    assert (scene / "same.png").read_bytes() == (scene / "photo_relit.png").read_bytes()


def test_an_explicit_model_never_falls_back(run: Run, scene: Path) -> None:
    done = run("relight", "photo.png", "--light", "reference.png", "--model", "crocodilight")
    assert done.returncode == 6
    assert b"CroCoDiLight.pth" in done.stderr
    assert not outputs(scene)


def test_references_of_any_size(command: Command, scene: Path) -> None:
    for size in ((1, 1), (900, 500), (40, 460)):
        Image.new("RGB", size, (90, 60, 30)).save(scene / "light.png")
        done = command(
            "relight", "photo.png", "--model", "tiny", "--light", "light.png", "--reference", "latents", "--overwrite"
        )
        assert (done.code, done.err) == (0, ""), done.err


@pytest.mark.parametrize(("mode", "size"), [("L", (33, 20)), ("RGBA", (20, 33)), ("RGB", (1, 1)), ("P", (5, 600))])
def test_odd_pictures_keep_their_kind(command: Command, scene: Path, mode: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (size[1], size[0], 4), np.uint8), "RGBA")
    source = noise if mode == "RGBA" else noise.convert("RGB").convert(mode)
    source.save(scene / "odd [x] one.png")
    done = command("relight", "odd [x] one.png", *TINY)
    assert done.code == 0, done.err
    with Image.open(scene / "odd [x] one_relit.png") as relit:
        assert relit.size == size
        assert relit.mode == {"P": "RGB"}.get(mode, mode)
        if mode == "RGBA":
            assert (np.array(relit)[..., 3] == np.array(source)[..., 3]).all()


def test_sixteen_bits_stay(command: Command, scene: Path) -> None:
    ramp = np.linspace(10000, 30000, 64 * 64, dtype=np.uint16).reshape(64, 64, 1).repeat(3, axis=2)
    write_photo(Photo(ramp, format="TIFF"), scene / "ramp.tif")
    assert command("relight", "ramp.tif", *TINY).code == 0
    relit = pixels(scene / "ramp_relit.tif")
    assert relit.dtype == np.uint16
    assert len(np.unique(relit[..., 0])) > 1000


def test_metadata_and_orientation(command: Command, scene: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    Image.open(scene / "photo.png").convert("RGB").save(scene / "turned.jpg", exif=exif, dpi=(300, 300), quality=95)
    assert command("relight", "turned.jpg", *TINY).code == 0
    with Image.open(scene / "turned_relit.jpg") as relit:
        assert relit.size == (120, 160)
        assert (relit.getexif()[0x010F], relit.getexif().get(0x0112, 1)) == ("Maker", 1)
        assert relit.info["dpi"] == (300, 300)


def test_a_bad_file_costs_only_itself(run: Run, scene: Path) -> None:
    (scene / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    done = run("relight", "bad.png", "photo.png", "gone.jpg", *TINY, "-o", "out", "--report", "report.jsonl")
    assert done.returncode == 23
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 3
    assert "bad.png" in lines[0]
    assert "gone.jpg" in lines[1]
    assert "Traceback" not in done.stderr.decode()
    records = [json.loads(line) for line in (scene / "report.jsonl").read_text().splitlines()]
    assert [r["status"] for r in records] == ["failed", "done", "failed"]
    assert records[0]["error"] == "PhotoUnreadableError"
    assert records[1]["model"] == "tiny"
    assert len(records[1]["sha256"]) == 64
    assert outputs(scene / "out") == {"photo_relit.png"}


def test_one_bad_file_alone_has_its_own_code(command: Command, scene: Path) -> None:
    assert command("relight", "gone.png", *TINY).code == 4
    assert command("relight", "photo.png", "--model", "tiny", "--light", "gone.png").code == 4


def test_standard_streams(run: Run, scene: Path) -> None:
    assert run("relight", "photo.png", *TINY).returncode == 0
    done = run("relight", "-", *TINY, "-o", "-", input=(scene / "photo.png").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert (read_photo(io.BytesIO(done.stdout), max_pixels=10**8).pixels == pixels(scene / "photo_relit.png")).all()


def test_existing_outputs(command: Command, scene: Path) -> None:
    (scene / "photo_relit.png").write_bytes(b"mine")
    refused = command("relight", "photo.png", *TINY)
    assert refused.code == 5
    assert "--overwrite" in refused.err
    assert command("relight", "photo.png", *TINY, "--skip-existing").code == 0
    assert (scene / "photo_relit.png").read_bytes() == b"mine"
    assert command("relight", "photo.png", *TINY, "--overwrite").code == 0
    assert pixels(scene / "photo_relit.png").shape == (120, 160, 3)


def test_folders_and_globs(command: Command, scene: Path) -> None:
    nested = scene / "in" / "deep"
    nested.mkdir(parents=True)
    for path in (scene / "in" / "a.png", scene / "in" / "b.png", nested / "c.png"):
        path.write_bytes((scene / "photo.png").read_bytes())
    assert command("relight", "in", *TINY, "-o", "flat").code == 0
    assert outputs(scene / "flat") == {"a_relit.png", "b_relit.png"}
    assert command("relight", "in", "-r", *TINY, "-o", "all").code == 0
    assert outputs(scene / "all") == {"a_relit.png", "b_relit.png", "c_relit.png"}
    assert (scene / "all" / "deep" / "c_relit.png").exists()
    assert command("relight", "in/[b]*.png", *TINY, "-o", "globbed").code == 0
    assert outputs(scene / "globbed") == {"b_relit.png"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["photo.png", *TINY, "-o", "photo.png"],
        ["photo.png", *TINY, "-o", "photo.png", "--overwrite"],
        ["photo.png", "reference.png", *TINY, "-o", "one.png"],
        ["photo.png", "reference.png", *TINY, "-o", "-"],
        ["photo.png", *TINY, "-o", "picture.xyz"],
        ["photo.png", *TINY, "-o", "reference.png", "--overwrite"],
        ["photo.png", *TINY, "--report", "photo.png"],
        ["photo.png", *TINY, "--report", "reference.png"],
        ["-", "--model", "tiny", "--light", "-"],
        ["photo.png", *TINY, "--report", "-"],
        ["photo.png", *TINY, "--overwrite", "--skip-existing"],
        ["photo.png", *TINY, "--strength", "1.6"],
        ["photo.png", *TINY, "--tile-overlap", "0.9"],
        ["photo.png", *TINY, "--device", "toaster"],
        ["photo.png", *TINY, "--dtype", "int8"],
        ["photo.png", *TINY, "--no-such-option"],
        ["photo.png"],
        [],
    ],
)
def test_usage_errors_are_found_before_anything_happens(command: Command, scene: Path, arguments: list[str]) -> None:
    before = {p: p.read_bytes() for p in scene.iterdir() if p.is_file()}
    done = command("relight", *arguments)
    assert done.code == 2, done.err
    assert done.out == b""
    assert done.err.strip()
    assert "Traceback" not in done.err
    assert before == {p: p.read_bytes() for p in scene.iterdir() if p.is_file()}


def test_a_folder_can_be_done_again(command: Command, scene: Path) -> None:
    folder = scene / "in"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.png").write_bytes((scene / "photo.png").read_bytes())
    assert command("relight", "in", *TINY, "--report", "r.jsonl").code == 0
    again = command("relight", "in", *TINY, "--skip-existing", "--report", "r.jsonl")
    assert again.code == 0
    assert "in/a_relit.png and 1 more photo: left out, because relight-cli made them.\n" in again.err
    assert outputs(folder) == {"a.png", "b.png", "a_relit.png", "b_relit.png"}
    statuses = [json.loads(line)["status"] for line in (scene / "r.jsonl").read_text().splitlines()]
    assert statuses == ["done", "done", "skipped", "skipped"]


def test_unwritable_outputs_are_refused_first(command: Command, scene: Path) -> None:
    (scene / "notes").write_text("a file")
    for output in ("notes/x.png", "notes/deep/x.png"):
        done = command("relight", "photo.png", *TINY, "-o", output)
        assert done.code == 5
        assert done.err.count("\n") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interruption_leaves_nothing_behind(scene: Path, number: int, code: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3000, 4000, 3), np.uint8)
    write_photo(Photo(pixels, format="TIFF"), scene / "large.tif")
    process = Forked(COMMAND_LINE, ["relight", "large.tif", *TINY, "--max-side", "0", "--quiet"], cwd=scene)
    time.sleep(1)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert stderr.count(b"\n") == 1
    assert outputs(scene) == {"large.tif"}


def test_names_that_clash_are_refused(command: Command, scene: Path) -> None:
    for folder in ("a", "b"):
        (scene / folder).mkdir()
        (scene / folder / "x.png").write_bytes((scene / "photo.png").read_bytes())
    done = command("relight", "a/x.png", "b/x.png", *TINY, "-o", "out")
    assert done.code == 2
    assert not (scene / "out").exists()


def test_control_characters_in_names_are_escaped(command: Command, scene: Path) -> None:
    for name in ("nas\x1b[31mty\n.png", "x" * 300 + ".png"):
        done = command("relight", name, *TINY)
        assert done.code == 4
        assert "\x1b" not in done.err
        assert done.err.count("\n") == 1


def test_doctor(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stderr
    for word in (b"torch", b"device", b"dtype", b"tiny"):
        assert word in done.stdout
