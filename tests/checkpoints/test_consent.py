"""Nothing is downloaded without the user's consent, which is asked for with size and licence."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FakeHub, Served, fake_hub, refusing_address
from forked import COMMAND_LINE, Forked, run_forked
from photo_fixtures import noise

from relight_cli.checkpoints.manifest import load_manifest
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

REPOSITORY = "alistairfoggin/CroCoDiLight"
LICENCE = "licence: CC BY-NC-SA 4.0, trained on non-commercial data"


@pytest.fixture(scope="module")
def hub(small_standin: Path) -> Iterator[FakeHub]:
    """A Hub with the stand-in weights under the published names."""
    with fake_hub() as served:
        for file in load_manifest().select("crocodilight"):
            served.files[f"/{REPOSITORY}/{file.path}"] = Served((small_standin / file.path).read_bytes())
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_photo(Photo(noise((24, 32, 3), seed=1)), tmp_path / "a.png")
    return tmp_path


def environment(hub_url: str, folder: Path, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("RELIGHT_", "HF_"))}
    own = {
        "HF_ENDPOINT": hub_url,
        "HF_HOME": str(folder / "hf"),
        "XDG_CONFIG_HOME": str(folder),
        "NO_PROXY": "127.0.0.1",
    }
    return clean | own | more


def relight(hub: FakeHub | str, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line without a terminal."""
    url = hub if isinstance(hub, str) else hub.url
    if not isinstance(hub, str):
        hub.requests.clear()
    return run_forked(COMMAND_LINE, words, cwd=folder, env=environment(url, folder, **more), text=True)


def on_terminal(hub_url: str, folder: Path, answer: str, *words: str) -> tuple[int, str]:
    """Run the command line on a pseudo-terminal and answer its question; return exit code and what was shown."""
    master, slave = pty.openpty()
    settings = environment(hub_url, folder, COLUMNS="200")
    process = Forked(COMMAND_LINE, words, cwd=folder, env=settings, streams=(slave, slave, slave))
    os.close(slave)
    shown, answered, end = "", False, time.monotonic() + 120
    while time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            try:
                data = os.read(master, 4096)
            except OSError:  # the other side is closed
                break
            shown += data.decode(errors="replace")
        if not answered and "[y/N]" in shown:
            os.write(master, f"{answer}\n".encode())
            answered = True
        if process.poll() is not None and not select.select([master], [], [], 0)[0]:
            break
    os.close(master)
    return process.wait(30), shown


def downloads(hub: FakeHub) -> list[str]:
    return [request for request in hub.requests if request.startswith("GET")]


# without a terminal


def test_auto_takes_tiny_with_one_line_and_asks_no_network(hub: FakeHub, folder: Path) -> None:
    done = relight(hub, folder, "deshadow", "a.png")
    assert done.returncode == 0
    assert hub.requests == []
    (line,) = done.stderr.splitlines()
    assert line.startswith("using the embedded model tiny: CroCoDiLight.pth, CroCoDiLight_shadow_mapper.pth")
    assert "(about 3.0 GB, " + LICENCE in line
    assert "--yes" in line
    assert "RELIGHT_ACCEPT_LICENCE=1" in line
    assert "'relight-cli weights fetch relight'" in line


@pytest.mark.parametrize("words", [("deshadow", "a.png", "--model", "crocodilight"), ("weights", "fetch", "relight")])
def test_an_explicit_wish_ends_with_6(hub: FakeHub, folder: Path, words: tuple[str, ...]) -> None:
    done = relight(hub, folder, *words)
    assert (done.returncode, done.stdout, hub.requests) == (6, "", [])
    assert len(done.stderr.splitlines()) == 1
    assert LICENCE in done.stderr
    assert not list((folder).glob("*_deshadowed*"))


