"""Measure start-up, one small photo, and a hundred of them with `tiny`: python benchmarks/start_up.py [--photos 100]"""

import tempfile
from pathlib import Path

import typer
from photos import make_photo
from processes import command_line
from tables import print_table


def main(photos: int = 100, megapixels: float = 0.5) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "many").mkdir()
        make_photo(folder / "reference.jpg", megapixels, seed=photos)
        for number in range(photos):
            make_photo(folder / "many" / f"{number}.jpg", megapixels, seed=number)
        relit = ("--light", "reference.jpg", "--model", "tiny", "-o", "relit/", "--overwrite")
        commands = {
            "--help": ("--help",),
            "relight --help": ("relight", "--help"),
            "one photo": ("relight", "many/0.jpg", *relit),
            f"{photos} photos": ("relight", "many", *relit),
        }
        rows = []
        for what, arguments in commands.items():
            runs = [command_line(folder, *arguments) for _ in range(1 if what.endswith("photos") else 3)]
            best = min(runs, key=lambda usage: usage.seconds)
            times = {"seconds": round(best.seconds, 3), "processor seconds": round(best.processor, 3)}
            rows.append({"what": what} | times | {"peak GB": round(best.peak, 2)})
    print_table("start-up", rows, megapixels=megapixels)


if __name__ == "__main__":
    typer.run(main)
