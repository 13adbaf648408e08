"""Measure whole commands by the format and the profile of the photo and of the output.

python benchmarks/formats.py [--photo FILE]... [--sizes 12] [--runs 3] [--only P3,AVIF]

`deshadow --model tiny`, and the same with `--strength 0`, which leaves reading, colours and encoding. The picture is
that of encoders.py, with a profile as its tag: the samples are the same. Each round runs every command once; the best
of the rounds counts, and its ratio to the sRGB JPEG of the same size and strength.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from photos import make_mosaic
from processes import Usage, command_line
from profiles import profile
from tables import print_table

from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.writing import write_photo

WIDE = ("P3", "AdobeRGB", "ProPhoto", "Rec.2020")
OUTPUTS = (".jpg", ".webp", ".avif", ".heic", ".jp2", ".png", ".tif", ".exr")


@dataclass(frozen=True)
class Case:
    """One command: a photo of a profile in a format, the format of the output, and further options."""

    colours: str
    source: str  # suffixes
    target: str
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return " ".join((self.colours, self.source[1:], "->", self.target[1:], *self.options))

    @property
    def photo(self) -> str:
        return self.colours.replace(".", "") + self.source


BASE = Case("sRGB", ".jpg", ".jpg")
CHANGED = (
    BASE,
    *(Case(colours, ".jpg", ".jpg") for colours in (*WIDE, "LUT")),
    *(Case(colours, ".tif", ".tif") for colours in ("sRGB", *WIDE)),
    Case("P3", ".heic", ".jpg"),
    Case("P3", ".heic", ".heic"),
    Case("P3", ".heic", ".heic", ("--effort", "fast")),
    *(Case("sRGB", ".jpg", suffix) for suffix in OUTPUTS[1:]),
)
UNCHANGED = tuple(Case("sRGB", ".jpg", suffix, ("--strength", "0")) for suffix in OUTPUTS)


def write_photos(folder: Path, megapixels: float, photos: list[Path], cases: list[Case]) -> None:
    """Write the photos of the cases; TIFF has 16 bits."""
    picture = make_mosaic(megapixels, photos)
    for case in {case.photo: case for case in cases}.values():
        dtype = np.dtype(np.uint16 if case.source == ".tif" else np.uint8)
        pixels = np.rint(picture * np.iinfo(dtype).max).astype(dtype)
        metadata = Metadata(icc=profile(case.colours))
        write_photo(Photo(pixels, metadata=metadata), folder / case.photo, overwrite=True, effort="fast")


def run_case(folder: Path, case: Case) -> tuple[Usage, int]:
    """Return what a command needed, and the bytes of its output."""
    target = "out" + case.target
    arguments = ("deshadow", case.photo, "--model", "tiny", *case.options, "-o", target, "--overwrite", "-q")
    return command_line(folder, *arguments), (folder / target).stat().st_size


def rows_of(folder: Path, megapixels: float, cases: list[Case], runs: int) -> list[dict[str, object]]:
    """Run every case once in each of `runs` rounds; return a row for each case."""
    found: dict[Case, list[tuple[Usage, int]]] = {case: [] for case in cases}
    for _ in range(runs):
        for case in cases:
            found[case].append(run_case(folder, case))
    best = {case: min(usages, key=lambda one: one[0].seconds) for case, usages in found.items()}
    rows = []
    for case, (usage, size) in best.items():
        base = best[Case(BASE.colours, BASE.source, BASE.target, case.options if case in UNCHANGED else ())][0]
        rows.append(
            {
                "MP": megapixels,
                "case": case.name,
                "seconds": round(usage.seconds, 2),
                "ratio": round(usage.seconds / base.seconds, 2),
                "processor seconds": round(usage.processor, 2),
                "processor ratio": round(usage.processor / base.processor, 2),
                "peak GB": round(usage.peak, 2),
                "kB": round(size / 1000),
            }
        )
    return rows


def main(
    photo: Annotated[list[Path] | None, typer.Option(help="Photo to make the picture of; again for more.")] = None,
    sizes: str = "12",
    runs: int = 3,
    only: Annotated[str, typer.Option(help="Parts of the names of cases, separated by commas; empty: all.")] = "",
) -> None:
    """Measure and print."""
    chosen = [
        case
        for case in (*CHANGED, *UNCHANGED)
        if any(part.lower() in case.name.lower() for part in only.split(",")) or case in (BASE, UNCHANGED[0])
    ]
    rows: list[dict[str, object]] = []
    for megapixels in map(float, sizes.split(",")):
        with tempfile.TemporaryDirectory() as name:
            write_photos(Path(name), megapixels, photo or [], chosen)
            rows += rows_of(Path(name), megapixels, chosen, runs)
    print_table("formats", rows, photos=len(photo or []), runs=runs)


if __name__ == "__main__":
    typer.run(main)
