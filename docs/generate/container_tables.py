"""The tables of the page "Formats and metadata" that are made of docs/containers.toml, which tests check."""

import tomllib
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "containers.toml"
MARKS = {"colours": "<!-- colours per container -->", "metadata": "<!-- metadata per container -->"}


def with_container_tables(text: str) -> str:
    """Put the tables where a page has their marks."""
    rows = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    return text.replace(MARKS["colours"], colours_table(rows)).replace(MARKS["metadata"], metadata_table(rows))


def colours_table(rows: dict[str, Any]) -> str:
    """Return a row for each container: how it states each space, and what happens."""
    spaces = list(dict.fromkeys(space for row in rows.values() for space in row["colours"]))
    lines = [_line("container", "bits", *spaces), _line(*["---"] * (len(spaces) + 2))]
    for name, row in rows.items():
        bits = ", ".join("float" if n == 32 else str(n) for n in row["bits"])
        lines.append(_line(name, bits, *(_cell(row["colours"].get(space, {})) for space in spaces)))
    return "\n".join(lines)


def metadata_table(rows: dict[str, Any]) -> str:
    """Return a row for each block of metadata: in which container it is kept."""
    written = {name: row["metadata"] for name, row in rows.items() if "metadata" in row}
    blocks = list(dict.fromkeys(block for kept in written.values() for block in kept))
    lines = [_line("", *written), _line(*["---"] * (len(written) + 1))]
    lines += [_line(block, *(kept.get(block, "") for kept in written.values())) for block in blocks]
    return "\n".join(lines)


def _cell(ways: dict[str, str]) -> str:
    """Return the ways to state a space, by what happens; what is kept needs no word."""
    found = dict.fromkeys(ways.values())
    said = {becomes: ", ".join(way for way, its in ways.items() if its == becomes) for becomes in found}
    return "; ".join(names if becomes == "kept" else f"{names}: {becomes}" for becomes, names in said.items())


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