def test_depth_names_everything_that_it_would_download(hub: FakeHub, folder: Path) -> None:
    done = relight(hub, folder, "refine-depth", "a.png", "--fast", "--caption")
    assert (done.returncode, hub.requests) == (6, [])
    assert "9.8 MB, licence: MIT" in done.stderr
    assert "989.8 MB, licence: BSD-3-Clause" in done.stderr
    assert "'relight-cli weights fetch refine-depth taesd blip-image-captioning-base'" in done.stderr


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("--yes",), {}),
        (("-y",), {}),
        ((), {"RELIGHT_ACCEPT_LICENCE": "1"}),
        ((), {"RELIGHT_YES": "true"}),
    ],
)
def test_consent_of_scripts(hub: FakeHub, folder: Path, words: tuple[str, ...], variables: dict[str, str]) -> None:
    done = relight(hub, folder, "weights", "fetch", "albedo", *words, **variables)
    assert done.returncode == 0, done.stderr
    assert [Path(line).name for line in done.stdout.splitlines()] == [
        "CroCoDiLight.pth",
        "CroCoDiLight_albedo_mapper.pth",
    ]
    assert len(downloads(hub)) == 2
    again = relight(hub, folder, "albedo", "a.png", "--model", "crocodilight", "--strength", "0")
    assert (again.returncode, hub.requests) == (0, [])


def test_consent_of_a_file_of_defaults(hub: FakeHub, folder: Path) -> None:
    (folder / "relight.toml").write_text("yes = true\n")
    assert relight(hub, folder, "weights", "fetch", "albedo").returncode == 0
    assert relight(hub, folder, "weights", "fetch", "deshadow", "--no-yes").returncode == 6


@pytest.mark.parametrize("value", ["0", "no", "false", ""])
def test_a_no_of_the_environment_is_a_no(hub: FakeHub, folder: Path, value: str) -> None:
    done = relight(hub, folder, "weights", "fetch", "albedo", RELIGHT_ACCEPT_LICENCE=value)
    assert (done.returncode, hub.requests) == (6, [])


def test_offline_is_stronger_than_consent(hub: FakeHub, folder: Path) -> None:
    done = relight(hub, folder, "albedo", "a.png", "--model", "crocodilight", "--yes", "--offline")
    assert (done.returncode, hub.requests) == (6, [])
    assert "offline" in done.stderr


# on a terminal


@pytest.mark.parametrize("answer", ["y", "YES"])
def test_a_terminal_is_asked(hub: FakeHub, folder: Path, answer: str) -> None:
    code, shown = on_terminal(hub.url, folder, answer, "albedo", "a.png", "--strength", "0")
    assert code == 0, shown
    question = re.search(r"Download (.*)\? \[y/N\]", shown)
    assert question
    assert f"of {REPOSITORY} (about 3.0 GB, {LICENCE})" in question[1]
    assert len(downloads(hub)) >= 2
    assert "tiny" not in shown


@pytest.mark.parametrize("answer", ["n", "", "what"])
def test_no_is_the_default_answer(hub: FakeHub, folder: Path, answer: str) -> None:
    hub.requests.clear()
    code, shown = on_terminal(hub.url, folder, answer, "albedo", "a.png", "--strength", "0")
    assert code == 0, shown
    assert "using the embedded model tiny" in shown
    assert "declined" in shown
    assert downloads(hub) == []
    code, shown = on_terminal(hub.url, folder, answer, "weights", "fetch", "albedo")
    assert code == 6, shown
    assert downloads(hub) == []


def test_nobody_is_asked_when_the_hub_is_away(folder: Path) -> None:
    code, shown = on_terminal(refusing_address(), folder, "y", "albedo", "a.png", "--strength", "0")
    assert code == 0, shown
    assert "[y/N]" not in shown
    assert "using the embedded model tiny" in shown


# --dry-run


@pytest.mark.parametrize("words", [("--yes",), ()])
def test_a_dry_run_downloads_nothing(hub: FakeHub, folder: Path, words: tuple[str, ...]) -> None:
    done = relight(hub, folder, "deshadow", "a.png", "--dry-run", *words)
    assert (done.returncode, hub.requests) == (0, [])
    assert "model    tiny, on " in done.stdout
    assert "nothing is downloaded here: run 'relight-cli weights fetch relight'" in done.stderr
    done = relight(hub, folder, "deshadow", "a.png", "--dry-run", "--model", "crocodilight", *words)
    assert (done.returncode, hub.requests) == (6, [])
    assert done.stdout.startswith("make     a.png -> a_deshadowed.png\n")
    assert "about 3.0 GB" in done.stderr
    assert [path.name for path in folder.glob("*.png")] == ["a.png"]
