"""Make the picture of each light source in docs/relight.md anew: python examples/make_sources.py

Each is what the recipe next to it writes, a little smaller. `scene_*.jpg` show photo, reference and result.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from make_presets import sky_map
from PIL import Image, ImageOps

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 320, 240
MUNICH = ("--place", "48.14,11.58", "--facing", "SW")
RECIPES = {
    "preset": ("--light", "window-left"),
    "words": ("--sun", "left,35", "--kelvin", "3200", "--soft", "10"),
    "mix": ("--light", "golden-hour:0.7,blue-hour:0.3"),
    "map": ("--light", "sky.hdr", "--rotate", "90"),
    "place": ("--sun-at", "2026-06-21T19:30", *MUNICH),
}
SCENES = (("yard", "photo"), ("yard", "reference"), ("photo", "yard"), ("reference", "yard"))
FRAMES = 6


def relight(name: str, *arguments: str, folder: Path) -> None:
    """Run the command on an example in a folder."""
    program = (sys.executable, "-m", "relight_cli", "relight", str(FOLDER / f"{name}.jpg"))
    subprocess.run((*program, *arguments, "--model", "tiny", "--overwrite", "-q"), cwd=folder, check=True)


def small(path: Path, width: int = WIDTH) -> Image.Image:
    """Return a picture that covers a cell of the sheets."""
    with Image.open(path) as picture:
        return ImageOps.fit(picture.convert("RGB"), (width, width * HEIGHT // WIDTH), Image.Resampling.LANCZOS)


def strip(cells: list[Image.Image], name: str) -> None:
    """Write cells of one size side by side."""
    sheet = Image.new("RGB", (sum(cell.width for cell in cells), cells[0].height))
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number * cell.width, 0))
    sheet.save(FOLDER / f"{name}.jpg", quality=85)


def main() -> None:
    """Run the recipes and write the pictures."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        cv2.imwrite(str(folder / "sky.hdr"), sky_map()[..., ::-1])
        for name, arguments in RECIPES.items():
            relight("photo", *arguments, "-o", f"{name}.png", folder=folder)
            strip([small(folder / f"{name}.png")], f"source_{name}")
        day = ("--sun-at", "06:00..21:00", "--date", "2026-06-21", *MUNICH, "--frames", str(FRAMES))
        relight("photo", *day, "-o", "day", folder=folder)
        strip([small(path, 160) for path in sorted((folder / "day").glob("*.*"))[:FRAMES]], "source_day")
        for photo, reference in SCENES:
            light = ("--light", str(FOLDER / f"{reference}.jpg"), "--reference", "scene")
            relight(photo, *light, "-o", "scene.png", folder=folder)
            shown = (FOLDER / f"{photo}.jpg", FOLDER / f"{reference}.jpg", folder / "scene.png")
            strip([small(path, 280) for path in shown], f"scene_{photo}_by_{reference}")


if __name__ == "__main__":
    main()
