"""Names that files can have, and folders, lists, pipes and templates that are not what they seem."""

import os
import socket
import stat
import string
from pathlib import Path

import pytest
from command_line import Command
from hypothesis import given
from hypothesis import strategies as st
from photo_fixtures import noise

from relight_cli.jobs.file_names import KEPT_FREE, USUAL_LIMIT, fit_name
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

SAME = ("--model", "tiny", "--strength", "0")


def put(name: str | Path, seed: int = 0) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(Photo(noise((6, 8, 3), seed=seed)), path)
    return path


def files_in(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


# reports and other files in a folder that does not exist yet


@pytest.mark.parametrize(
    "arguments",
    [
        ("albedo", "a.png", "-o", "out/", "--report", "out/r.jsonl"),
        ("albedo", "a.png", "b.png", "-o", "out/{stem}.png", "--report", "more/of/it/r.jsonl"),
        ("relight", "a.png", "--light", "noon", "--report", "out/r.jsonl", "--save-light", "out/noon.toml"),
        ("interpolate-timelapse", "a.png", "b.png", "--between", "1", "-o", "out", "--report", "out/r.jsonl"),
        ("interpolate-timelapse", "a.png", "b.png", "--between", "1", "-o", "out", "--plot", "plots/p.png"),
    ],
)
def test_the_folder_of_every_file_is_made(command: Command, arguments: tuple[str, ...]) -> None:
    put("a.png")
    put("b.png", 1)
    done = command(*arguments, *SAME[:2], *(("--strength", "0") if arguments[0] != "interpolate-timelapse" else ()))
    assert done.code == 0, done.err
    written = [
        Path(arguments[n + 1]) for n, name in enumerate(arguments) if name in ("--report", "--save-light", "--plot")
    ]
    assert written
    assert all(path.stat().st_size for path in written)


@pytest.mark.parametrize(
    "arguments",
    [
        ("albedo", ""),
        ("deshadow", "a.png", ""),
        ("interpolate-timelapse", "", "a.png", "--between", "1"),
        ("albedo", "a.png", "-o", ""),
        ("refine-depth", "a.png", "--depth-model", "tiny", "--steps", "0", "-o", ""),
        ("interpolate-timelapse", "a.png", "b.png", "--between", "1", "-o", ""),
    ],
)
def test_an_empty_name_is_no_name(command: Command, arguments: tuple[str, ...]) -> None:
    put("a.png")
    put("b.png", 1)
    done = command(*arguments)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "empty" in done.err
    assert files_in(".") == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("text", "code"), [("\ufeffa.png\r\nb.png\n".encode(), 0), ("a.png\nb.png\n".encode("utf-16"), 2)]
)
def test_a_list_of_an_editor_has_a_byte_order_mark(command: Command, text: bytes, code: int) -> None:
    put("a.png")
    put("b.png", 1)
    Path("list.txt").write_bytes(text)
    done = command("albedo", "@list.txt", *SAME, "-o", "out/")
    assert done.code == code, done.err
    assert files_in("out") == (["a_albedo.png", "b_albedo.png"] if code == 0 else [])
    assert code == 0 or "UTF-16" in done.err


@pytest.mark.parametrize("command_line", [("save", "new/x.toml"), ("preview", "new/x.png")])
def test_lights_are_written_to_a_new_folder(command: Command, command_line: tuple[str, str]) -> None:
    name, output = command_line
    done = command("lights", name, "noon", "-o", output)
    assert done.code == 0, done.err
    assert Path(output).is_file()


# folders and lists without photos


def test_an_empty_folder_among_others_costs_only_itself(command: Command) -> None:
    for number in range(5):
        put(f"full/{number}/a.png", number)
        Path(f"empty/{number}").mkdir(parents=True)
    Path("none.txt").touch()
    places = [f"{kind}/{number}" for number in range(5) for kind in ("empty", "full")]
    done = command("albedo", *places, "@none.txt", *SAME)
    assert done.code == 0
    assert done.lines[0] == "empty/0 and 5 more without photos are left out."
    assert len(files_in("full")) == 10
    Path("list.txt").write_text("empty/0\nfull/1\n")
    done = command("albedo", "@list.txt", *SAME, "--overwrite")
    assert (done.code, done.lines[0]) == (0, "empty/0 has no photos and is left out.")
    done = command("albedo", "empty/0", "empty/1", *SAME)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "empty/0 contains no photos" in done.err


