"""Defaults of the user's own: files, environment, and which of them wins."""

import json
from pathlib import Path

import pytest
import typer
from command_line import Command, Outcome
from photo_fixtures import noise

from relight_cli.cli import app
from relight_cli.jobs.option_tree import EXCLUSIVE, option_tree
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

SAME = ("--model", "tiny", "--strength", "0")
GONE = "gone.png: no such file; check the path."  # what a dry run says after it has checked its options


@pytest.fixture
def photo(command: Command) -> Path:
    """A photo in the working folder of `command`."""
    write_photo(Photo(noise((6, 8, 3), seed=1)), Path("a.png"))
    return Path("a.png")


def project(text: str, folder: str = ".") -> None:
    (Path(folder) / "relight.toml").write_text(text)


def user(text: str) -> None:
    place = Path(".config/relight-cli")  # XDG_CONFIG_HOME of `command`
    place.mkdir(parents=True, exist_ok=True)
    (place / "relight.toml").write_text(text)


def options(command: Command, *arguments: str, name: str = "albedo") -> dict:
    """Run a command that changes nothing; return the options that its report records."""
    done = command(name, "a.png", "--model", "tiny", "--overwrite", "--report", "r.jsonl", *arguments)
    assert done.code == 0, done.err
    return json.loads(Path("r.jsonl").read_text().splitlines()[-1])["options"]


# order


def test_the_stronger_source_wins(command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = []
    for weakest in (
        lambda: user("strength = 0.1"),
        lambda: user("strength = 0.1\n[albedo]\nstrength = 0.2"),
        lambda: project("strength = 0.3"),
        lambda: project("strength = 0.3\n[albedo]\nstrength = 0.4"),
        lambda: monkeypatch.setenv("RELIGHT_STRENGTH", "0.5"),
    ):
        weakest()
        values.append(options(command)["strength"])
    assert values == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert options(command, "--strength", "0")["strength"] == 0
    monkeypatch.setenv("RELIGHT_STRENGTH", "")  # as if unset
    assert options(command)["strength"] == 0.4
    assert options(command, name="deshadow")["strength"] == 0.3
    done = command(
        "--no-config", "albedo", "a.png", *SAME[:2], "--overwrite", "--report", "r.jsonl", "--max-side", "64"
    )
    assert done.code == 0
    assert json.loads(Path("r.jsonl").read_text().splitlines()[-1])["options"]["strength"] == 1


def test_both_files_are_merged_and_the_nearest_project_counts(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user("quality = 70\nstrength = 0\ntile-batch = 3")
    project("quality = 80")
    deep = Path("deep/er")
    deep.mkdir(parents=True)
    write_photo(Photo(noise((6, 8, 3), seed=1)), deep / "a.png")
    top = Path.cwd()
    monkeypatch.chdir(deep)
    found = options(command)
    assert (found["quality"], found["strength"], found["tile_batch"]) == (80, 0, 3)
    project("effort = 'fast'", folder=str(top / "deep"))
    found = options(command)
    assert (found["quality"], found["effort"]) == (70, "fast")


def test_every_option_of_every_command_has_a_name_in_files_and_environment() -> None:
    tree = option_tree(typer.main.get_command(app))
    assert {"relight", "refine-depth", "doctor"} <= {path[0] for path in tree}
    names = {name for found in tree.values() for name in found}
    assert {name for group in EXCLUSIVE for name in group} <= names
    for path in (("relight",), ("deshadow",), ("albedo",), ("interpolate-timelapse",), ("refine-depth",)):
        for name, option in tree[path].items():
            assert f"RELIGHT_{name.upper().replace('-', '_')}" in option.variables
            assert option.field in (name.replace("-", "_"), "kind")


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_switches_from_the_environment(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("RELIGHT_STRIP", value)
    assert options(command, *SAME[2:])["strip"] is True
    assert options(command, *SAME[2:], "--no-strip")["strip"] is False


def test_a_switch_of_a_file_can_be_turned_off(command: Command, photo: Path) -> None:
    project("strip = true\ndetail = false")
    assert options(command, *SAME[2:], "--no-strip", "--detail") == options(command, *SAME[2:]) | {
        "strip": False,
        "detail": True,
    }


# what contradicts


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ("budget = 60.0", ("--max-side", "64"), {"budget": None, "max_side": 64}),
        ("max-side = 64", ("--no-detail",), {"max_side": None, "detail": False}),
        ("detail = false", ("--max-side", "64"), {"max_side": 64, "detail": True}),
        ("detail = false\n[albedo]\nmax-side = 64", (), {"max_side": 64, "detail": True}),
        ("skip-existing = true", ("--overwrite",), {"skip_existing": False, "overwrite": True}),
    ],
)
def test_the_command_line_replaces_what_contradicts_it(
    command: Command, photo: Path, text: str, arguments: tuple[str, ...], expected: dict
) -> None:
    project(text)
    found = options(command, *SAME[2:], *arguments)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "arguments", "made"),
    [
        ("light = 'noon'", ("--sun", "left,35"), "words: sun -90,35"),
        ("sun = 'left,35'\nkelvin = 3000", ("--light", "noon"), "high summer sun"),
        ("place = '48,11'\nfacing = 'S'\ndate = '2026-06-21'", ("--light", "noon"), "high summer sun"),
        ("place = '48,11'\nfacing = 'S'\nlight = 'noon'", ("--sun-at", "2026-06-21T12:00"), "2026-06-21T12:00"),
        ("kelvin = 3000", ("--sun", "left,35"), "words: sun -90,35, 3000 K"),
    ],
)
def test_a_light_of_the_command_line_replaces_one_of_a_file(
    command: Command, photo: Path, text: str, arguments: tuple[str, ...], made: str
) -> None:
    project(f"[relight]\n{text}")
    done = command("relight", "a.png", *SAME, *arguments, "--save-light", "found.toml")
    assert done.code == 0, done.err
    assert f'origin = "{made}' in Path("found.toml").read_text()


