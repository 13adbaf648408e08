"""Make every picture of the README and of docs/ anew: python examples/make.py

The photos are rendered by relight_cli.training.scenes; scenes from number 10,000,000 on are held out of the training.
Every result is what the command line of this version writes with `--model tiny`.
"""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from relight_cli.models.colour import linear_to_srgb
from relight_cli.training.examples import render_example
from relight_cli.training.scenes.camera import develop
from relight_cli.training.scenes.lights import Light, temperature_colour
from relight_cli.training.scenes.scenes import Scene, SceneOptions, render_scenes, sample_scene
from relight_cli.training.sheets import save_picture

FOLDER = Path(__file__).parent
OPTIONS = SceneOptions(
    size=(320, 480), lights=1, shadow_rays=16, ambient_rays=16, supersampling=2, mask_share=0.5
)  # mask_share changes what a seed draws
YARD = 10_000_004  # the scene of the good examples
SHADOWS_THAT_FAIL = (10_000_009, 10_000_065, 10_000_109)
ALBEDO_THAT_FAILS = (10_000_114, 10_000_032)
LIGHT_THAT_FAILS = (10_000_089, 10_000_114)
POST = 6  # a scene with a thin shadow that moves by more than its width
COLUMN, QUALITY = 320, 86  # of sheets


def main() -> None:
    """Write the pictures beside this file."""
    with TemporaryDirectory() as folder:
        for make in (make_still_life, make_yard, make_timelapses, make_failures):
            print(make.__name__, flush=True)
            make(Path(folder))


def make_still_life(work: Path) -> None:
    """Write photo.jpg, reference.jpg and photo_relit.jpg."""
    for picture, name in zip(render_example(), ("photo.jpg", "reference.jpg"), strict=True):
        save_picture(picture, FOLDER / name)
    relight_cli("relight", FOLDER / "photo.jpg", "--light", FOLDER / "reference.jpg", "-o", FOLDER)


def make_yard(work: Path) -> None:
    """Write yard.jpg, what deshadow and albedo make of it, the removed shadow and the masks of shadows."""
    save_picture(drawn_scene(YARD)["photo"], FOLDER / "yard.jpg")
    relight_cli("deshadow", FOLDER / "yard.jpg", "-o", FOLDER, "--save-mask")
    relight_cli("deshadow", FOLDER / "yard.jpg", "-o", FOLDER, "--mask-only")
    relight_cli("deshadow", FOLDER / "yard.jpg", "-o", FOLDER / "yard_probability.png", "--mask-only", "--probability")
    relight_cli("albedo", FOLDER / "yard.jpg", "-o", FOLDER)


def make_timelapses(work: Path) -> None:
    """Write frames/ and the sheet of what lies between them, and the sheet of a sequence that fails."""
    for seed, frames, sheet in ((YARD, FOLDER / "frames", "timelapse"), (POST, work / "post", "timelapse_failure")):
        frames.mkdir(exist_ok=True)
        truth = moving_sun(seed)
        for number in (0, 4):
            save_picture(truth[number], frames / f"frame_{number // 4 + 1}.jpg")
        rows = {"rendered": [pil(picture) for picture in truth]}
        for row, mode in (("cross-fade", "image"), ("interpolate-timelapse", "auto")):
            made = work / f"{sheet}_{mode}"
            relight_cli("interpolate-timelapse", frames, "--between", 3, "--mode", mode, "-o", made)
            rows[row] = [Image.open(path) for path in sorted(made.iterdir())]
        if seed == YARD:
            write_sheet(
                "timelapse", [rows["interpolate-timelapse"]], ["frame 1", "made", "made", "made", "frame 2"], 256
            )
        write_sheet(f"{sheet}_compared", list(rows.values()), list(rows), 256, labels_are_rows=True)