@pytest.mark.parametrize("options", [(), ("-r",)])
def test_a_folder_that_cannot_be_listed_fails_alone(
    command: Command, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    put("in/a.png")
    Path("in/locked").mkdir()
    real = os.scandir

    def refuse(path: str | os.PathLike[str] = ".") -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    named = ("in",) if options else ("in", "in/locked")
    done = command("albedo", *named, *options, *SAME)
    assert done.code == 23
    assert done.lines[0].startswith("in/locked: ")
    assert files_in("in") == ["a.png", "a_albedo.png"]


@pytest.mark.parametrize("name", ["in", "in/*.png"])
def test_a_link_without_its_photo_fails_alone(command: Command, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    put("in/a.png")
    Path("in/gone.png").symlink_to("nowhere.png")
    Path("in/locked.png").touch()
    Path("in/round.png").symlink_to("round.png")
    real = os.stat

    def refuse(path: str | os.PathLike[str] | int, **options: object) -> os.stat_result:
        if not isinstance(path, int) and Path(path).name == "locked.png":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(os, "stat", refuse)
    done = command("albedo", name, *SAME, "-o", "out/")
    assert done.code == 23, done.err
    assert [line.partition(": ")[0] for line in done.lines[:3]] == ["in/gone.png", "in/locked.png", "in/round.png"]
    assert "in/round.png: no such file" in done.err
    assert files_in("out") == ["a_albedo.png"]


# long names


@pytest.mark.parametrize("length", [220, 245, 251])
@pytest.mark.parametrize("output", [None, "out/", "out/{stem}-{task}.{ext}"])
def test_long_names_are_shortened(command: Command, length: int, output: str | None) -> None:
    for last in "ab":
        put("in/" + "x" * (length - 1) + last + ".png")
    asked = ("deshadow", "in", *SAME, "--save-mask", *(("-o", output) if output else ()))
    done = command(*asked)
    assert done.code == 0, done.err
    made = {name for name in files_in("out" if output else "in") if "deshadowed" in name}
    assert len(made) == 4
    again = command(*asked, "--skip-existing", "--report", "r.jsonl")
    assert (again.code, again.lines[-1].partition(",")[0]) == (0, "2 photos: 0 done")
    assert {name for name in files_in("out" if output else "in") if "deshadowed" in name} == made


def test_a_long_name_that_the_user_chose_is_refused_before_any_work(command: Command) -> None:
    put("a.png")
    done = command("albedo", "a.png", *SAME, "-o", "x" * 260 + ".png")
    assert (done.code, len(done.lines)) == (5, 1)
    assert "choose a shorter name" in done.err


def test_a_long_name_of_a_sequence(command: Command) -> None:
    put("n" * 250 + "/a.png")
    put("n" * 250 + "/b.png", 1)
    done = command("interpolate-timelapse", "n" * 250, "--between", "1", "--model", "tiny")
    assert done.code == 0, done.err
    assert sum(path.name.startswith("frame_") for path in Path().rglob("*")) == 3


@given(st.text(min_size=1, max_size=300).filter(lambda s: "\0" not in s and "/" not in s), st.integers(0, 40))
def test_names_fit_and_differ(stem: str, tail: int) -> None:
    stem = stem.encode(errors="replace").decode()
    end = "_" * tail
    name = fit_name(Path(), stem, end)
    assert len(os.fsencode(name)) <= USUAL_LIMIT - KEPT_FREE
    assert name.endswith(end)
    if len(os.fsencode(stem + end)) <= USUAL_LIMIT - KEPT_FREE:
        assert name == stem + end
    else:
        assert name != fit_name(Path(), stem[:-1] + ("a" if stem[-1] != "a" else "b"), end)


# templates


@pytest.mark.parametrize(
    "output", ["out/{stem", "out/stem}", "{stem", "out/{{stem}", "a}/{stem}.png", "out/{stem}}.png"]
)
def test_a_brace_without_its_partner_is_no_name(command: Command, output: str) -> None:
    put("a.png")
    done = command("albedo", "a.png", *SAME, "-o", output)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "is part of no field" in done.err
    assert files_in(".") == ["a.png"]


@pytest.mark.parametrize("output", ["out/{stem", "out/{stem}", "out/{stem}.mp4"])
def test_a_sequence_takes_no_template(command: Command, output: str) -> None:
    for seed in (0, 1):
        put(f"{seed}.png", seed)
    done = command("interpolate-timelapse", "0.png", "1.png", "--between", "1", "-o", output)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "no template" in done.err
    day = ("--sun-at", "06:00..21:00", "--place", "48,11", "--facing", "S", "--date", "2026-06-21", "--frames", "2")
    done = command("relight", "0.png", *day, "-o", output)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "no template" in done.err


def test_an_existing_folder_may_have_braces(command: Command) -> None:
    for seed in (0, 1):
        put(f"in{{/{seed}.png", seed)
    Path("out{stem").mkdir()
    assert command("albedo", "in{/0.png", *SAME, "-o", "out{stem").code == 0
    assert command("albedo", "in{/0.png", *SAME, "-o", "out{stem/{stem}.png").code == 0
    assert files_in("out{stem") == ["0.png", "0_albedo.png"]
    assert command("interpolate-timelapse", "in{", "--between", "1", "--model", "tiny").code == 0


# pipes, sockets and devices


def special(kind: str, name: str) -> str:
    if kind == "device":
        return "/dev/zero"
    if kind == "pipe":
        os.mkfifo(name)
    else:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(name)
    return name


KINDS = pytest.mark.parametrize("kind", ["pipe", "socket", "device"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@KINDS
def test_a_special_file_fails_at_once(command: Command, kind: str) -> None:
    name = special(kind, "odd.png")
    put("a.png")
    done = command("albedo", name, "a.png", *SAME, "-o", "out")
    assert done.code == 23
    assert done.lines[0].startswith(f"{name}: is a {kind}, not a file")
    assert files_in("out") == ["a_albedo.png"]
    assert command("albedo", name, *SAME, "-o", "out").code == 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@KINDS
@pytest.mark.parametrize(
    "arguments",
    [
        ("relight", "a.png", "--light"),
        ("albedo", "a.png", "--mask"),
        ("relight", "a.png", "--light", "noon", "--depth"),
        ("interpolate-timelapse", "a.png", "b.png", "--between", "1", "--freeze"),
        ("refine-depth", "a.png", "--sky"),
        ("albedo", "a.png", "--input-colour"),
        ("interpolate-timelapse", "a.png", "b.png", "--between", "1", "c.png"),
    ],
)
def test_a_special_file_is_refused_wherever_a_file_is_read(
    command: Command, kind: str, arguments: tuple[str, ...]
) -> None:
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        put(name, seed)
    done = command(*arguments, special(kind, "odd.png"), "--offline", "-o", "out")
    assert done.code in (2, 4, 23), done.err
    assert "odd.png" in done.err or "/dev/zero" in done.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_as_list_report_or_old_output_does_not_block(command: Command) -> None:
    os.mkfifo("odd")
    put("a.png")
    assert "odd: is a pipe" in command("albedo", "@odd", *SAME).err
    done = command("albedo", "a.png", *SAME, "--report", "odd")
    assert (done.code, "report cannot be written" in done.err) == (5, True)
    os.mkfifo("a_albedo.png")
    done = command("albedo", "a.png", *SAME, "--skip-existing")
    assert stat.S_ISFIFO(Path("a_albedo.png").stat().st_mode)
    assert (done.code, len(done.lines)) == (0, 1)


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="no /dev/fd here")
def test_a_pipe_that_the_shell_opened_is_read(command: Command) -> None:
    reader, writer = os.pipe()
    os.write(writer, put("a.png").read_bytes())
    os.close(writer)
    assert command("albedo", f"/dev/fd/{reader}", *SAME, "-o", "x.png").code == 0
    os.close(reader)
    assert Path("x.png").is_file()


# outputs of this tool as inputs


def test_chaining_says_how(command: Command) -> None:
    for seed in range(3):
        put(f"in/{seed}.png", seed)
    assert command("deshadow", "in", *SAME, "-o", "my out").code == 0
    done = command("albedo", "my out", *SAME)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "'my out'/*" in done.err
    assert command("albedo", *Path("my out").iterdir(), *SAME, "-o", "end").code == 0
    assert files_in("end") == [f"{seed}_deshadowed_albedo.png" for seed in range(3)]


def test_many_photos_that_are_left_out_are_one_line(command: Command) -> None:
    for seed in range(12):
        put(f"in/{string.ascii_lowercase[seed]}.png", seed)
    assert command("albedo", "in", *SAME).code == 0
    again = command("albedo", "in", *SAME, "--skip-existing")
    assert again.code == 0
    assert [line for line in again.lines if "left out" in line] == [
        "in/a_albedo.png and 11 more photos: left out, because relight-cli made them."
    ]


# every command takes -v, and no usage error has a traceback


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor",),
        ("weights", "list"),
        ("weights", "where"),
        ("weights", "verify", "Depth-Anything-V2-Small-hf"),
        ("weights", "fetch", "relight"),
        ("weights", "convert"),
        ("lights", "list"),
    ],
)
def test_every_command_is_verbose(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments, "-v")
    assert done.code in (0, 6), done.err
    assert "No such option" not in done.err


def test_a_wrong_option_has_no_traceback(command: Command) -> None:
    done = command("doctor", "-v", "--wrong")
    assert (done.code, len(done.lines)) == (2, 1)


LONG = "x" * 300
TIMELAPSE = ("interpolate-timelapse", "a.png", "b.png", "--between", "1", "-o")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("relight", "a.png", "--light", LONG), 2, "there is no light called"),
        (("relight", "a.png", "--light", f"{LONG}.png"), 4, "no such file"),
        (("relight", "a.png", "--light", "noon", "--depth", f"{LONG}.png"), 4, "no such file"),
        (("relight", "a.png", "--light", "noon", "--save-light", f"{LONG}.toml"), 5, "its name is longer"),
        (("relight", "a.png", "--light", "noon", "--model", f"{LONG}.safetensors"), 6, "no such file"),
        (("lights", "show", LONG), 2, "there is no light called"),
        (("lights", "show", f"{LONG}.toml"), 4, "no such file"),
        (("deshadow", "a.png", "--mask", f"{LONG}.png"), 4, "no such file"),
        (("deshadow", "a.png", "--mask", "b.png/mask.png"), 4, "no such file"),
        (("deshadow", "a.png", "--layers", f"{LONG}.exr"), 5, "its name is longer"),
        (("deshadow", "a.png", "--compare", f"{LONG}.html"), 5, "its name is longer"),
        (("albedo", f"{LONG}.mp4"), 4, "no such file"),
        (("refine-depth", "a.png", "--depth-model", "tiny", "--sky", f"{LONG}.png"), 4, "no such file"),
        ((*TIMELAPSE, LONG), 5, "its name is longer"),
        ((*TIMELAPSE, f"{LONG}.mp4"), 5, "its name is longer"),
        ((*TIMELAPSE, "out", "--plot", f"{LONG}.png"), 5, "its name is longer"),
        (("weights", "list", "--weights-dir", LONG), 2, "is not a folder"),
        (("train", "check", LONG), 2, "the name is longer than the file system takes"),
    ],
)
def test_a_name_that_is_too_long_is_an_error_before_any_work(
    command: Command, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    for name in ("a.png", "b.png"):
        write_photo(Photo(noise((6, 8, 3), seed=1)), Path(name))
    before = sorted(Path().iterdir())
    has_model = "--model" in arguments or arguments[0] in ("lights", "weights", "train", "refine-depth")
    done = command(*arguments, *(() if has_model else ("--model", "tiny")))
    assert (done.code, len(done.lines), reason in done.err) == (code, 1, True), done.err
    assert sorted(Path().iterdir()) == before


def test_a_mix_of_many_lights_is_no_name(command: Command) -> None:
    done = command("lights", "show", ",".join(["golden-hour:0.05", "blue-hour:0.05"] * 12))
    assert (done.code, done.err) == (0, "")
