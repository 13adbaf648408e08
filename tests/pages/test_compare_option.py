"""--compare through the real command line: what is on the page, and when there is one."""

import base64
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command
from forked import run_forked
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_fixtures import noise, smooth, wide_profile
from PIL import Image

from relight_cli.jobs.repeated_command import command_line, quoted
from relight_cli.pages.drawn_charts import ticks
from relight_cli.pages.encoding import SMALL_BYTES, small_picture
from relight_cli.pages.light_maps import light_map
from relight_cli.pages.page import Page, is_untouched_page
from relight_cli.pages.pairs import embedding, photo_pair, with_thumbnail
from relight_cli.pages.previews import Preview, PreviewMaker, preview_of
from relight_cli.pages.views import End, Entry, Head
from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.rows import LazyRows, bands

TINY = ("--model", "tiny", "-q")


def views(page: Path, part: str) -> list[dict[str, Any]]:
    """Return the pieces of a page."""
    found = re.findall(f'<script type="application/json" data-part="{part}"[^>]*>(.*?)</script>', page.read_text())
    return [json.loads(text) for text in found]


def picture(layer: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(layer["picture"]["uri"].partition(",")[2])))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(3):
        write_photo(Photo(noise((24, 32, 3), seed=number)), tmp_path / f"in/{number}.png")
    return tmp_path


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_a_page_changes_no_byte_of_the_photo(command: Command, photos: Path, suffix: str) -> None:
    for name, more in (("a", ()), ("b", ("--compare", "page.html"))):
        assert command("deshadow", "in/1.png", *TINY, "-o", f"{name}.{suffix}", *more).code == 0
    assert Path(f"a.{suffix}").read_bytes() == Path(f"b.{suffix}").read_bytes()
    [pair] = views(Path("page.html"), "pair")
    assert [layer["name"] for layer in pair["layers"]] == ["Before", "After", "Change of light"]
    if suffix == "png":
        written = np.asarray(Image.open("b.png"), float)
        shown = np.asarray(picture(pair["layers"][1]), float)  # a lossy copy of noise
        assert np.corrcoef(shown.ravel(), written.ravel())[0, 1] > 0.95
    assert is_untouched_page(Path("page.html"))


def test_wide_colours_stay_wide_and_deep_photos_are_shown(command: Command, tmp_path: Path) -> None:
    icc = wide_profile("P3")
    deep = (smooth(60, 90) * 65535).astype(np.uint16)
    write_photo(Photo(deep, metadata=Metadata(icc=icc)), tmp_path / "p3.tif")
    for more in ((), ("--compare-full",)):
        assert command("albedo", "p3.tif", *TINY, "--overwrite", "--compare", "page.html", *more).code == 0
        [pair] = views(Path("page.html"), "pair")
        before, after = (picture(layer) for layer in pair["layers"][:2])
        assert before.info["icc_profile"] == after.info["icc_profile"] == icc
        assert before.size == (90, 60)
        assert np.abs(np.asarray(before, float) - deep / 257).mean() < 3
    facts = {fact["name"]: fact for fact in pair["facts"]}
    assert facts["Depth"]["after"] == "16 bits"
    assert facts["Pixels"]["before"] == "90 \N{MULTIPLICATION SIGN} 60"


def test_a_batch_shows_what_is_done_and_what_failed(command: Command, photos: Path) -> None:
    (photos / "in/9.png").write_bytes(b"nothing")
    assert command("deshadow", "in", *TINY, "-o", "out/", "--compare", "new/page.html").code == 23
    page = photos / "new/page.html"
    entries = views(page, "entry")
    assert [(entry["number"], entry["name"], entry["status"]) for entry in entries] == [
        (1, "0.png", "done"),
        (2, "1.png", "done"),
        (3, "2.png", "done"),
        (4, "9.png", "failed"),
    ]
    assert len(views(page, "pair")) == 3
    assert views(page, "end")[0]["is_complete"]


def test_what_is_skipped_is_shown(command: Command, photos: Path) -> None:
    asked = ("deshadow", "in", *TINY, "-o", "out/", "--skip-existing", "--compare", "page.html")
    assert command("deshadow", "in/0.png", *TINY, "-o", "out/").code == 0
    assert command(*asked).code == 0
    found = [(entry["status"], entry["note"]) for entry in views(Path("page.html"), "entry")]
    assert found == [("skipped", "0_deshadowed.png was left as it is"), ("done", ""), ("done", "")]
    assert command(*asked).code == 0  # nothing is left to do, and the page is this tool's
    assert [entry["status"] for entry in views(Path("page.html"), "entry")] == ["skipped"] * 3
    assert len(views(Path("page.html"), "pair")) == 3
    touched = Path("page.html").read_text().replace("Before", "Own", 1)
    Path("page.html").write_text(touched)
    refused = command(*asked)
    assert (refused.code, Path("page.html").read_text()) == (5, touched)
    assert "page.html exists and is not as relight-cli wrote it: give --overwrite" in refused.err


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--compare", "page.txt"), 2, "end the name in .html"),
        (("--compare", "-"), 2, "end the name in .html"),
        (("--compare", "s3://bucket/page.html"), 2, "s3://bucket/page.html is an object"),
        (("--compare-full",), 2, "--compare-full needs --compare"),
        (("--compare", "old.html"), 5, "old.html exists: give --overwrite or --skip-existing"),
        (("--compare", "r.html", "--report", "r.html"), 2, "is also an input or an output"),
        (("--compare", "in/0.png/page.html"), 5, "is not a writable folder"),
    ],
)
@pytest.mark.parametrize("task", ["deshadow", "interpolate-timelapse"])
def test_options_are_checked_first(
    command: Command, photos: Path, task: str, more: tuple[str, ...], code: int, said: str
) -> None:
    (photos / "old.html").write_text("mine")
    own = ("--between", "1", "--mode", "image") if task == "interpolate-timelapse" else ()
    done = command(task, "in", "-o", "out/", *TINY, *own, *more)
    assert (done.code, len(done.lines)) == (code, 1), done.err
    assert said in done.err
    assert not Path("out").exists()
    assert Path("old.html").read_text() == "mine"