@pytest.mark.parametrize(
    ("stated", "call"),
    [
        ('codec = "h265"\ncrf = 20\nkeyframes = 5', ()),
        ('ocio-config = "studio.ocio"\ninvert-mask = true\ngpus-per-actor = 1', ()),
        ('reference = "scene"\nfps = 24\ndate = "2026-06-21"', ("--light", "noon")),
        ("detail = false", ("--light", "noon")),
        ("null = true\nengine = 'ray'\nbudget = 9", ("--light", "noon", "-o", "-")),
    ],
)
def test_what_has_no_use_in_a_run_is_left_out(command: Command, stated: str, call: tuple[str, ...]) -> None:
    project(stated)
    name = "relight" if call else "albedo"
    done = command(name, "gone.png", *call, "--model", "tiny", "--dry-run", "--progress", "json")
    events = [json.loads(line) for line in done.lines]
    assert [event["event"] for event in events].count("start") == 1
    assert (done.code, [event["message"] for event in events if event["event"] == "error"]) == (4, [GONE])


def test_what_has_no_use_in_a_video_is_left_out(command: Command, photo: Path) -> None:
    project('codec = "prores"\ncrf = 20\nfps = 24\nstrength = 0.5\npage = 2')
    write_photo(Photo(noise((6, 8, 3), seed=2)), Path("b.png"))
    call = ("interpolate-timelapse", "a.png", "b.png", "--between", 1, "--mode", "image", "--dry-run")
    assert command(*call, "-o", "out").code == 0
    assert command(*call, "-o", "o.mp4").code == 0
    assert "--codec prores does not fit" in command(*call, "-o", "o.mp4", "--codec", "prores").err


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("probability = true", ()),
        ("working-space = 'acescg'", ("--mask-only",)),
        ("detail = false", ("--threshold", 0.5)),
        ("threshold = 0.5", ("--no-detail",)),
    ],
)
def test_what_does_not_fit_what_deshadow_makes_is_left_out(
    command: Command, stated: str, words: tuple[str | float, ...]
) -> None:
    project(f"[deshadow]\n{stated}")
    assert GONE in command("deshadow", "gone.png", *words, "--model", "tiny", "--dry-run").err


def test_runs_are_left_out_where_a_file_asks_for_no_steps(command: Command) -> None:
    project("[refine-depth]\nsteps = 0\nfast = true")
    assert GONE in command("refine-depth", "gone.png", "--depth-model", "tiny", "-o", "d.png", "--dry-run").err


