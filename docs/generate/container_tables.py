"""The tables of the page "Formats and metadata" that are made of docs/containers.toml, which tests check."""

import tomllib
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "containers.toml"


def with_container_tables(text: str) -> str:
    """Put the tables where a page has their marks."""
    rows = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    tables = {
        "colours per container": colours_table(rows),
        "other colours per container": blocks_table(rows, "others"),
        "metadata per container": blocks_table(rows, "metadata"),
        "metadata held per container": blocks_table(rows, "holds"),
    }
    for name, table in tables.items():
        text = text.replace(f"<!-- {name} -->", table)
    return text


def colours_table(rows: dict[str, Any]) -> str:
    """Return a row for each container: how it states each space, and what happens."""
    spaces = list(dict.fromkeys(space for row in rows.values() for space in row["colours"]))
    lines = [_line("container", "bits", *spaces), _line(*["---"] * (len(spaces) + 2))]
    for name, row in rows.items():
        bits = ", ".join("float" if n == 32 else str(n) for n in row["bits"])
        lines.append(_line(name, bits, *(_cell(row["colours"].get(space, {})) for space in spaces)))
    return "\n".join(lines)


def blocks_table(rows: dict[str, Any], part: str) -> str:
    """Return a row for each block of a part of the table, and a column for each container that has the part."""
    having = {name: row[part] for name, row in rows.items() if part in row}
    blocks = list(dict.fromkeys(block for kept in having.values() for block in kept))
    lines = [_line("", *having), _line(*["---"] * (len(having) + 1))]
    lines += [_line(block, *(kept.get(block, "") for kept in having.values())) for block in blocks]
    return "\n".join(lines)


def _cell(ways: dict[str, str]) -> str:
    """Return the ways to state a space, by what happens; what is kept needs no word."""
    found = dict.fromkeys(ways.values())
    said = {becomes: ", ".join(way for way, its in ways.items() if its == becomes) for becomes in found}
    return "; ".join(names if becomes == "kept" else f"{names}: {becomes}" for becomes, names in said.items())


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
