"""The studio without a browser: how it starts, the command line of a screen, what is dropped on it, its guard."""

import asyncio
import errno
import importlib.util
import io
import shlex
import socket
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Command
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from relight_cli.errors import OutputUnwritableError, RelightError, UsageError
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.serving.jobs import Job, State
from relight_cli.serving.worker import Worker
from relight_cli.studio.downloads import add_downloads
from relight_cli.studio.guard import POLICY, PageGuard, WithPolicy
from relight_cli.studio.options import StudioOptions
from relight_cli.studio.previews import SIDE, painted_mask, small_mask, small_photo
from relight_cli.studio.screen import Files, Given, LightKind, MaskKind, Screen, command_line, look_path
from relight_cli.studio.uploads import Upload, keep, sent_files, together
from relight_cli.studio.windows import Window

CASES = Path(__file__).parent.parent / "cases"


def test_what_the_studio_does_not_start_with(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = command("studio", "--no-browser", "--port", taken.getsockname()[1], "--model", "tiny")
    assert (done.code, len(done.lines)) == (5, 1)
    assert "choose another --port" in done.err

    def refuse(**options: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    done = command("studio", "--no-browser", "--port", "0", "--model", "tiny")
    assert (done.code, len(done.lines)) == (5, 1)
    assert "TMPDIR" in done.err
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "gradio" else find(name, *more)
    )
    done = command("studio")
    assert (done.code, done.lines) == (3, ["relight-cli: the studio needs an extra: pip install 'relight-cli[studio]'"])


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12)


@pytest.mark.skipif(sys.platform == "win32", reason="quoted for another shell")
@settings(deadline=None)
@given(photo=NAMES, mask=NAMES, azimuth=st.integers(-180, 180), strength=st.sampled_from([0.0, 0.5, 1.0]))
def test_the_command_line_is_quoted(photo: str, mask: str, azimuth: int, strength: float) -> None:
    screen = Screen(light=LightKind.SUN, azimuth=azimuth, strength=strength, mask=MaskKind.FILE, invert=True)
    files = Files((Given(Path("a"), f"{photo}.png"),), mask=Given(Path("b"), f"{mask}.png"))
    line = command_line(screen, files, StudioOptions(model="tiny"))
    assert "\n" not in line
    if not all(name.isprintable() for name in (photo, mask)):
        return  # $'...' is for the shell itself
    words = shlex.split(line)
    assert [Path(word).name for word in (words[2], words[words.index("--mask") + 1])] == [f"{photo}.png", f"{mask}.png"]
    assert not words[2].startswith(("-", "@"))
    assert words[words.index("--sun") + 1] == f"{azimuth},35"
    assert ("--strength" in words) == (strength != 1)
    assert words[-2:] == ["--model", "tiny"]


@pytest.mark.parametrize(
    "screen",
    [
        Screen(task="interpolate-timelapse"),
        Screen(light=LightKind.REFERENCE),
        Screen(light=LightKind.MAP),
        Screen(light=LightKind.LOOK),
        Screen(mask=MaskKind.FILE),
        Screen(mask=MaskKind.PAINTED),
    ],
)
def test_what_is_missing_on_the_screen_is_said(screen: Screen) -> None:
    with pytest.raises(UsageError):
        command_line(screen, Files((Given(Path("a.png"), "a.png"),)), StudioOptions())
    with pytest.raises(UsageError, match="Drop a photo"):
        command_line(screen, Files(), StudioOptions())


def test_a_screen_of_wrong_values_is_refused(tmp_path: Path) -> None:
    good = [getattr(Screen(), one) for one in Screen.__dataclass_fields__]
    assert Screen.of(good) == Screen()
    names = list(Screen.__dataclass_fields__)
    for name, wrong in (("task", "rm"), ("strength", None), ("strength", "1"), ("azimuth", float("nan"))):
        with pytest.raises(UsageError):
            Screen.of([wrong if one == name else value for one, value in zip(names, good, strict=True)])
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "a.png").touch()
    (tmp_path / "secret.png").touch()
    sent = {"path": str(tmp_path / "sent" / "a.png"), "orig_name": "b.png"}
    assert [one.name for one in sent_files([sent], tmp_path / "sent")] == ["b.png"]
    assert sent_files(None, tmp_path / "sent") == []
    for path in ("secret.png", "sent/../secret.png", "sent", "sent/missing.png"):
        with pytest.raises(UsageError):
            sent_files({"path": str(tmp_path / path)}, tmp_path / "sent")


