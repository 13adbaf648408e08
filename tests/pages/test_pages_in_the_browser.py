"""Pages of --compare in Chromium: made by the real command line, used by mouse, touch and keys."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from browser import SIZES, Tab, chromium
from command_line import make_command
from photo_fixtures import noise
from PIL import Image

from relight_cli.checkpoints import manifest
from relight_cli.pages.page import Page
from relight_cli.pages.pairs import embedding, photo_pair, with_thumbnail
from relight_cli.pages.previews import Preview
from relight_cli.pages.views import End, Entry, Head
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

HOSTILE = (
    "<img src=x onerror=alert(1)>.png",
    "\"'&quot; <\uff0fscript><b>\U0001f600.png",
    "</script><script>alert(2)<!--.png".replace("/", "\u2215"),
)
Open = Callable[..., Tab]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Opens a page in a tab, which is checked and closed at the end."""
    tabs: list[Tab] = []

    def open_page(path: Path, kind: str = "light") -> Tab:
        tabs.append(Tab(browser, path, kind))
        return tabs[-1]

    yield open_page
    for tab in tabs:
        tab.close()


@pytest.fixture(scope="module")
def made(browser: Any, tmp_path_factory: pytest.TempPathFactory, tiny_parts: Path) -> Path:
    """A folder with the pages of all commands."""
    folder = tmp_path_factory.mktemp("pages")
    rng = np.random.default_rng(3)
    blocks = np.kron(rng.uniform(60, 200, (12, 16, 3)), np.ones((12, 12, 1)))
    for number in (1, 2):
        (folder / "frames").mkdir(exist_ok=True)
        write_photo(Photo((blocks / number).astype(np.uint8)), folder / "frames" / f"{number}.png")
    (folder / "many").mkdir()
    for name in HOSTILE:
        write_photo(Photo(noise((32, 48, 3))), folder / "many" / name)
    (folder / "many" / "broken.png").write_bytes(b"no picture")
    nothing = SimpleNamespace(readouterr=lambda: SimpleNamespace(out=b"", err=b""))
    with pytest.MonkeyPatch.context() as patch:
        run = make_command(patch, nothing, folder)
        tiny = ("--model", "tiny", "-q", "--compare")
        assert run("relight", "frames/1.png", "--light", "golden-hour", *tiny, "one.html", "-o", "one.png").code == 0
        assert run("deshadow", "many", *tiny, "many.html", "-o", "out/").code == 23
        frames = ("frames", "--between", "2", "--mode", "image", "-q", "-o", "between", "--compare", "frames.html")
        assert run("interpolate-timelapse", *frames).code == 0
        patch.setattr(manifest, "_PLACES", (tiny_parts / "manifest.toml",))
        weights = ("--weights-dir", tiny_parts, "--offline", "-q")
        depth = ("frames/1.png", "--ensemble", "3", "--steps", "2", "-o", "depth.png", "--compare", "depth.html")
        assert run("refine-depth", *depth, *weights).code == 0
    return folder


def divider(tab: Tab) -> int:
    return int(tab.page.get_by_role("slider", name="Divider").get_attribute("aria-valuenow"))


