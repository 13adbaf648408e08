"""Start-up, one small photo, and a hundred of them through `tiny`: python benchmarks/start_up.py [--photos 100]"""

import tempfile
from pathlib import Path

import typer
from photos import make_photo, timed_command
from tables import tell


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
            runs = [timed_command(folder, *arguments) for _ in range(1 if what.endswith("photos") else 3)]
            wall, processor, peak = min(runs)
            times = {"seconds": round(wall, 3), "processor seconds": round(processor, 3), "peak GB": round(peak, 2)}
            rows.append({"what": what} | times)
    tell("start-up", rows, megapixels=megapixels)


if __name__ == "__main__":
    typer.run(main)
