"""The tables of the page on formats have every cell of the table of containers."""

import sys

import pytest
from container_charts import CONTAINERS
from documents import ROOT


def test_the_page_has_every_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "generate"), *sys.path])
    from container_tables import with_container_tables

    plain = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    page = with_container_tables(plain)
    assert "per container -->" in plain
    assert "per container -->" not in page
    added = [line.strip("| ").split(" | ") for line in page.splitlines() if line not in plain.splitlines()]
    firsts = {cells[0] for cells in added}
    for name, row in CONTAINERS.items():
        assert name in firsts
        assert set(row.get("others", ())) | set(row.get("metadata", ())) | set(row.get("holds", ())) <= firsts
        assert all(way in page for ways in row["colours"].values() for way in ways)
