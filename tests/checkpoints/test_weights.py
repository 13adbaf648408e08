"""Finding, fetching and checking weights, with a server that simulates the Hub and its faults."""

import errno
import hashlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_hub import COMMIT, FakeHub, Served, fake_hub, refusing_address, silent_server
from huggingface_hub import constants, file_download
from huggingface_hub.utils import close_session
from typer.testing import CliRunner

from relight_cli.checkpoints import hub as hub_module
from relight_cli.checkpoints.hub import hub_cache
from relight_cli.checkpoints.manifest import Manifest, WeightsFile
from relight_cli.checkpoints.weights import LookUp, Place, availability, find, verify
from relight_cli.commands import weights as command
from relight_cli.errors import ExitCode, ModelUnavailableError, UsageError

BODY = bytes(range(256)) * 400  # 100 kB
DAMAGED = BODY[:-1] + b"!"
SHA256 = hashlib.sha256(BODY).hexdigest()

# One file like CroCoDiLight's (no size or hash known), one with every fact pinned, one small text.
LOOSE = WeightsFile("owner/Model", "Model.pth", "CC BY-NC-SA 4.0", ("relight",), instead="--model tiny")
PINNED = WeightsFile(
    "owner/Depth",
    "unet/model.safetensors",
    "MIT",
    ("refine-depth",),
    revision=COMMIT,
    size=len(BODY),
    sha256=SHA256,
    folder=True,
)
CONFIG = replace(PINNED, path="unet/config.json", size=None, sha256=None, config=True)
EXTRA = replace(PINNED, repository="owner/Fast", only_with="--fast")
MANIFEST = Manifest((LOOSE, PINNED, CONFIG, EXTRA))


@pytest.fixture
def point_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give the Hub library an empty home, and yield a function that sets the Hub's address."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "home" / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("RELIGHT_ACCEPT_LICENCE", "1")
    # The library waits a second before each of its five attempts to resume.
    monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=lambda seconds: None))

    def point(url: str) -> None:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    close_session()
    yield point
    close_session()


@pytest.fixture
def hub(point_at: Callable[[str], None]) -> Iterator[FakeHub]:
    """A Hub that has every file of MANIFEST."""
    with fake_hub() as served:
        for file in (LOOSE, PINNED, EXTRA):
            served.files[f"/{file.repository}/{file.path}"] = Served(BODY)
        served.files["/owner/Depth/unet/config.json"] = Served(b"{}", etag="bf" * 20)
        point_at(served.url)
        yield served


def serve(hub: FakeHub, file: WeightsFile, **fault: object) -> None:
    hub.files[f"/{file.repository}/{file.path}"] = Served(BODY, **fault)


def refusal(file: WeightsFile, options: LookUp | None = None) -> str:
    """Return the one-line error message of finding `file`."""
    with pytest.raises(ModelUnavailableError) as failure:
        find(file, options or LookUp())
    message = str(failure.value)
    assert file.path.rpartition("/")[2] in message
    assert "\n" not in message
    return message


# --- a healthy Hub


@pytest.mark.parametrize("file", [LOOSE, PINNED], ids=["loose", "pinned"])
def test_fetches_once_and_announces_size_and_licence(hub: FakeHub, file: WeightsFile) -> None:
    said: list[str] = []
    first = find(file, LookUp(), said.append)
    assert first.read_bytes() == BODY
    assert said == [f"Fetching {file.name} (0.1 MB; licence: {file.licence}) from {file.repository}"]
    asked = len(hub.requests)
    address = f"/{file.repository}/resolve/{file.revision or 'main'}/{file.path}"
    assert set(hub.requests) == {f"HEAD {address}", f"GET {address}"}  # nothing else, and no telemetry
    assert find(file, LookUp(), said.append) == first
    assert len(hub.requests) == asked
    assert len(said) == 1


