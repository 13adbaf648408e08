"""The script for darktable: its Lua in a stand-in of darktable's interface, its command lines in a real shell."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tifffile
from command_line import Command
from documents import ROOT, code_blocks
from lupa.lua54 import LuaRuntime

import relight_cli
from relight_cli.photos.reading import read_photo

SCRIPT = ROOT / "integrations" / "darktable" / "relight.lua"
AWKWARD = 'it\'s a "yard" $HOME `ls` %PATH% & ü.raw'
REC2020, OWN = 4, -1
PROFILES = [OWN, 1, 2, REC2020]  # of exports, in the order of darktable's list

# darktable's side in Lua, since the script asks Lua's tables for what it needs; `host` is Python's side.
STAND_IN = """
local host = ...
local function widget(kind) return function(fields) fields.kind = kind; return fields end end
local format = {write_image = function(self, image, name) return host.write_image(image, name, self.bpp) end}
package.loaded.darktable = {
  print = host.print,
  new_widget = widget,
  new_format = function(kind) assert(kind == "tiff"); return format end,
  register_lib = function(name, title, expandable, resettable, places, box) host.installed(box) end,
  register_event = function(name, event, callback) host.on_view_changed(callback) end,
  preferences = {register = host.register, read = host.read},
  configuration = {tmp_dir = host.tmp_dir, running_os = "linux"},
  control = {execute = host.execute, sleep = function(milliseconds) end},
  database = {import = host.import_file},
  gui = {
    action = host.action,
    selection = host.selection,
    views = {lighttable = "lighttable"},
    current_view = function() return {id = host.view} end,
    create_job = function(title, has_progress, cancel)
      local job = {valid = true, percent = 0}
      host.add_job(job)
      host.cancel = function() cancel(job) end
      return job
    end,
  },
}
"""


class Darktable:
    """A stand-in of darktable with photos that are selected; what it was asked for is kept."""

    def __init__(self, folder: Path, execute: Callable[[str], int], view: str = "lighttable") -> None:
        self.lua = LuaRuntime(unpack_returned_tuples=True)
        self.folder, self.profile, self.said, self.groups = folder, OWN, [], []
        self.preferences: dict[str, str] = {}
        self.photos: list[str] = []
        self.jobs: list[Any] = []
        self.host = SimpleNamespace(
            print=self.said.append,
            write_image=self._write_image,
            installed=lambda box: setattr(self, "box", box),
            on_view_changed=lambda callback: setattr(self, "view_changed", callback),
            register=lambda script, name, kind, label, tooltip, default: self.preferences.setdefault(name, default),
            read=self._read,
            tmp_dir=str(folder / "tmp"),
            execute=execute,
            import_file=self._import_file,
            action=self._action,
            selection=lambda: self.lua.table_from([self._image(n, name) for n, name in enumerate(self.photos, 1)]),
            view=view,
            add_job=self.jobs.append,
            cancel=lambda: None,
        )
        (folder / "tmp").mkdir()
        self.lua.execute(STAND_IN, self.host)
        self.relight: Any = self.lua.execute(SCRIPT.read_text(encoding="utf-8"))

    def press(self, label: str) -> None:
        """Press a button of the module."""
        next(w for w in self.box.values() if not isinstance(w, str) and w["label"] == label)["clicked_callback"]()

    def _image(self, number: int, name: str) -> Any:
        return self.lua.table_from({"id": number, "path": str(self.folder), "filename": name})

    def _write_image(self, image: Any, name: str, bits: int) -> bool:
        assert bits == 16
        assert self.profile == REC2020
        if image["filename"] != "unreadable.raw":
            samples = np.random.default_rng(image["id"]).integers(0, 65536, (40, 56, 3), np.uint16)
            tifffile.imwrite(name, samples, photometric="rgb")
        return False  # darktable's answer says nothing

    def _read(self, script: str, name: str, kind: str) -> Any:
        if script == "darktable":
            return self.profile if name.endswith("icctype") else ""
        return self.preferences[name]

    def _action(self, path: str, instance: int, element: str, effect: str, speed: float) -> None:
        assert (path, element) == ("lib/export/profile", "selection")
        place = 0 if effect == "first" else PROFILES.index(self.profile) + 1
        self.profile = PROFILES[min(place, len(PROFILES) - 1)]

    def _import_file(self, path: str) -> Any:
        made = self.lua.table_from({"path": path})
        made["group_with"] = lambda me, other: self.groups.append((Path(me["path"]).name, other["filename"]))
        return made


def in_process(command: Command) -> Callable[[str], int]:
    """Return an `execute` that runs relight-cli of a shell's command line in this process."""

    def execute(line: str) -> int:
        program, *words, redirection, messages = shlex.split(line)
        assert (program, redirection) == ("relight-cli", "2>")
        done = command(*words)
        Path(messages).write_text(done.err, encoding="utf-8")
        return done.code << 8  # as darktable 4.2 does; later ones give the code

    return execute


