"""Print results: a table for people, and the same as one JSON object on the last line."""

import json
import os
import platform
from pathlib import Path


def machine() -> str:
    """Return the name of the processor, and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def print_table(benchmark: str, rows: list[dict[str, object]], **facts: object) -> None:
    """Print rows under their common headings, then everything as JSON."""
    facts = {"benchmark": benchmark, "machine": machine()} | facts
    print(", ".join(f"{key} {value}" for key, value in facts.items()))
    headings = list(dict.fromkeys(key for row in rows for key in row))
    cells = [headings, *([str(row.get(key, "")) for key in headings] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print(json.dumps(facts | {"rows": rows}))