def test_offline_takes_the_cache_and_never_asks(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    path = find(LOOSE, LookUp())
    asked = len(hub.requests)
    assert find(LOOSE, LookUp(offline=True)) == path
    message = refusal(PINNED, LookUp(offline=True))
    assert message.endswith(
        "run 'relight-cli weights fetch refine-depth' on a machine with a network, "
        "then name the file's folder with --weights-dir."
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refusal(PINNED)
    assert len(hub.requests) == asked


def test_the_hub_library_prints_nothing(hub: FakeHub, capfd: pytest.CaptureFixture[str]) -> None:
    records: list[logging.LogRecord] = []
    listener = logging.Handler()
    listener.emit = records.append
    logging.getLogger("huggingface_hub").addHandler(listener)
    serve(hub, LOOSE, cut_after=10)
    refusal(LOOSE)
    logging.getLogger("huggingface_hub").removeHandler(listener)
    find(PINNED, LookUp())
    assert records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_shown_on_a_terminal_if_wanted(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, progress: bool) -> None:
    termios = pytest.importorskip("termios", reason="no pseudo-terminals here")
    reader, writer = os.openpty()
    termios.tcsetwinsize(writer, (24, 80))
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        find(LOOSE, LookUp(progress=progress))
        terminal.write("end")
        terminal.flush()
        shown = ""
        while not shown.endswith("end"):  # a terminal is read line by line
            shown += os.read(reader, 10_000).decode()
    os.close(reader)
    assert ("100%" in shown) is progress
    assert progress or shown == "end"


# --- a faulty Hub


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "requires a login"),
        (403, "refuses access"),
        (404, "does not have it"),
        (429, "retry later"),
        (503, "retry later"),
    ],
)
def test_a_refusing_hub_is_named_with_the_remedy(hub: FakeHub, status: int, words: str) -> None:
    serve(hub, LOOSE, status=status)
    message = refusal(LOOSE)
    assert words in message
    assert f"HTTP {status}" in message
    assert message.endswith("or use --model tiny.")
    assert len(hub.requests) == 1


def test_a_server_that_is_not_the_hub(hub: FakeHub) -> None:
    serve(hub, LOOSE, commit=None)
    assert f"the server at {hub.url} is not the Hub" in refusal(LOOSE)


@pytest.mark.parametrize("file", [LOOSE, PINNED], ids=["hash of the Hub", "hash of the manifest"])
def test_a_damaged_body_of_the_same_size_is_refused_and_not_kept(hub: FakeHub, file: WeightsFile) -> None:
    serve(hub, file, sent=DAMAGED)
    assert "sha256" in refusal(file)
    assert availability(file, LookUp()) is None
    assert not [path for path in hub_cache().rglob("blobs/*") if path.is_file()]
    serve(hub, file)
    assert find(file, LookUp()).read_bytes() == BODY


def test_a_blob_that_links_into_a_shared_store_is_removed_there_too(hub: FakeHub) -> None:
    pointer = find(PINNED, LookUp())
    blob, stored = pointer.resolve(), hub_cache() / "stored"
    blob.rename(stored)
    blob.symlink_to(stored)
    stored.write_bytes(DAMAGED)
    refusal(PINNED)
    assert not any(path.is_symlink() or path.exists() for path in (pointer, blob, stored))


def test_another_file_than_the_manifests_is_refused_before_the_download(hub: FakeHub) -> None:
    hub.files["/owner/Depth/unet/model.safetensors"] = Served(DAMAGED)
    assert "offers another unet/model.safetensors" in refusal(PINNED)
    assert [request.split()[0] for request in hub.requests] == ["HEAD"]


def test_a_broken_connection_ends_the_download_and_leaves_nothing(hub: FakeHub) -> None:
    serve(hub, LOOSE, cut_after=1000)
    assert f"the connection to {hub.url} failed" in refusal(LOOSE)
    assert not [path for path in hub_cache().rglob("*/blobs/*") if path.is_file()]