def test_a_dry_run_names_the_page_and_a_lone_failure_makes_none(command: Command, photos: Path) -> None:
    dry = command("deshadow", "in/0.png", *TINY, "--compare", "page.html", "--dry-run")
    assert "write    page.html" in dry.out.decode()
    (photos / "broken.png").write_bytes(b"nothing")
    assert command("deshadow", "broken.png", *TINY, "--compare", "page.html").code == 4
    assert not Path("page.html").exists()
    assert not list(photos.glob(".*page*"))


def test_a_photo_on_stdout_has_a_page_too(command: Command, photos: Path) -> None:
    done = command("deshadow", "in/0.png", *TINY, "-o", "-", "--compare", "page.html")
    assert done.code == 0
    assert Image.open(io.BytesIO(done.out)).size == (32, 24)
    facts = views(Path("page.html"), "pair")[0]["facts"]
    assert facts[0] == {"name": "File", "before": "in/0.png", "after": "standard output"}


def test_a_moving_sun_has_a_page_of_frames(command: Command, photos: Path) -> None:
    asked = ("relight", "in/0.png", "--sun-at", "2026-06-21T08:00..2026-06-21T18:00", "--place", "48.1,11.6")
    run = (*asked, "--facing", "S", "--frames", "3", *TINY, "-o", "day/", "--compare", "day.html")
    assert command(*run).code == 0
    first = views(Path("day.html"), "frame")
    assert [frame["number"] for frame in first] == [1, 2, 3]
    assert {frame["keyframe"] for frame in first} == {0}
    (photos / "day/frame_0002.png").unlink()
    assert command(*run, "--skip-existing").code == 0
    assert sorted(frame["number"] for frame in views(Path("day.html"), "frame")) == [1, 2, 3]
    assert command(*run, "--skip-existing").code == 0  # all exist
    assert views(Path("day.html"), "frame") == first


def test_a_resumed_timelapse_shows_all_frames(command: Command, photos: Path) -> None:
    asked = ("interpolate-timelapse", "in", "--between", "1", "--mode", "image", "-q", "-o", "out")
    page = ("--skip-existing", "--compare", "page.html")
    assert command(*asked).code == 0
    Path("out/frame_0002.png").unlink()
    for _ in range(2):  # then all exist
        assert command(*asked, *page).code == 0
        assert sorted(frame["number"] for frame in views(Path("page.html"), "frame")) == [1, 2, 3, 4, 5]
        assert {frame["number"] for frame in views(Path("page.html"), "keyframe")} == {0, 1, 2}
    [end] = views(Path("page.html"), "end")
    assert [chart["title"] for chart in end["charts"]] == ["Brightness over time", "Colour over time"]


