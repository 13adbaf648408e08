"""The studio in Chromium: a real process, used as a person does; its files are those of the command line."""

import shlex
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import SIZES, chromium
from command_line import Command
from PIL import Image
from studio_page import StudioProcess, StudioTab, studio_process

from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

HOSTILE = "<img src=x onerror=alert(1)>'$(id)`.png"
Open = Callable[..., StudioTab]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def studio(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    with studio_process(tmp_path_factory.mktemp("studio")) as started:
        yield started


@pytest.fixture
def open_tab(browser: Any, studio: StudioProcess) -> Iterator[Open]:
    tabs: list[StudioTab] = []

    def open_tab(kind: str = "light") -> StudioTab:
        tabs.append(StudioTab(browser, studio, kind))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.close()


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
    open_tab: Open, photos: Path, command: Command, tmp_path: Path, studio: StudioProcess
) -> None:
    tab = open_tab()

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
    tab.status_is("Saved as")
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


def test_a_painted_mask_and_a_batch(open_tab: Open, photos: Path, command: Command, tmp_path: Path) -> None:
    tab = open_tab()
    tab.upload("photos", photos / "1.png", photos / "2.png")
    tab.choose("deshadow")
    tab.choose("Where I paint")
    tab.status_is("Paint on the photo")
    canvas = tab.page.get_by_role("img", name="The painting")
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


def test_bad_files_get_one_clear_line_and_names_are_text(
    open_tab: Open, photos: Path, command: Command, tmp_path: Path
) -> None:
    tab = open_tab()
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
    tab.choose("albedo")
    line = tab.command("albedo")
    tab.status_is("Preview.")
    made = tab.make()
    assert list(made) == [HOSTILE.replace(".png", "_albedo.png")]
    assert made == made_by(command, line, photos, tmp_path)
    assert tab.page.locator("img[onerror]").count() == 0
    tab.choose("deshadow")
    tab.choose("By a mask file")
    tab.upload("mask", photos / "other.png")
    assert tab.status_is("other.png is 5 x 5 pixels and the photo 64 x 48")


def test_two_windows_do_not_mix_and_work_can_be_cancelled(open_tab: Open, photos: Path) -> None:
    first, second = open_tab(), open_tab("phone")
    for tab, number in ((first, 1), (second, 2)):
        tab.upload("photos", photos / f"{number}.png")
        tab.choose("albedo")
    for tab, number in ((first, 1), (second, 2)):
        tab.command(f"albedo {number}.png")
        tab.status_is("Preview.")
    assert list(first.make()) == ["1_albedo.png"]
    assert list(second.make()) == ["2_albedo.png"]
    first.upload("photos", photos / "1.png", photos / "2.png")
    first.choose("interpolate-timelapse")
    first.set("New frames between every two", 30)
    first.command("--between 30")
    first.page.get_by_role("button", name="Make full size").click()
    first.status_is("Full size")
    first.page.get_by_role("button", name="Cancel").click()
    first.status_is("Cancelled.")
    assert first.page.locator("#results a[download]").count() == 0
    second.choose("deshadow")
    second.command("deshadow 2.png")
    second.status_is("Preview.")


@pytest.mark.parametrize("kind", SIZES)
def test_the_page_fits_the_screen_and_controls_have_names(open_tab: Open, kind: str) -> None:
    page = open_tab(kind).page
    page.get_by_role("radio", name="Sun", exact=True).check()
    page.locator(".dial .sun").wait_for()
    wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (int(dark.strip("rgb()").split(",")[0]) < 128) == (kind == "dark")
    box = page.locator(".dial").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.275, steps=3)
    page.mouse.up()
    direction = page.get_by_role("spinbutton", name="number input for Direction")
    height = page.get_by_role("spinbutton", name="number input for Height")
    page.wait_for_function("() => document.querySelector('.dial .sun').getAttribute('cy') < 60")
    assert abs(float(direction.input_value())) == 180
    assert abs(float(height.input_value()) - 45) <= 2


def test_nothing_leaves_this_machine(studio: StudioProcess) -> None:
    """The last test of the page: what the process has connected to and looked up in all tests above."""
    for address in studio.addresses():
        assert "127.0.0.1" in address or "localhost" in address, address
