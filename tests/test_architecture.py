"""The arrows of the code, and what a start must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "relight_cli"
ALLOWED = {
    "__init__": set(),
    "__main__": {"cli", "errors"},
    "cli": {"commands", "jobs", "devices", "errors"},
    "commands": {"depth", "timelapse", "jobs", "relighting", "photos", "checkpoints", "devices", "errors"},
    "depth": {"jobs", "relighting", "photos", "rasters", "models", "checkpoints", "devices", "errors"},
    "timelapse": {"jobs", "relighting", "photos", "rasters", "models", "checkpoints", "devices", "errors"},
    "jobs": {"relighting", "photos", "rasters", "models", "checkpoints", "devices", "errors"},
    "relighting": {"photos", "rasters", "models", "errors"},
    "photos": {"rasters", "models", "errors"},
    "rasters": {"errors"},
    "checkpoints": {"models", "errors"},
    "models": set(),
    "training": {"relighting", "photos", "rasters", "models"},
    "devices": {"errors"},
    "errors": set(),
}
HEAVY = ["torch", "cv2", "numpy", "PIL", "imagecodecs", "tifffile", "huggingface_hub", "diffusers", "transformers"]


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


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_run_one_way(path: Path) -> None:
    mine = part(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "relight_cli" or parts[1:] in ([], ["__version__"]) or parts[1] == mine:
            assert not (mine == "commands" and len(parts) > 2 and parts[0] == "relight_cli" and parts[2][0] != "_"), (
                name
            )
            assert mine != "models" or parts[0] in {
                "relight_cli",
                "torch",
                "functools",
                "math",
                "collections",
                "dataclasses",
                "typing",
            }
            continue
        assert parts[1] in ALLOWED[mine], f"{path.name} must not import {name}"


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


def test_every_part_is_known() -> None:
    assert {part(p) for p in PACKAGE.rglob("*.py")} == set(ALLOWED)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["relight", "--help"], ["refine-depth", "--help"], ["weights", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = f"""
import sys
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