@pytest.mark.parametrize(
    "words",
    [
        ("interpolate-timelapse", "@-", "--between", 1, "-o", "out"),
        ("relight", "@-", "--frames", 2, "--sun-at", "2026-06-21T06:00..21:00", "--place", "48,11", "--facing", "S"),
    ],
)
def test_a_list_on_stdin_is_read_once(command: Command, words: tuple[str | int, ...]) -> None:
    project("codec = 'h265'\nfps = 24")
    done = command(*words, "--model", "tiny", stdin=b"gone.png\n")
    assert (done.code, done.err.count("gone.png: no such file")) == (4, 1)


def test_a_mask_alone_replaces_a_mask_besides(command: Command, photo: Path) -> None:
    project("save-mask = true\nlayers = 'layers/'")
    done = command("deshadow", "a.png", "--model", "tiny", "--mask-only", "-o", "where.png")
    assert done.code == 0, done.err
    assert not Path("layers").exists()


def test_the_project_replaces_what_contradicts_it(command: Command, photo: Path) -> None:
    user("overwrite = true")
    project("skip-existing = true")
    for _ in range(2):
        done = command("albedo", "a.png", *SAME)
        assert done.code == 0, done.err
    project("skip-existing = false")
    assert command("albedo", "a.png", *SAME, "--strength", "0.5").code == 0


# names of files