@pytest.mark.parametrize("name", ["", " ", "..", ".hidden", "a/b", "a\\b", "x" * 81, "a\nb", 'a"b'])
def test_a_look_has_a_plain_name(name: str) -> None:
    with pytest.raises(UsageError):
        look_path(Path("looks"), name)


@pytest.mark.parametrize("name", ["", ".", "..", "../x.png", "a\\b.png", "a\0.png", "x.mp4", "x.txt", "x", "empty.png"])
def test_what_is_no_picture_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    sent = tmp_path / "sent" / "file"
    sent.parent.mkdir()
    sent.write_bytes(b"")
    with pytest.raises(RelightError) as refused:
        keep(Upload(sent, name), tmp_path / "kept", 1000)
    assert "\n" not in str(refused.value)


def test_photos_of_one_name_are_refused(tmp_path: Path) -> None:
    one = Given(tmp_path / "1" / "a.png", "a.png")
    with pytest.raises(UsageError, match=r"a\.png"):
        together([one, one], tmp_path / "set")


def test_windows_take_no_places_of_jobs_that_nobody_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relight_cli.serving.worker.MOST_KEPT", 3)

    def work(job: Job) -> None:
        while True:
            job.check()
            time.sleep(0.001)

    async def run() -> None:
        worker = Worker(lambda name, words: None, StudioOptions(), root=tmp_path)
        window = Window(tmp_path / "window", worker)
        try:
            for _ in range(6):
                preview = window.start("relight", work, full=False)
                while preview is not worker.running:
                    await asyncio.sleep(0.001)
            full = window.start("relight", work, full=True)
            assert list(worker.kept.values()) == [preview, full]
        finally:
            window.close()
            await asyncio.to_thread(worker.close)
        assert (preview.state, full.state, worker.kept) == ("cancelled", "cancelled", {})

    asyncio.run(run())


def test_an_archive_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        worker, app = Worker(lambda name, words: None, StudioOptions(), root=tmp_path / "root"), FastAPI()
        add_downloads(app, worker)
        job = worker.admit("relight", is_kept=True)
        (job.folder / "out").mkdir()
        for name in ("a.png", "b.png"):
            (job.folder / "out" / name).write_bytes(b"made")
        job.end(State.DONE)
        client, whole = TestClient(app, base_url="http://127.0.0.1"), zipfile.ZipFile.write

        def write(archive: zipfile.ZipFile, path: Path, name: str) -> None:
            assert not (job.folder / "all.zip").exists(), "half of it can be downloaded"
            whole(archive, path, name)

        monkeypatch.setattr(zipfile.ZipFile, "write", write)
        answers = [client.get(f"/results/{job.id}/all.zip") for _ in range(2)]
        assert answers[0].content == answers[1].content
        with zipfile.ZipFile(io.BytesIO(answers[0].content)) as archive:
            assert archive.namelist() == ["a.png", "b.png"]
        worker.close()

    (tmp_path / "root").mkdir()
    asyncio.run(run())


def test_a_copy_that_breaks_off_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = tmp_path / "sent" / "file"
    sent.parent.mkdir()
    write_photo(Photo(np.full((8, 8, 3), 99, np.uint8), format="PNG"), sent.with_suffix(".png"))
    sent.with_suffix(".png").rename(sent)

    def no_links(source: Path, place: Path) -> None:
        raise OSError(errno.EXDEV, "another disk")

    def full(source: Path, place: Path) -> None:
        place.write_bytes(source.read_bytes()[:40])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("relight_cli.studio.uploads.os.link", no_links)
    with monkeypatch.context() as disk:
        disk.setattr("relight_cli.studio.uploads.shutil.copyfile", full)
        with pytest.raises(OutputUnwritableError, match="disk space"):
            keep(Upload(sent, "a.png"), tmp_path / "kept", 1000)
    kept = keep(Upload(sent, "a.png"), tmp_path / "kept", 1000)
    assert kept.path.read_bytes() == sent.read_bytes()
    assert [path.name for path in kept.path.parent.iterdir()] == ["a.png"]