def test_an_interrupted_download_is_resumed(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    serve(hub, LOOSE, cut_after=30_000)
    assert find(LOOSE, LookUp()).read_bytes() == BODY
    assert sum(request.startswith("GET") for request in hub.requests) == 4


def test_a_hub_that_is_away_is_known_within_five_seconds(
    point_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_within(seconds: float, words: str) -> None:
        start = time.monotonic()
        assert words in refusal(LOOSE)
        assert time.monotonic() - start < seconds

    point_at(refusing_address())
    fails_within(2, "refused")
    with silent_server() as url:
        point_at(url)
        fails_within(5, "did not answer within 4 s")
    # The name server does not answer: no socket timeout covers that.
    monkeypatch.setattr(hub_module, "PROBE_SECONDS", 1.0)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(3))
    point_at("http://hub.invalid")
    fails_within(2, "did not answer within 1 s")


def test_a_disk_that_fills_up_during_the_download_is_reported(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_room(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(file_download, "http_get", out_of_room)
    assert f"the disk of {hub_cache()} is full: make room" in refusal(LOOSE)


def test_a_full_disk_is_found_before_the_download(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=len(BODY) - 1))
    assert "is full" in refusal(LOOSE)
    assert not [request for request in hub.requests if request.startswith("GET")]


def test_old_leftovers_of_killed_downloads_are_deleted(hub: FakeHub) -> None:
    blobs = hub_cache() / "models--owner--Model" / "blobs"
    blobs.mkdir(parents=True)
    old, young = blobs / f"{SHA256}.00000000.incomplete", blobs / f"{SHA256}.11111111.incomplete"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    os.utime(old, (0, 0))
    find(LOOSE, LookUp())
    assert not old.exists()
    assert young.exists()


def test_a_killed_download_is_never_used(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text(
        '[[repository]]\nid = "owner/Model"\nlicence = "MIT"\nused_by = ["relight"]\n'
        '[[repository.file]]\npath = "Model.pth"\n'
    )
    program = (
        "import sys, pathlib; from relight_cli.checkpoints.manifest import load_manifest;"
        "from relight_cli.checkpoints.weights import *;"
        "print(find(load_manifest(pathlib.Path(sys.argv[1])).file('Model.pth'), LookUp()))"
    )
    run = [sys.executable, "-c", program, str(tmp_path / "manifest.toml")]
    home = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    serve(hub, LOOSE, stall_after=50_000)
    process = subprocess.Popen(run, env=os.environ | home)
    assert hub.stalled.wait(20)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert availability(LOOSE, LookUp()) is None
    serve(hub, LOOSE)
    again = subprocess.run(run, env=os.environ | home, capture_output=True, text=True, check=True)
    assert Path(again.stdout.strip()).read_bytes() == BODY
    assert availability(LOOSE, LookUp()) is not None


# --- the user's own folder


@pytest.mark.parametrize(
    ("file", "place"),
    [
        (LOOSE, "Model.pth"),
        (LOOSE, "Model/Model.pth"),
        (PINNED, "Depth/unet/model.safetensors"),
        (PINNED, "owner/Depth/unet/model.safetensors"),
    ],
)
def test_the_weights_folder_wins_over_the_cache(hub: FakeHub, tmp_path: Path, file: WeightsFile, place: str) -> None:
    cached = find(file, LookUp())
    own = tmp_path / "own" / place
    own.parent.mkdir(parents=True)
    own.write_bytes(BODY)
    options = LookUp(weights_dir=tmp_path / "own")
    assert cached != own
    assert find(file, options) == own
    found = availability(file, options)
    assert found is not None
    assert found.place is Place.WEIGHTS_DIR


def test_files_of_a_folder_repository_are_not_taken_from_the_top(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "model.safetensors").write_bytes(DAMAGED)
    assert find(PINNED, LookUp(weights_dir=tmp_path)).read_bytes() == BODY


@pytest.mark.parametrize(("body", "words"), [(DAMAGED, "sha256"), (BODY[:-1], "99 bytes instead of 102400")])
def test_a_wrong_file_in_the_weights_folder_is_refused_and_left(hub: FakeHub, tmp_path: Path, body: bytes, words: str):
    own = tmp_path / "Depth" / "unet" / "model.safetensors"
    own.parent.mkdir(parents=True)
    own.write_bytes(body)
    assert words.replace("99", str(len(BODY) - 1), 1) in refusal(PINNED, LookUp(weights_dir=tmp_path))
    assert own.read_bytes() == body
    assert not hub.requests


def test_a_missing_weights_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        find(LOOSE, LookUp(weights_dir=tmp_path / "nowhere"))


# --- checked again


def test_find_reuses_its_check_and_verify_hashes_again(hub: FakeHub) -> None:
    path = find(PINNED, LookUp())
    kept = path.stat().st_mtime_ns
    path.resolve().write_bytes(DAMAGED)
    os.utime(path, ns=(kept, kept))
    find(PINNED, LookUp())  # size and time are unchanged
    with pytest.raises(ModelUnavailableError, match="sha256"):
        verify(PINNED, LookUp())
    assert availability(PINNED, LookUp()) is None


# --- the command


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str]]]:
    """Run `relight-cli weights` with the small manifest; return exit code and lines of stdout."""
    monkeypatch.setattr(command, "load_manifest", lambda: MANIFEST)

    def invoke(*words: object) -> tuple[int, list[str]]:
        result = CliRunner().invoke(command.weights_app, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout.splitlines()

    return invoke


def test_list_fetch_where_verify(hub: FakeHub, run: Callable[..., tuple[int, list[str]]], tmp_path: Path) -> None:
    assert [one["place"] for one in json.loads("".join(run("list", "--json")[1]))] == [None] * 4
    code, paths = run("fetch", "refine-depth", "Model.pth", "refine-depth", "--yes")
    assert code == 0
    assert [Path(path).name for path in paths] == ["model.safetensors", "config.json", "Model.pth"]
    after = json.loads("".join(run("list", "--json")[1]))
    assert [one["place"] for one in after] == ["Hub cache", "Hub cache", "Hub cache", None]
    assert [one["file"] for one in after] == [paths[2], paths[0], paths[1], None]
    own = tmp_path / "own"
    own.mkdir()
    (own / "Model.pth").write_bytes(BODY)
    _, places = run("where", "--weights-dir", own)
    assert places[:3] == [str(own), str(hub_cache()), f"Model.pth  {own / 'Model.pth'}"]
    assert run("verify") == (
        0,
        [
            f"ok         Model.pth  {paths[2]}",
            f"ok         Depth/unet/model.safetensors  {paths[0]}",
            f"no hash    Depth/unet/config.json  {paths[1]}",
        ],
    )
    Path(paths[0]).resolve().write_bytes(DAMAGED)
    code, lines = run("verify")
    assert code == ExitCode.MODEL
    assert [line[:11].strip() for line in lines] == ["ok", "FAILED", "no hash"]
    code, lines = run("verify", "Fast")
    assert code == ExitCode.MODEL
    assert "not on this machine" in lines[0]


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_the_list_fits_the_terminal(
    hub: FakeHub, run: Callable[..., tuple[int, list[str]]], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    run("fetch", "Model.pth", "--yes")
    _, lines = run("list")
    assert max(map(len, lines)) <= columns
    words = " ".join(" ".join(lines).split())
    for file in MANIFEST.files:
        assert file.licence in words
        assert file.config or file.name in words.replace(" ", "") or file.name in words
    assert "0.1 MB; in the Hub cache; used by relight" in words
    assert "0.1 MB; missing; used by refine-depth (with --fast)" in words
    assert "1 small file of configuration; 1 missing" in words


def test_fetch_of_an_unknown_name_fetches_nothing(hub: FakeHub, run: Callable[..., tuple[int, list[str]]]) -> None:
    with pytest.raises(UsageError):
        run("fetch", "Model.pth", "nothing")
    assert not hub.requests


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from relight_cli.commands.weights import weights_app\n"
        "try: weights_app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'cv2', 'PIL', 'huggingface_hub'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"