def test_a_divider_moves_by_mouse_touch_and_keys(made: Path, open_page: Open) -> None:
    tab = open_page(made / "one.html")
    box = tab.page.locator(".stage").bounding_box()
    assert divider(tab) == 50
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 60, steps=3)
    tab.page.mouse.up()
    assert abs(divider(tab) - 25) <= 1
    clip = tab.page.locator(".pane.left").evaluate("pane => pane.style.clipPath")
    assert clip.startswith("inset(0px ")
    tab.page.keyboard.press("ArrowRight")  # the mouse has left the focus on the divider
    assert abs(divider(tab) - 27) <= 1
    tab.page.keyboard.press("End")
    assert divider(tab) == 100
    handle = tab.page.get_by_role("slider", name="Divider")
    assert handle.get_attribute("aria-valuetext") == "100 % Before, the rest After"

    phone = open_page(made / "one.html", "phone")
    box = phone.page.locator(".stage").bounding_box()
    touch = phone.context.new_cdp_session(phone.page)
    for kind, share in (("touchStart", 0.5), ("touchMove", 0.6), ("touchMove", 0.8), ("touchEnd", None)):
        points = [] if share is None else [{"x": box["x"] + share * box["width"], "y": box["y"] + 50}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert abs(divider(phone) - 80) <= 2


def test_zoom_and_pan_stay_in_step(made: Path, open_page: Open) -> None:
    tab = open_page(made / "one.html")
    page = tab.page
    page.get_by_role("radio", name="Side by side").click()
    page.get_by_role("button", name="1:1").click()
    assert page.locator(".percent").inner_text() == "100 %"
    page.locator(".stage").focus()
    for key in ("+", "+", "+", "+", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    places = page.locator(".pane img").evaluate_all("all => all.map(one => one.style.transform)")
    assert places[0] == places[1]
    drawn = page.locator(".pane img").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().width / one.naturalWidth)"
    )
    assert drawn[0] == pytest.approx(drawn[1]) == pytest.approx(1.5**4, rel=1e-3)
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 70)
    page.mouse.up()
    moved = page.locator(".pane img").evaluate_all("all => all.map(one => one.style.transform)")
    assert moved[0] == moved[1] != places[0]
    page.keyboard.press("0")
    assert "own pixels, compressed with loss" in page.locator(".pixels").inner_text()


def test_flicker_shows_one_picture_at_a_time(made: Path, open_page: Open) -> None:
    tab = open_page(made / "one.html")
    tab.page.locator(".stage").focus()
    shown = []
    for _ in range(3):
        tab.page.keyboard.press("f")
        shown.append(tab.page.locator(".tag:visible").all_inner_texts())
    assert shown == [["Before"], ["After"], ["Before"]]
    assert tab.page.locator(".pane.left").is_visible()
    assert tab.page.get_by_role("radio", name="Flicker").get_attribute("aria-checked") == "true"
    tab.page.keyboard.press("s")
    assert tab.page.locator(".tag:visible").count() == 2


def test_the_change_of_light_is_read_at_the_pointer_and_explained(made: Path, open_page: Open) -> None:
    tab = open_page(made / "one.html")
    page = tab.page
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    text = page.locator(".reading").inner_text()
    pixel = np.asarray(Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("RGB"))
    assert pixel.std() > 5
    assert text.startswith("At the pointer: change of light ")
    assert text.endswith(" stops")
    page.get_by_label("Right").select_option("Change of light")
    assert page.locator(".under .legend").is_visible()
    assert "golden-hour" in page.locator("code").inner_text()
    assert page.get_by_role("img", name="Histograms of red, green and blue, before and after").is_visible()


def test_names_of_files_are_text(made: Path, open_page: Open) -> None:
    tab = open_page(made / "many.html")
    page = tab.page
    names = page.locator(".sheet .name").all_inner_texts()
    assert set(names) == {*HOSTILE, "broken.png"}
    assert page.locator("img[onerror], .photo b, .photo script").count() == 0
    assert "failed" in page.locator(".sheet .state.failed").inner_text()
    assert "4 photos: 3 done, 1 failed." in page.locator("#summary").inner_text()


def test_the_policy_lets_nothing_out_and_no_other_script_in(made: Path, open_page: Open) -> None:
    tab = open_page(made / "one.html")
    refused = tab.page.evaluate("""async () => {
        const refused = [];
        document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
        const add = (name, values) => document.body.append(Object.assign(document.createElement(name), values));
        add("script", { textContent: "window.ran = true" });
        add("img", { src: "https://example.org/a.png" });
        add("link", { rel: "stylesheet", href: "https://example.org/a.css" });
        await fetch("https://example.org/").catch(() => {});
        await new Promise((done) => setTimeout(done, 300));
        return [refused, window.ran ?? false];
    }""")
    assert set(refused[0]) == {"script-src-elem", "img-src", "style-src-elem", "connect-src"}
    assert refused[1] is False
    tab.problems.clear()  # the browser says that it has refused them
    del tab.requests[1:]  # the driver reports them, too