def test_selected_photos_go_through_relight_cli(command: Command, tmp_path: Path) -> None:
    darktable = Darktable(tmp_path, in_process(command))
    darktable.preferences["model"] = "tiny"
    assert [w["value"] for w in darktable.box.values() if not isinstance(w, str) and w["kind"] == "slider"] == [1]
    darktable.photos = [AWKWARD, "unreadable.raw", "second.jpg"]
    (tmp_path / "second_deshadowed.tif").write_bytes(b"of the user")
    darktable.press("remove shadows")
    stem = AWKWARD.removesuffix(".raw")
    assert darktable.groups == [(f"{stem}_deshadowed.tif", AWKWARD), ("second_deshadowed_01.tif", "second.jpg")]
    assert (tmp_path / "second_deshadowed.tif").read_bytes() == b"of the user"
    made = read_photo(tmp_path / f"{stem}_deshadowed.tif").pixels
    assert (made.shape, made.dtype) == ((40, 56, 3), np.uint16)
    assert darktable.said[0].startswith("relight: unreadable.raw: cannot be exported to ")
    assert darktable.said[-1].startswith("relight: 2 of 3 photos done; unreadable.raw: ")
    assert darktable.profile == OWN  # what was chosen is chosen again
    assert not list((tmp_path / "tmp").iterdir())
    assert [(job["valid"], job["percent"]) for job in darktable.jobs] == [(False, 1)]
    darktable.photos = ["second.jpg"]
    darktable.press("relight")  # golden-hour
    darktable.press("albedo")
    assert [name for name, _ in darktable.groups[2:]] == ["second_relit.tif", "second_albedo.tif"]


def test_failures_are_one_line_and_leave_nothing(command: Command, tmp_path: Path) -> None:
    darktable = Darktable(tmp_path, in_process(command))
    darktable.press("albedo")
    assert darktable.said.pop() == "relight: select one or more photos first"
    darktable.photos = ["a.jpg"]
    for light, reason in (("  ", "say which light"), ("no-such-light", "no-such-light"), ("gone.toml", "no such file")):
        options = darktable.lua.table_from({"strength": 1, "light": light})
        assert darktable.relight.run(darktable.host.selection(), "relight", options) == 0
        assert reason in darktable.said[-1]
    darktable.preferences["model"] = "unknown"
    darktable.press("albedo")
    assert "unknown" in darktable.said[-1]
    assert all(line.startswith("relight: ") and "\n" not in line for line in darktable.said)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tif"] == []
    assert not list((tmp_path / "tmp").iterdir())


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    def shell(line: str) -> int:
        return subprocess.run(["sh", "-c", line], check=False).returncode

    darktable = Darktable(tmp_path, shell)
    darktable.photos = ["a.jpg"]
    darktable.preferences["program"] = "/nowhere/it's here"
    darktable.press("albedo")
    assert darktable.said[0] == (
        "relight: a.jpg: /nowhere/it's here cannot be started: give its whole path in the preferences, Lua options"
    )
    darktable.preferences["program"] = "false"
    darktable.press("albedo")
    assert darktable.said[-1] == "relight: 0 of 1 photos done; a.jpg: relight-cli ended with code 1"


def test_the_cross_of_the_progress_bar_stops(tmp_path: Path) -> None:
    ran: list[str] = []

    def execute(line: str) -> int:
        ran.append(line)
        darktable.host.cancel()
        return 0

    darktable = Darktable(tmp_path, execute)
    darktable.photos = ["a.jpg", "b.jpg"]
    darktable.press("albedo")
    assert len(ran) == 1
    assert darktable.said[-1] == "relight: 1 of 2 photos done"
    assert darktable.profile == OWN


def test_the_module_appears_with_the_lighttable(tmp_path: Path) -> None:
    darktable = Darktable(tmp_path, lambda line: 0, view="darkroom")
    assert not hasattr(darktable, "box")
    darktable.view_changed("view-changed", None, darktable.lua.table_from({"id": "lighttable"}))
    assert darktable.box["orientation"] == "vertical"


def test_words_of_a_command_line(tmp_path: Path) -> None:
    darktable = Darktable(tmp_path, lambda line: 0)
    relight = darktable.relight
    words = [AWKWARD, "", "'", "\\", "$(touch x)\n", "--light=a b", "*"]
    line = " ".join(relight.quote(word, "linux") for word in words)
    assert shlex.split(line) == words
    told = subprocess.run(["sh", "-c", f"printf '%s|' {line}"], capture_output=True, text=True, check=True).stdout
    assert told == "|".join(words) + "|"
    windows = {
        "C:\\my photos\\a.tif": '"C:\\my photos\\a.tif"',
        "C:\\folder\\": '"C:\\folder\\\\"',
        'a "b"': '"a \\"b\\""',
        "100%.tif": '"100"^%".tif"',
    }
    assert {word: relight.quote(word, "windows") for word in windows} == windows
    line = relight.command_line(darktable.lua.table_from(["relight-cli.exe", "albedo"]), "m.txt", "windows")
    assert line == '""relight-cli.exe" "albedo" 2> "m.txt""'


def test_the_readme_puts_the_script_where_darktable_finds_it(tmp_path: Path) -> None:
    blocks = code_blocks(SCRIPT.parent / "README.md", "sh")
    subprocess.run(["sh", "-ec", blocks[0][1]], cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)}, check=True)
    config = tmp_path / ".config" / "darktable"
    assert (config / "luarc").read_text() == 'require "relight"\n'
    assert (config / "lua" / "relight.lua").read_bytes() == SCRIPT.read_bytes()


def test_the_version_is_the_tool_s(tmp_path: Path) -> None:
    assert Darktable(tmp_path, lambda line: 0).relight.version == relight_cli.__version__
