"""Write the man pages: python docs/generate/man_pages.py FOLDER."""

import re
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from command_pages import PROGRAM, CommandPage, Entry, command_pages

from relight_cli import __version__

SCRIPTS = Path(__file__).parents[1] / "scripts.md"
WIDTH = 78  # of lines of text


def man_page(page: CommandPage, pages: list[CommandPage]) -> str:
    """Render one command in the macros of man(7)."""
    today = datetime.now(UTC).date().isoformat()
    lines = [
        f'.TH {page.slug.upper()} 1 {today} "{PROGRAM} {__version__}" "User Commands"',
        ".nh",  # no hyphens in the names of options
        ".ad l",
        ".SH NAME",
        f"{_text(page.slug)} \\- {_text(page.summary.rstrip('.'))}",
        ".SH SYNOPSIS",
        rf"\fB{_text(page.name)}\fR {_text(page.usage.removeprefix(page.name).strip())}",
        ".SH DESCRIPTION",
    ]
    for number, paragraph in enumerate(page.description):
        lines += ([".PP"] if number else []) + [_paragraph(paragraph)]
    lines += _entries("COMMANDS", page.commands) + _entries("ARGUMENTS", page.arguments)
    lines += _entries("OPTIONS", page.options)
    lines += _entries("EXIT STATUS", exit_codes())
    others = sorted(other.slug for other in pages if other != page)
    lines += [".SH SEE ALSO", *(f".BR {_text(other)} (1)," for other in others[:-1]), f".BR {_text(others[-1])} (1)"]
    return "\n".join(lines) + "\n"


def exit_codes() -> tuple[Entry, ...]:
    """Read the table of the page of scripts."""
    section = SCRIPTS.read_text(encoding="utf-8").split("\n## Exit codes\n")[1].split("\n## ")[0]
    return tuple(
        Entry(code, meaning) for code, meaning in re.findall(r"^\| (\d[\d, ]*) \| (.+) \|$", section, re.MULTILINE)
    )


def _entries(heading: str, entries: tuple[Entry, ...]) -> list[str]:
    if not entries:
        return []
    lines = [f".SH {heading}"]
    for entry in entries:
        lines += [".TP", rf"\fB{_text(entry.name)}\fR", _paragraph(entry.text)]
    return lines


def _text(text: str) -> str:
    """Escape what roff reads as markup; hyphens stay hyphens, so that options can be copied."""
    return text.replace("\\", r"\e").replace("-", r"\-")


def _paragraph(text: str) -> str:
    """Break a paragraph into lines, none of which roff takes for a request."""
    lines = textwrap.wrap(text, WIDTH - 8, break_long_words=False, break_on_hyphens=False)
    return "\n".join((r"\&" if line.startswith((".", "'")) else "") + _text(line) for line in lines)


def main(folder: Path) -> None:
    """Write a page for the program and one for each of its commands."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = command_pages()
    for page in pages:
        (folder / f"{page.slug}.1").write_text(man_page(page, pages), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