def make_failures(work: Path) -> None:
    """Write the sheets of what does not work well."""
    photos = {seed: drawn_scene(seed) for seed in (*SHADOWS_THAT_FAIL, *ALBEDO_THAT_FAILS)}
    for task, seeds in (("deshadow", SHADOWS_THAT_FAIL), ("albedo", ALBEDO_THAT_FAILS)):
        folder, rows = work / task, []
        folder.mkdir()
        for seed in seeds:
            save_picture(photos[seed]["photo"], folder / f"{seed}.png")
        relight_cli(task, folder, "-o", folder / "out")
        for seed in seeds:
            (made,) = (folder / "out").glob(f"{seed}_*")
            rows.append([pil(photos[seed]["photo"]), Image.open(made), pil(photos[seed][task])])
        write_sheet(f"{task}_failures", rows, ["photo", task, "rendered truth"])
    rows = []
    for seed in LIGHT_THAT_FAILS:
        photo, reference = (work / f"{seed}_{name}.png" for name in ("photo", "reference"))
        for picture, path in zip(two_suns(seed), (photo, reference), strict=True):
            save_picture(picture, path)
        relight_cli("relight", photo, "--light", reference, "--reference", "latents", "-o", work / f"{seed}.png")
        rows.append([Image.open(path) for path in (photo, work / f"{seed}.png", reference)])
    write_sheet("relight_failures", rows, ["photo", "relight", "reference"])


def relight_cli(*arguments: object) -> None:
    """Run the command line of this version."""
    command = [sys.executable, "-m", "relight_cli", *map(str, arguments), "--model", "tiny", "--overwrite", "--quiet"]
    subprocess.run(command, check=True)


def drawn_scene(seed: int) -> dict[str, Tensor]:
    """Render the scene of a seed, (3, H, W) in sRGB: the photo and what deshadow and albedo should make of it."""
    views = render_scenes([sample_scene(seed, OPTIONS)], OPTIONS)
    photo, free = (views.albedo[0] * shading[0, 0] for shading in (views.shading, views.shadow_free))
    gain = 0.2 / photo.mean()
    truth = {"photo": develop(photo * gain, knee=0.8), "deshadow": develop(free * gain, knee=0.8)}
    return truth | {"albedo": linear_to_srgb(views.albedo[0])}


def lit_scene(seed: int, lights: list[Light]) -> list[Tensor]:
    """Render the things of a seed under other lights, (3, H, W) in linear light each."""
    options = replace(OPTIONS, lights=len(lights))
    scene = Scene(sample_scene(seed, OPTIONS).layout, lights, [None] * len(lights))
    views = render_scenes([scene], options)
    return list(views.albedo[0] * views.shading[0])


def moving_sun(seed: int) -> list[Tensor]:
    """Render five frames between which the sun goes round by 6 degrees."""
    pictures = lit_scene(seed, [sun(0.8 * seed + math.radians(6 * n), math.radians(30), 5000) for n in range(5)])
    return [develop(picture * 0.2 / pictures[0].mean(), knee=0.8) for picture in pictures]


def two_suns(seed: int) -> list[Tensor]:
    """Render a scene under a high white sun and a low warm one."""
    pictures = lit_scene(seed, [sun(0.8 * seed, 0.9, 5600), sun(0.8 * seed + 2.2, 0.35, 3400)])
    return [develop(picture * 0.2 / picture.mean(), knee=0.8) for picture in pictures]


def sun(azimuth: float, elevation: float, kelvin: float) -> Light:
    """Return a small hard sun and its sky; angles are in radians."""
    flat = 1000 * math.cos(elevation)
    place = (flat * math.sin(azimuth), 1000 * math.sin(elevation), flat * math.cos(azimuth))
    key, zenith, horizon = (
        tuple(part * gain for part in temperature_colour(k)) for k, gain in ((kelvin, 2.2), (9000, 0.35), (7500, 0.3))
    )
    return Light(place, 5.0, 1000.0, key, zenith, horizon)


def pil(picture: Tensor) -> Image.Image:
    """Return a picture (3, H, W), sRGB in [0, 1], as a PIL image."""
    return Image.fromarray((picture.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1).numpy())


def write_sheet(
    name: str, rows: list[list[Image.Image]], labels: list[str], width: int = COLUMN, *, labels_are_rows: bool = False
) -> None:
    """Write rows of pictures of one size as NAME.jpg, with a label above each column, or above each row."""
    height, full = round(rows[0][0].height * width / rows[0][0].width), width * len(rows[0])
    font, band = ImageFont.load_default(size=full // 60), full // 40
    step, top = (height + band, 0) if labels_are_rows else (height, band)
    sheet = Image.new("RGB", (full, top + step * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, label in enumerate(labels):
        draw.text((4, number * step + 1) if labels_are_rows else (number * width + 4, 1), label, "black", font)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            small = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(small, (j * width, top + (i + 1) * step - height))
    sheet.save(FOLDER / f"{name}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