INTERRUPTED = """
import os, signal, sys, time
from relight_cli.__main__ import main
from relight_cli.jobs import batch

write, count = batch.write_photo, []
def second_is_interrupted(*arguments, **named):
    count.append(1)
    if len(count) == 2:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
    return write(*arguments, **named)
batch.write_photo = second_is_interrupted
sys.argv = ["relight-cli", "albedo", "in", "--model", "tiny", "--strength", "0", "-o", "out", "--compare", "page.html"]
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupted_batch_has_a_page_of_what_is_done(photos: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = run_forked(INTERRUPTED, cwd=photos, env=environment, text=True, quiet=True)
    assert done.returncode == 130, done.stderr
    page = photos / "page.html"
    assert is_untouched_page(page)
    written = {path.name for path in (photos / "out").iterdir()}
    shown = {entry["name"].replace(".png", "_albedo.png") for entry in views(page, "entry")}
    assert shown == written != set()
    [end] = views(page, "end")
    assert not end["is_complete"]
    assert "The run was interrupted" in end["summary"]


@pytest.mark.parametrize(
    "word", ["plain", "two words", "it's", 'a"b$c`d\\', "line\nbreak", "caf\udce9.jpg", "\u202egpj", "😀"]
)
def test_the_command_can_be_pasted_into_a_shell(word: str) -> None:
    done = subprocess.run(["bash", "-c", f"printf %s {quoted(word)}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(word)
    assert quoted(word).isprintable()
    assert not word.isprintable() or shlex.split(quoted(word)) == [word]


def test_the_command_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["relight-cli", "deshadow", "https://me:word@host/a.jpg?token=secret"])
    assert command_line() == "relight-cli deshadow 'https://***@host/a.jpg?***'"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_previews_are_means_in_whatever_order_rows_are_read(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 60))
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "float32"]))
    pixels = noise((height, width, data.draw(st.sampled_from([1, 3]))), dtype, seed=height)
    lazy = LazyRows(pixels.shape, pixels.dtype, lambda rows: pixels[rows])
    most = data.draw(st.integers(1, 6000))
    maker = PreviewMaker(Photo(lazy), most)
    for _ in range(data.draw(st.integers(0, 3))):
        top = data.draw(st.integers(0, height - 1))
        maker.watched.pixels[slice(top, data.draw(st.integers(top + 1, height)))]
    if data.draw(st.booleans()):
        for _ in bands(maker.watched.pixels):
            pass
    made, wanted = maker.preview(), preview_of(Photo(pixels), most)
    assert made.samples.shape == wanted.samples.shape
    assert made.samples.shape[0] * made.samples.shape[1] <= max(1, most)
    assert np.abs(made.samples.astype(int) - wanted.samples).max() <= 2  # rounded twice
    assert abs(float(made.samples.mean()) - float(wanted.samples.mean())) <= 1  # both are rounded


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_an_odd_sample_is_one_pixel_of_a_preview(odd: float) -> None:
    light = np.full((90, 60, 3), 0.2, np.float32)
    for metadata in (Metadata(), Metadata(icc=LINEAR)):
        wanted = PreviewMaker(Photo(light, metadata=metadata), 600).preview().samples
        strange = light.copy()
        strange[45:47, 30] = odd
        made = PreviewMaker(Photo(strange, metadata=metadata), 600).preview().samples
        assert (made != wanted).any(2).sum() <= 2
        assert made.max() == (255 if odd == np.inf else wanted.max())


def test_linear_light_gets_a_curve_and_transparency_is_white() -> None:
    light = np.full((8, 8, 3), 0.2, np.float32)
    shown = preview_of(Photo(light, metadata=Metadata(icc=LINEAR)), 10**6)
    assert np.abs(shown.samples.astype(int) - 124).max() <= 1  # sRGB of 0.2
    alpha = np.zeros((8, 8), np.uint8)
    assert preview_of(Photo(np.zeros((8, 8, 3), np.uint8), alpha), 10**6).samples.min() == 255


def test_pictures_of_a_batch_are_small_also_of_noise() -> None:
    made = small_picture(Preview(noise((480, 720, 3)), wide_profile("P3"), (4000, 6000)))
    data = base64.b64decode(made.uri.partition(",")[2])
    assert len(data) <= SMALL_BYTES
    assert made.scale > 8
    grey = small_picture(Preview(noise((48, 72, 1)), None, (48, 72)))
    assert grey.uri.startswith("data:image/webp;base64,")


def test_the_map_says_by_how_many_stops_light_changes() -> None:
    before = Preview(np.full((40, 60, 3), 90, np.uint8), None, (40, 60))
    samples = before.samples.copy()
    samples[:, 30:] = 124  # sRGB: light of 0.2, where 90 is 0.1022
    change = light_map(before, Preview(samples, None, (40, 60)))
    assert change is not None
    assert np.abs(change.stops[:, :30]).max() < 1e-6
    assert change.stops[:, 30:] == pytest.approx(np.log2(0.2016 / 0.1032), abs=0.01)
    legend, readings = change.legend(), change.readings()
    assert (legend.low, legend.high) == (-1, 1)
    assert "50% of the picture changes" in legend.notes[1]
    numbers = np.frombuffer(base64.b64decode(readings.numbers), np.int8).reshape(readings.height, readings.width)
    assert numbers[0, -1] * readings.step == pytest.approx(0.97, abs=0.03)
    assert light_map(before, Preview(samples, None, (80, 60))) is None


def test_memory_does_not_grow_with_the_pairs(tmp_path: Path) -> None:
    size, peaks = embedding(200, full=False), []
    tracemalloc.start()
    for count in (5, 40):
        tracemalloc.reset_peak()
        with (tmp_path / "page.html").open("wb") as file:
            page = Page(file, Head("photos", "relight-cli", "relight-cli", []))
            for number in range(1, count + 1):
                preview = Preview(smooth(120, 180).astype(np.uint8), None, (120, 180))
                entry = Entry(number, f"{number}.jpg", "done")
                page.add(with_thumbnail(entry, preview, preview))
                page.add(photo_pair(entry, preview, preview, size, []))
            page.end(End("", True))
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_numbers_of_a_chart_are_round_and_in_the_font() -> None:
    assert ticks(-1.95, -1.72, 5) == [
        (pytest.approx(float(text)), text) for text in ("-1.95", "-1.90", "-1.85", "-1.80", "-1.75")
    ]
    assert all(text.isascii() for _, text in ticks(-1, 1, 5))  # Pillow's font draws a box for a real minus
