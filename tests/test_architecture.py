"""The arrows of the code, and what a start must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "relight_cli"
# The packages from the top down; arrows run downwards only. Every package may use what stands at the bottom.
FLOORS = [
    {"__main__"},
    {"cli"},
    {"commands"},
    {"studio"},
    {"evaluation", "serving"},
    {"depth", "timelapse"},
    {"sequences"},
    {"jobs"},
    {"pages"},
    {"relighting", "videos"},
    {"photos"},
    {"rasters", "models", "places"},
]
BOTTOM = {"errors", "_version", "devices", "cores", "interruption", "paths", "toml_files"}
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
BESIDES = {  # what stands next to the floors: what it uses, and who uses it
    "checkpoints": ({"models"}, {"__init__", "commands"}),
    "training": ({"relighting", "photos", "rasters", "models", "checkpoints"}, {"commands"}),
    "__init__": (set(FLOOR) | {"checkpoints"}, set()),  # the Python API; imports lazily
}


def may_import(mine: str, other: str) -> bool:
    """Tell whether an arrow from one package to another is allowed."""
    if other in BOTTOM:
        return mine not in BOTTOM or other == "errors" or (mine, other) == ("cores", "interruption")
    if mine in BESIDES:
        return other in BESIDES[mine][0]
    if other in BESIDES:
        return mine in BESIDES[other][1]
    return mine in FLOOR and FLOOR[mine] < FLOOR[other]


HEAVY = ["gradio", "fastapi", "torch", "cv2", "numpy", "PIL", "imagecodecs", "tifffile"]
HEAVY += ["huggingface_hub", "diffusers", "transformers"]


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found += [f"{module}.{alias.name}" for alias in node.names] if module == "relight_cli" else [module]
    return found


MODULES = pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))


@MODULES
def test_arrows_run_one_way(path: Path) -> None:
    mine = part(path)
    for name in imports(path):
        package, *inner = name.split(".")
        if package == "relight_cli" and inner and inner[0] != mine:
            assert may_import(mine, inner[0]), f"{path.name} must not import {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "models").glob("*.py")), ids=lambda p: p.name)
def test_models_import_torch_and_each_other_only(path: Path) -> None:
    allowed = {"relight_cli", "torch", "functools", "math", "collections", "dataclasses", "typing"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed


@pytest.mark.parametrize("path", sorted((PACKAGE / "commands").glob("*.py")), ids=lambda p: p.name)
def test_no_command_imports_another(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith("relight_cli.commands")]


@pytest.mark.parametrize("package", ["relighting", "models", "rasters"])
def test_maths_knows_no_files_and_no_terminal(package: str) -> None:
    for path in (PACKAGE / package).rglob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & {"pathlib", "os", "typer", "tqdm", "sys"}, path


@pytest.mark.parametrize(
    ("word", "homes"),
    [
        ("torch.load(", {"checkpoints", "training"}),
        ("load_state_dict(", {"checkpoints", "training"}),
        ("huggingface_hub", {"checkpoints", "commands"}),  # commands: the doctor's list of packages
        ("weights_only=False", set()),
    ],
)
def test_only_one_place_does_it(word: str, homes: set[str]) -> None:
    assert {part(path) for path in PACKAGE.rglob("*.py") if word in path.read_text()} <= homes


def test_importing_the_package_is_fast_and_loads_nothing_heavy() -> None:
    program = f"""
import sys
before = set(sys.modules)
import relight_cli
loaded = set(sys.modules) - before
print([name for name in {[*HEAVY, "typer"]!r} if name in loaded])
print(sorted(name for name in loaded if name.startswith("relight_cli")))
assert set(relight_cli.__all__) <= set(dir(relight_cli))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['relight_cli', 'relight_cli._version']"]


def test_every_part_is_known() -> None:
    assert {part(p) for p in PACKAGE.rglob("*.py")} == set(FLOOR) | set(BESIDES) | BOTTOM


COMPLETION = {"_RELIGHT_CLI_COMPLETE": "complete_bash", "COMP_CWORD": "2"}


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--help"], {}),
        (["--version"], {}),
        (["relight", "--help"], {}),
        (["refine-depth", "--help"], {}),
        (["weights", "--help"], {}),
        (["studio", "--help"], {}),
        (["lights", "show", "--help"], {}),
        (["train", "light", "--help"], {}),
        (["evaluate", "depth", "--help"], {}),
        ([], {"_RELIGHT_CLI_COMPLETE": "source_bash"}),
        ([], COMPLETION | {"COMP_WORDS": "relight-cli relight --"}),
        ([], COMPLETION | {"COMP_WORDS": "relight-cli refine-depth --"}),
    ],
)
def test_help_and_completion_load_nothing_heavy(arguments: list[str], environment: dict[str, str]) -> None:
    program = f"""
import os
import sys
os.environ |= {environment!r}
sys.argv = ["relight-cli", *{arguments!r}]
from relight_cli.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout
