"""The studio in Chromium: a real process, used as a person does; its files are those of the command line."""

import shlex
import shutil
import signal
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import chromium
from command_line import Command
from PIL import Image
from studio_page import StudioProcess, StudioTab, studio_process

from relight_cli.checkpoints.kept_networks import networks_kept
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

HOSTILE = "<img src=x onerror=alert(1)>'$(id)`.png"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium("--disable-gpu") as started:  # the page draws nothing that needs one
        yield started


@pytest.fixture(scope="module")
def studio(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    with studio_process(tmp_path_factory.mktemp("studio")) as started:
        yield started


@pytest.fixture(scope="module")
def tab(browser: Any, studio: StudioProcess) -> Iterator[StudioTab]:
    """The window of all tests; loading one takes seconds of processor time."""
    opened = StudioTab(browser, studio)
    yield opened
    opened.close()


@pytest.fixture(scope="module", autouse=True)
def warm() -> Iterator[None]:
    with networks_kept():
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, a mask, a reference and an environment map, all small."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(3)
    blocks = np.kron(rng.uniform(0.2, 0.8, (6, 8, 3)), np.ones((8, 8, 1)))
    write_photo(Photo((blocks * 65535).astype(np.uint16)), folder / "deep.tif")
    for number in (1, 2, 3):
        write_photo(Photo((blocks * 255 / number).astype(np.uint8)), folder / f"{number}.png")
    write_photo(Photo((blocks[::-1] * 255).astype(np.uint8)), folder / HOSTILE)
    write_photo(Photo((blocks[:, ::-1] * 200).astype(np.uint8)), folder / "reference.png")
    write_photo(Photo(np.tile(np.uint8([0, 255]), (48, 32))[..., None]), folder / "mask.png")
    write_photo(Photo(np.zeros((5, 5, 1), np.uint8)), folder / "other.png")
    write_photo(Photo(rng.uniform(0, 4, (16, 32, 3)).astype(np.float32)), folder / "sky.exr")
    (folder / "notes.jpg").write_text("no picture")
    (folder / "bomb.png").write_bytes(promised(40_000, 40_000))
    (folder / "large.png").write_bytes(promised(20_000, 10_000))
    (folder / "clip.mp4").write_bytes(b"\0" * 64)
    return folder


def promised(width: int, height: int) -> bytes:
    """Return a PNG whose header promises a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")


def made_by(command: Command, line: str, photos: Path, tmp_path: Path) -> dict[str, bytes]:
    """Run a command line of the page in a folder with the photos; return the files that it makes."""
    folder = tmp_path / f"own-{sum(1 for _ in tmp_path.iterdir())}"
    shutil.copytree(photos, folder)
    before = set(folder.rglob("*"))
    program, *words = shlex.split(line)
    assert program == "relight-cli"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = command(*words)
    assert done.code == 0, done.err
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path not in before}


def test_each_light_and_each_task_makes_the_files_of_its_command_line(
    tab: StudioTab, photos: Path, command: Command, tmp_path: Path, studio: StudioProcess
) -> None:

    def check(part: str) -> None:
        line = tab.command(part)
        tab.status_is("Preview.")
        assert tab.make() == made_by(command, line, photos, tmp_path), line

    tab.upload("photos", photos / "deep.tif")
    check("--light golden-hour")
    tab.choose("Sun")
    tab.set("Direction", -40)
    tab.set("Strength", 0.5)
    check("--sun -40,35 --kelvin 5000 --strength 0.5")
    tab.page.get_by_label("Save this light as").fill("evening")
    tab.page.get_by_role("button", name="Save look").click()
    tab.page.locator(".studio-saved").first.get_by_text("Saved as").wait_for()
    assert (studio.looks / "evening.toml").is_file()
    tab.choose("Saved look")
    check("evening.toml")
    tab.choose("Reference photo")
    tab.upload("reference", photos / "reference.png")
    check("--light reference.png")
    tab.choose("Environment map")
    tab.upload("map", photos / "sky.exr")
    check("--light sky.exr")
    tab.choose("deshadow")
    tab.choose("By a mask file")
    tab.upload("mask", photos / "mask.png")
    check("deshadow deep.tif --strength 0.5 --mask mask.png")
    tab.choose("albedo")
    tab.command("albedo deep.tif --strength 0.5 --mask mask.png")
    tab.page.get_by_label("The other way round").check()
    check("albedo deep.tif --strength 0.5 --mask mask.png --invert-mask")
    tab.choose("refine-depth")
    check("refine-depth deep.tif --depth-model tiny --steps 0")
    tab.upload("photos", *(photos / f"{number}.png" for number in (1, 2, 3)))
    tab.choose("interpolate-timelapse")
    tab.set("New frames between every two", 1)
    check("interpolate-timelapse 1.png 2.png 3.png --between 1")


def test_a_painted_mask_and_a_batch(tab: StudioTab, photos: Path, command: Command, tmp_path: Path) -> None:
    tab.upload("photos", photos / "1.png", photos / "2.png")
    tab.choose("deshadow")
    tab.set("Strength", 1)
    tab.choose("Where I paint")
    if tab.page.get_by_label("The other way round").is_checked():
        tab.page.get_by_label("The other way round").uncheck()
    tab.status_is("Paint on the photo")
    canvas = tab.page.get_by_role("img", name="The painting")
    tab.painter_shows(48, 64)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] / 2 - 10, box["y"] + box["height"] / 2)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] / 2 + 10, box["y"] + box["height"] / 2, steps=4)
    tab.page.mouse.up()
    line = tab.command("--mask 1_mask.png")
    made = tab.make()
    own = tmp_path / "photos"
    shutil.copytree(photos, own)
    (own / "1_mask.png").write_bytes(made.pop("1_mask.png"))
    mask = np.asarray(Image.open(own / "1_mask.png"))
    assert mask.shape == (48, 64)
    assert mask.min() == 0
    assert mask.max() == 255
    assert made == made_by(command, line, own, tmp_path)
    assert len(made) == 2


def test_a_mask_painted_on_another_photo_is_not_used(tab: StudioTab, photos: Path) -> None:
    tab.page.get_by_role("spinbutton", name="Number of the photo in the preview").fill("2")
    tab.status_is("Preview.")
    tab.command("--mask 1_mask.png")  # of all photos
    tab.upload("photos", photos / "3.png")
    tab.status_is("Paint on the photo")
    tab.choose("Everywhere")
    tab.command("deshadow 3.png")
    tab.status_is("Preview.")
    tab.choose("Where I paint")
    tab.status_is("Paint on the photo")


def test_bad_files_get_one_clear_line_and_names_are_text(
    tab: StudioTab, photos: Path, command: Command, tmp_path: Path
) -> None:
    tab.choose("albedo")
    tab.choose("Everywhere")
    for name, says in (
        ("notes.jpg", "notes.jpg: "),
        ("bomb.png", "bomb.png: 40000 x 40000 pixels are more than the 100000000 allowed"),
        ("large.png", "large.png: 20000 x 10000 pixels are more than"),
        ("clip.mp4", "clip.mp4: .mp4 is a video"),
    ):
        tab.upload("photos", photos / name)
        assert "\n" not in tab.status_is(says)
    tab.upload("photos", photos / HOSTILE)
    line = tab.command("onerror")
    tab.status_is("Preview.")
    made = tab.make()
    assert list(made) == [HOSTILE.replace(".png", "_albedo.png")]
    assert made == made_by(command, line, photos, tmp_path)
    assert tab.page.locator("img[onerror]").count() == 0
    tab.choose("By a mask file")
    tab.upload("mask", photos / "other.png")
    tab.status_is("other.png is 5 x 5 pixels and the photo 64 x 48")


def test_two_windows_do_not_mix_and_a_dark_phone_shows_all(
    browser: Any, studio: StudioProcess, tab: StudioTab, photos: Path
) -> None:
    phone = StudioTab(browser, studio, "phone", color_scheme="dark")
    for one, number in ((tab, 1), (phone, 2)):
        one.upload("photos", photos / f"{number}.png")
        one.choose("albedo")
    tab.choose("Everywhere")
    for one, number in ((tab, 1), (phone, 2)):
        one.command(f"albedo {number}.png")
        one.status_is("Preview.")
    assert list(tab.make()) == ["1_albedo.png"]
    assert list(phone.make()) == ["2_albedo.png"]
    for one in (tab, phone):
        one.choose("relight")
        one.choose("Sun")
        one.page.locator(".dial .sun").wait_for()
        wide = one.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0
        colour = one.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (int(colour.strip("rgb()").split(",")[0]) < 128) == (one is phone)
        nameless = one.page.evaluate("""() => [...document.querySelectorAll("button, select, input, textarea")]
            .filter((it) => it.checkVisibility() && it.type !== "file" && !it.closest("[aria-hidden=true]"))
            .filter((it) => !(it.textContent.trim() || it.ariaLabel || it.title || it.labels?.length
                || it.ariaLabelledByElements?.length || it.closest(".studio-command")))
            .map((it) => it.outerHTML.slice(0, 200))""")
        assert nameless == []
    phone.close()
    dial = tab.page.locator(".dial")
    dial.scroll_into_view_if_needed()
    box = dial.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.275, steps=3)
    tab.page.mouse.up()
    words = shlex.split(tab.command("--sun 180") or tab.command("--sun -180"))
    assert abs(float(words[words.index("--sun") + 1].partition(",")[2]) - 45) <= 2


def test_cancel_and_ctrl_c_in_the_middle_of_a_job(studio: StudioProcess, tab: StudioTab, photos: Path) -> None:
    """The last test: the studio ends in it."""
    tab.upload("photos", photos / "1.png", photos / "2.png", photos / "3.png")
    tab.choose("interpolate-timelapse")
    tab.set("New frames between every two", 30)
    tab.command("--between 30")
    for word in ("Cancelled.", ""):
        tab.page.get_by_role("button", name="Make full size").click()
        tab.page.locator(".studio-made").first.get_by_text("Full size").wait_for()
        assert tab.page.locator("#results a").count() == 0
        if word:
            tab.page.get_by_role("button", name="Cancel").click()
            tab.page.locator(".studio-made").first.get_by_text(word).wait_for()
    assert list(studio.temporary.iterdir())
    studio.process.send_signal(signal.SIGINT)
    assert studio.process.wait(60) in (0, 130)
    assert list(studio.temporary.iterdir()) == []
    for address in studio.addresses():
        assert "127.0.0.1" in address or "localhost" in address, address