def test_names_of_files_count_from_their_file(command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photo(Photo(noise((6, 8, 3), seed=2)), Path("mask.png"))
    project("output = 'out/'\nmask = 'mask.png'\n[relight]\nlight = 'noon'")
    Path("deep").mkdir()
    write_photo(Photo(noise((6, 8, 3), seed=1)), Path("deep/a.png"))
    monkeypatch.chdir("deep")
    assert command("deshadow", "a.png", *SAME).code == 0
    assert Path("../out/a_deshadowed.png").is_file()
    assert command("relight", "a.png", *SAME).code == 0
    assert Path("../out/a_relit.png").is_file()
    assert command("albedo", "a.png", *SAME, "-o", "here.png").code == 0
    assert Path("here.png").is_file()


def test_a_light_of_a_file_counts_from_it_too(command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("lights", "save", "noon", "-o", "my.toml").code == 0
    project("[relight]\nlight = 'my.toml'")
    Path("deep").mkdir()
    monkeypatch.chdir("deep")
    assert command("relight", "../a.png", *SAME).code == 0


# errors


WRONG = {
    "strenght = 1": "unknown key strenght: did you mean strength?",
    "max_side = 64": "unknown key max_side: did you mean max-side?",
    "no-detail = true": "unknown key no-detail: write detail = false.",
    "kind = 'png'": "unknown key kind",
    "save-masks = true": "unknown key save-masks: did you mean save-mask?",
    "[albedo]\nsave-mask = true": "[albedo] unknown key save-mask",
    "[albedos]\nstrength = 1": "unknown table albedos: did you mean albedo?",
    "[weights.fetches]\noffline = true": "unknown table fetches: did you mean fetch?",
    "albedo = 1": "unknown key albedo",
    "strength = '1'": 'strength = "1" has the wrong type: write a number.',
    "strength = true": "strength = true has the wrong type: write a number.",
    "max-side = 64.5": "max-side = 64.5 has the wrong type: write a whole number.",
    "overwrite = 1": "overwrite = 1 has the wrong type: write true or false.",
    "output = ['a']": "has the wrong type: write a text in quotes.",
    "[refine-depth]\nrun-batch = 4": "[refine-depth] run-batch = 4 has the wrong type: write a text in quotes.",
    'output = "x\\u0000y.png"': "output has a null character",
    "strength = 5": "strength: Invalid value for '--strength'",
    "[albedo]\nmodel = 'big'": "[albedo] model: Invalid value for '--model'",
    "strength = ": "is not TOML",
    "strength = 1\nstrength = 2": "is not TOML",
}


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize("place", [project, user])
def test_a_wrong_file_is_one_line_that_names_file_and_key(
    command: Command, photo: Path, text: str, place: object
) -> None:
    assert callable(place)
    place(text)
    done = command("albedo", "a.png", "--overwrite", "--offline")
    assert (done.code, len(done.lines)) == (2, 1)
    assert "relight.toml: " in done.err
    assert WRONG[text] in done.err
    assert command("albedo", "--help").code == 0
    assert command("--no-config", "albedo", "a.png", *SAME, "--overwrite").code == 0


def test_a_file_that_is_no_text(command: Command, photo: Path) -> None:
    Path("relight.toml").write_bytes(b"\xff\xfe\0")
    done = command("albedo", "a.png", *SAME)
    assert (done.code, len(done.lines)) == (2, 1)
    assert "relight.toml: is not TOML" in done.err


@pytest.mark.parametrize(("variable", "value"), [("STRENGTH", "much"), ("OVERWRITE", "perhaps"), ("MODEL", "big")])
def test_a_wrong_variable_is_named(
    command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"RELIGHT_{variable}", value)
    done = command("albedo", "a.png")
    assert (done.code, len(done.lines)) == (2, 1)
    assert done.err.startswith(f"relight-cli: RELIGHT_{variable}: Invalid value")


# doctor, and other commands


def doctor(command: Command) -> tuple[Outcome, list[str]]:
    done = command("doctor")
    return done, [
        line for line in done.out.decode().splitlines() if line.startswith(("conf", "default", "environment"))
    ]


def test_doctor_shows_what_is_in_force_and_where_from(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    done, lines = doctor(command)
    assert (done.code, lines) == (0, ["configuration   none: no relight.toml is in force"])
    user("quality = 70\nstrength = 0.5")
    project("strength = 0.6\n[albedo]\nstrip = true")
    monkeypatch.setenv("RELIGHT_MAX_SIDE", "64")
    monkeypatch.setenv("RELIGHT_MAXSIDE", "64")
    done, lines = doctor(command)
    own, mine = Path(".config/relight-cli/relight.toml").absolute(), Path("relight.toml").absolute()
    assert done.code == 0
    assert sorted(lines) == sorted(
        [
            f"configuration   {own}",
            f"configuration   {mine}",
            f"default         strength = 0.6, from {mine}",
            f"default         quality = 70, from {own}",
            f"default         [albedo] strip = true, from {mine}",
            "default         max-side = 64, from RELIGHT_MAX_SIDE",
            "environment     RELIGHT_MAXSIDE sets no option",
        ]
    )


def test_doctor_reports_a_broken_file(command: Command) -> None:
    project("strenght = 1")
    done, lines = doctor(command)
    assert done.code == 1
    assert any("BROKEN" in line and "unknown key strenght" in line for line in lines)


def test_only_shared_options_reach_other_commands(command: Command, tmp_path: Path) -> None:
    project("output = 'out/'\noverwrite = true\nweights-dir = 'mine'\n[lights.preview]\noverwrite = true")
    Path("mine").mkdir()
    assert command("weights", "where").out.decode().splitlines()[0].endswith("mine")
    assert command("lights", "save", "noon", "-o", "noon.toml").code == 0
    assert command("lights", "save", "noon", "-o", "noon.toml").code == 5
    for _ in range(2):
        assert command("lights", "preview", "noon", "-o", "noon.png").code == 0


def test_an_option_may_be_called_like_a_command(command: Command, photo: Path) -> None:
    project("report = 'r.jsonl'")
    assert command("albedo", "a.png", *SAME).code == 0
    line = Path("r.jsonl").read_text()
    for name in (("doctor",), ("lights", "list"), ("report", "merge", "r.jsonl")):
        assert command(*name).code == 0
    project("[report.merge]\noverwrite = true")
    assert command("albedo", "a.png", *SAME, "--overwrite").code == 0
    for _ in range(2):
        assert command("report", "merge", "r.jsonl", "-o", "all.jsonl").code == 0
    assert Path("r.jsonl").read_text() == Path("all.jsonl").read_text() == line


def test_verbose_of_a_file_shows_tracebacks(command: Command, photo: Path) -> None:
    project("verbose = true")
    assert "Traceback" in command("albedo", "gone.png", *SAME).err
    assert "Traceback" not in command("albedo", "gone.png", *SAME, "--no-verbose").err