def odd_photos(folder: Path) -> list[Path]:
    """Return photos of kinds that not every program expects."""
    rng = np.random.default_rng(1)
    colours = Image.fromarray(rng.integers(0, 255, (48, 64, 3)).astype(np.uint8))
    colours.convert("CMYK").save(folder / "cmyk.jpg")
    colours.save(folder / "moving.gif", save_all=True, append_images=[colours.rotate(90)])
    write_photo(Photo(rng.integers(0, 65535, (48, 64, 3)).astype(np.uint16)), folder / "deep.tif")
    write_photo(Photo(rng.uniform(0, 9, (48, 64, 3)).astype(np.float32)), folder / "light.exr")
    write_photo(Photo(np.full((1, 1, 3), 9, np.uint8)), folder / "pixel.png")
    write_photo(Photo(np.full((2, 9000, 1), 9, np.uint8)), folder / "panorama.png")
    write_photo(Photo(np.full((8, 8, 3), 99, np.uint8), np.full((8, 8), 128, np.uint8)), folder / "clear.png")
    return [*sorted(folder.iterdir()), CASES / "cfa_crop.dng", CASES / "heic_p3_10.heic", CASES / "ultrahdr.jpg"]


def test_small_copies_of_odd_photos(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number, path in enumerate(odd_photos(tmp_path / "photos")):
        photo, small = read_photo(path), small_photo(path, tmp_path / str(number), 10**8)
        copy = read_photo(small.path)
        assert small.size == photo.pixels.shape[:2], path
        assert small.small == copy.pixels.shape[:2]
        assert copy.pixels.dtype == photo.pixels.dtype
        assert copy.metadata.icc == photo.metadata.icc
        assert max(small.small) == min(SIDE, max(small.size))
        with Image.open(small.shown) as shown:
            assert max(shown.size) <= SIDE
    mask = tmp_path / "mask.png"
    write_photo(Photo(np.full((3, 3, 1), 255, np.uint8)), mask)
    with pytest.raises(UsageError, match=r"mask\.png is 3 x 3 pixels and the photo"):
        small_mask(mask, "mask.png", small, tmp_path / "m", 10**8)
    for data in ("", "data:image/png;base64,AAAA", "data:image/png;base64,%%%"):
        with pytest.raises(UsageError):
            painted_mask(data, small, tmp_path / "painted.png")


def test_the_guard_lets_the_page_in_and_nobody_else() -> None:
    app = FastAPI()

    @app.get("/{path:path}")
    def anything(path: str) -> str:
        return path

    app.add_middleware(PageGuard, token=None, is_local=True, max_upload=1, answered=lambda status: None)
    app.add_middleware(WithPolicy)
    client = TestClient(app, base_url="http://127.0.0.1:8766")
    for path, headers, status in (
        ("/", {}, 200),
        ("/", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),  # a link
        ("/", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ("/gradio_api/queue/data", {"origin": "http://127.0.0.1:8766", "sec-fetch-site": "same-origin"}, 200),
        ("/gradio_api/queue/data", {"origin": "https://example.org"}, 403),
        ("/gradio_api/queue/data", {"origin": "http://127.0.0.1:9999"}, 403),
        ("/", {"host": "attacker.example.org"}, 421),
        ("/gradio_api/file=/tmp/x", {}, 200),
        ("/gradio_api/file=https://example.org/x", {}, 404),
        ("/gradio_api/proxy=https://example.org/x", {}, 404),
        ("/gradio_api/run/predict", {}, 404),
        ("/docs", {}, 404),
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code == status, (path, headers)
        assert answer.headers["content-security-policy"] == POLICY
    assert client.get("/", headers={"content-length": "2000000"}).status_code == 413
