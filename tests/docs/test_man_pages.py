"""The man pages are well formed."""

import shutil
import subprocess
from pathlib import Path

import pytest
from command_pages import command_pages
from man_pages import main


@pytest.fixture
def pages(tmp_path: Path) -> list[Path]:
    main(tmp_path)
    return sorted(tmp_path.iterdir())


def test_there_is_one_for_every_command(pages: list[Path]) -> None:
    assert {path.name for path in pages} == {f"{page.slug}.1" for page in command_pages()}
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(".TH ")
        assert all(
            f"\n.SH {heading}\n" in text for heading in ("NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "SEE ALSO")
        )


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_has_nothing_to_say(pages: list[Path]) -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_man_shows_them(pages: list[Path]) -> None:
    done = subprocess.run(["man", "--warnings", "-l", *pages], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.count("EXIT STATUS") == len(pages)