def test_two_hundred_pairs_are_decoded_when_they_are_seen(tmp_path: Path, open_page: Open) -> None:
    path, size = tmp_path / "many.html", embedding(200, full=False)
    with path.open("wb") as file:
        page = Page(file, Head("200 photos", "relight-cli", "relight-cli", []))
        for number in range(1, 201):
            light = np.full((48, 64, 3), number, np.uint8)
            before, after = (Preview(pixels, None, (3000, 4000)) for pixels in (light, light // 2))
            entry = Entry(number, f"{number}.jpg", "done")
            page.add(with_thumbnail(entry, before, after))
            page.add(photo_pair(entry, before, after, size, []))
        page.end(End("200 photos.", True))
    tab = open_page(path)
    decoded = "() => document.querySelectorAll('.pane img').length"
    tab.page.wait_for_selector(".sheet a")
    assert tab.page.locator(".sheet li").count() == 200
    assert tab.page.evaluate(decoded) < 12
    assert 0 < tab.page.locator(".sheet img[src]").count() < 120
    tab.page.locator(".sheet a").last.click()
    tab.page.wait_for_selector("#photo-200 .stage")
    assert tab.page.evaluate(decoded) < 30
    assert "one of them stands for 62.5" in tab.page.locator("#photo-200 .pixels").inner_text()
    tab.page.locator("#photo-200 .stage").focus()
    tab.page.keyboard.press("p")
    assert tab.page.evaluate("() => document.activeElement.closest('article').id") == "photo-199"


def test_a_timelapse_has_a_scrubber(made: Path, open_page: Open) -> None:
    tab = open_page(made / "frames.html")
    page = tab.page
    scrubber = page.get_by_role("slider", name="Frame")
    scrubber.focus()
    first = page.locator(".pane.right img").get_attribute("src")
    page.keyboard.press("ArrowRight")
    assert page.locator(".scrubber output").inner_text().startswith("Frame 2, after the input frame ")
    assert page.locator(".pane.right img").get_attribute("src") != first
    page.keyboard.press("End")
    assert page.locator(".scrubber output").inner_text().startswith("Frame 4, at the input frame ")
    assert page.get_by_role("img", name="Brightness over time").is_visible()
    cursor = page.locator(".cursor").first
    assert float(cursor.get_attribute("x1")) > 300


def test_depth_has_maps_and_a_relief_that_turns(made: Path, open_page: Open) -> None:
    tab = open_page(made / "depth.html")
    page = tab.page
    names = page.locator(".pick-right option").all_inner_texts()
    assert names == ["Photo", "Depth", "Before refinement", "Uncertainty", "Normals"]
    canvas = page.locator(".relief canvas")
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    before = canvas.screenshot()
    assert np.asarray(Image.open(io.BytesIO(before)).convert("RGB")).std() > 10
    canvas.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert canvas.screenshot() != before
    assert page.get_by_role("img", name="Change by each run").is_visible()


@pytest.mark.parametrize("kind", SIZES)
def test_pages_fit_the_screen_and_controls_have_names(made: Path, open_page: Open, kind: str) -> None:
    for name in ("one", "frames", "many", "depth"):
        tab = open_page(made / f"{name}.html", kind)
        tab.page.wait_for_selector(".stage")
        wide = tab.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, name
        nameless = tab.page.evaluate("""() => [...document.querySelectorAll("button, select, input, [tabindex='0']")]
            .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length)).length""")
        assert nameless == 0, name
        light = kind != "dark"
        colour = tab.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (int(colour.strip("rgb()").split(",")[0]) > 128) == light
