"""The documents against the program: examples run, commands parse, links lead somewhere, tables are complete."""

import functools
import io
import json
import re
import shlex
from dataclasses import fields
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer
from command_line import Command
from command_pages import command_pages, markdown
from documents import DOCUMENTS, PAGES, ROOT, anchors, code_blocks, commands, table
from man_pages import exit_codes, man_page
from photo_fixtures import noise
from PIL import Image

import relight_cli
from relight_cli.checkpoints import manifest
from relight_cli.cli import app
from relight_cli.depth.command_options import DepthCommandOptions
from relight_cli.errors import ExitCode
from relight_cli.jobs.mapping_options import MappingCommandOptions
from relight_cli.jobs.options import PhotoCommandOptions
from relight_cli.jobs.outputs import FIELDS
from relight_cli.photos.formats import RAW_SUFFIXES, SUFFIXES, format_of
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.timelapse.command_options import TimelapseCommandOptions

FORMATS, SCRIPTS, PYTHON, DEPTH = (ROOT / "docs" / f"{name}.md" for name in ("formats", "scripts", "python", "depth"))
OPTIONS = {
    "relight": PhotoCommandOptions,
    "deshadow": MappingCommandOptions,
    "albedo": MappingCommandOptions,
    "interpolate-timelapse": TimelapseCommandOptions,
    "refine-depth": DepthCommandOptions,
}
NEEDS_WEIGHTS = "<!-- needs the published weights -->"


@pytest.mark.parametrize("page", [page for page in PAGES if code_blocks(page, "python")], ids=lambda page: page.name)
def test_python_examples_run(
    page: Path, example_photos: Path, tiny_parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run the blocks of a page in order; where published weights are needed, with small networks and two steps."""
    monkeypatch.chdir(example_photos)
    for path in example_photos.rglob("*.jpg"):  # a quarter of the pixels takes less time
        with Image.open(path) as picture:
            picture.reduce(2).save(path)
    names: dict[str, Any] = {}
    for above, block in code_blocks(page, "python"):
        with monkeypatch.context() as patch:
            if above == NEEDS_WEIGHTS:
                load = functools.partial(relight_cli.load_depth_model, weights_dir=tiny_parts, offline=True)
                refine = functools.partial(relight_cli.refine_depth, options=relight_cli.DepthOptions(steps=2))
                patch.setattr(manifest, "_PLACES", (tiny_parts / "manifest.toml",))
                patch.setattr(relight_cli, "load_depth_model", load)
                patch.setattr(relight_cli, "refine_depth", refine)
            exec(compile(block, page.name, "exec"), names)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_commands_parse(page: Path) -> None:
    for line in commands(page):
        words = shlex.shlex(line, posix=True, punctuation_chars="|>")
        words.whitespace_split = True
        rest = list(words)
        assert "relight-cli" in rest
        while "relight-cli" in rest:
            rest = rest[rest.index("relight-cli") + 1 :]
            parse(list(takewhile(lambda word: word not in ("|", ">"), rest)))


def parse(arguments: list[str]) -> None:
    """Parse arguments as the program does, without running it. Raises the errors of Typer."""
    command: Any = typer.main.get_command(app)
    context = None
    name = "relight-cli"
    while hasattr(command, "commands"):
        context = command.make_context(name, arguments[:1], parent=context)
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, arguments, parent=context)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    references = {f"reference/{page.slug}.md" for page in command_pages()}
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if path not in references:
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("task", OPTIONS)
def test_the_reference_and_the_man_page_have_every_option(task: str) -> None:
    pages = command_pages()
    page = next(page for page in pages if page.name == f"relight-cli {task}")
    reference, manual = markdown(page), man_page(page, pages).replace("\\-", "-")
    for field in fields(OPTIONS[task]):
        option = "format" if field.name == "kind" else field.name.replace("_", "-")
        assert re.search(rf"^`.*--{option}\b.*`$", reference, re.MULTILINE), option
        assert re.search(rf"^\\fB.*--{option}\b.*\\fR$", manual, re.MULTILINE), option


def test_every_command_is_in_the_navigation() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert all(f"reference/{page.slug}.md" in site for page in command_pages())


def test_the_python_page_has_every_public_name() -> None:
    shown = re.findall(r"^::: relight_cli\.(\w+)$", PYTHON.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(shown) == sorted(set(relight_cli.__all__) - {"__version__"})


def test_the_architecture_is_that_of_the_package() -> None:
    package, text = ROOT / "relight_cli", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = {
        name
        for row in table(ROOT / "docs" / "architecture.md", "## Packages")
        for name in re.findall(r"`(\w+)/`", row[0])
    }
    assert rows == {path.parent.name for path in package.glob("*/__init__.py")}
    for module in re.findall(r"`(\w+/\w+)`", text):
        assert (package / f"{module}.py").is_file() or (package / module).is_dir(), module


def test_the_table_of_exit_codes_is_the_codes() -> None:
    codes = [
        int(number) for row in table(ROOT / "docs" / "scripts.md", "## Exit codes") for number in row[0].split(", ")
    ]
    assert codes == sorted(codes) == [int(code) for code in ExitCode]
    assert codes == [int(number) for entry in exit_codes() for number in entry.name.split(", ")]


def test_the_tables_of_report_fields_are_complete(
    example_photos: Path, tiny_parts: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ("--report", "report.jsonl", "--shard", "1/1")
    assert command("deshadow", "yard.jpg", "--save-mask", *report).code == ExitCode.OK
    monkeypatch.setattr(manifest, "_PLACES", (tiny_parts / "manifest.toml",))
    depth = command("refine-depth", "yard.jpg", "--ensemble", 1, "--steps", 1, "--weights-dir", tiny_parts, *report)
    assert depth.code == ExitCode.OK, depth.err
    shared, of_depth = map(json.loads, (example_photos / "report.jsonl").read_text().splitlines())
    documented = {name for row in table(SCRIPTS, "## Report") for name in re.findall(r"`(\w+)`", row[0])}
    more = {name for row in table(DEPTH, "## Report") for name in re.findall(r"`(\w+)`", row[0])}
    assert documented == set(shared)
    assert documented | more == set(of_depth) | {"more_outputs"}


def test_the_template_fields_are_documented() -> None:
    assert set(re.findall(r"\{(\w+)\}", SCRIPTS.read_text(encoding="utf-8"))) == set(FIELDS)


def test_the_table_of_formats_is_what_is_read_and_written() -> None:
    documented: set[str] = set()
    for suffixes, _, written, more in table(FORMATS, "## Formats"):
        mine = re.findall(r"`(\.\w+)`", suffixes)
        assert all(format_of(Path(f"x{suffix}")) for suffix in mine)
        documented |= set(mine)
        kind = SUFFIXES.get(mine[0])
        if kind is None:
            assert mine[0] in RAW_SUFFIXES
            continue
        file = io.BytesIO()
        write_photo(Photo(noise((8, 8, 3), "uint16")), file, format=kind)
        depth = read_photo(file, max_pixels=64).pixels.dtype.name
        assert depth == ("uint8" if written == "8" else "float32" if written == "floating point" else "uint16")
        extra = re.search(r"relight-cli\[(\w+)\]", more)
        assert extra is None or f"\n{extra[1]} = [" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert set(SUFFIXES) <= documented
