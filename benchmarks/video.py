"""Measure videos in another light: how long they take and what the time is spent on, flicker, and warping error.

python benchmarks/video.py [--photo FILE] [--seeds 3,7] [--kills 6] [--skip-speed] [--skip-stability]

Speed: a clip of 10 s (250 frames of 1920 x 1080, H.264), a pan over a photo with a little noise, through `deshadow`;
then decoding, the network and encoding by themselves, in processor seconds, which other programs do not change.

Flicker: a still camera with sensor noise. It is the standard deviation over time of the mean log2 luminance of each of
8 x 8 fields, without its trend (a straight line), a mean over the fields, relative to that of the input.

Warping error: the difference (root mean square) between a frame and the frame before it carried along the flow of the
input, where forward and backward flow agree (Lai et al., ECCV 2018), relative to that of the input. It is taken of
log2 light, in stops, since a picture that is made brighter differs more in its values though it is as steady; that of
sRGB values stands beside it. The camera flies through a rendered scene, and pans over a photo. Frames are lossless
(FFV1), 10 bits.

Kills: `deshadow` is given again and again, each time killed (SIGKILL) at a random moment of its work on the frames,
until it ends; the file is compared with that of a run that was not killed.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import process_time, sleep
from typing import Annotated

import cv2
import imageio_ffmpeg
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from processes import command_line
from tables import print_table

from relight_cli.checkpoints.models import load_model
from relight_cli.models.colour import LUMINANCE
from relight_cli.photos.photo import Photo
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.mapping import deshadow
from relight_cli.relighting.moving_light import EVERY
from relight_cli.training.scenes.camera import develop
from relight_cli.training.scenes.scenes import SceneOptions, render_scenes
from relight_cli.training.scenes.staging import sample_scene
from relight_cli.videos.codecs import choose_encoding
from relight_cli.videos.decoding import VideoReader
from relight_cli.videos.encoding import PartEncoder, stored_frame
from relight_cli.videos.facts import read_facts

Picture = NDArray[np.float32]  # (H, W, 3), sRGB in [0, 1]
EXAMPLES = Path(__file__).parents[1] / "examples"
RATE, SECONDS, NOISE, FIELDS = 25, 10, 0.02, 8
STILL_FRAMES, MOVING_FRAMES = 100, 30
SIZE = (288, 512)  # of the clips of stability
TASKS = ("deshadow", "albedo")


def write(path: Path, frames: Iterator[Picture], size: tuple[int, int], *options: str) -> None:
    """Write a video with the program ffmpeg."""
    writer = imageio_ffmpeg.write_frames(
        str(path),
        size[::-1],
        "rgb48le",
        fps=RATE,
        macro_block_size=1,
        output_params=[*options],
        ffmpeg_log_level="error",
    )
    writer.send(None)
    for frame in frames:
        writer.send(np.rint(frame.clip(0, 1) * 65535).astype("<u2").tobytes())
    writer.close()


def read(path: Path) -> list[Picture]:
    """Return the frames of a video."""
    return [decoded.rgb.astype(np.float32) / decoded.colour.white for decoded in VideoReader(path).decoded()]


def noisy(frames: Iterator[Picture], seed: int = 1) -> Iterator[Picture]:
    """Yield frames with the noise of a sensor."""
    rng = np.random.default_rng(seed)
    for frame in frames:
        yield frame + rng.normal(0, NOISE, frame.shape).astype(np.float32)


def still(photo: Picture, size: tuple[int, int]) -> Iterator[Picture]:
    """Yield one view many times."""
    for _ in range(STILL_FRAMES):
        yield cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA)


def panned(photo: Picture, size: tuple[int, int], count: int) -> Iterator[Picture]:
    """Yield views of a part of a photo, which moves by fractions of a pixel."""
    scale = max(1.25 * size[0] / photo.shape[0], 1.25 * size[1] / photo.shape[1])
    large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    room = np.array((large.shape[1] - size[1], large.shape[0] - size[0])) - 2
    for number in range(count):
        left, top = 1 + room * (number / count)
        view = np.float32([[1, 0, -left], [0, 1, -top]])
        yield cv2.warpAffine(large, view, size[::-1], flags=cv2.INTER_CUBIC).clip(0, 1)


def flown(seed: int, size: tuple[int, int], count: int) -> Iterator[Picture]:
    """Yield a flight through a rendered scene, towards what its camera looks at and to the side."""
    options = SceneOptions(size=size, lights=1, shadow_rays=4, ambient_rays=8, supersampling=1)
    scene = sample_scene(seed, options)
    eye, target = np.array(scene.layout.eye), np.array(scene.layout.target)
    side = np.cross(target - eye, (0, 1, 0))
    exposure = None
    for number in range(count):
        share = number / count
        place = eye + 0.25 * share * (target - eye) + 0.15 * share * side
        layout = replace(scene.layout, eye=tuple(map(float, place)))
        view = render_scenes([replace(scene, layout=layout)], options)
        light = view.albedo[0] * view.shading[0, 0]
        exposure = exposure or float(0.2 / light.mean())
        yield develop(light * exposure, knee=0.8).permute(1, 2, 0).numpy()


def flicker(frames: list[Picture]) -> float:
    """Return the standard deviation over time of the fields' log2 luminance, without its trend, in stops."""
    levels = []
    for frame in frames:
        light = (to_linear(frame) @ np.array(LUMINANCE, np.float32)).clip(1e-4, None)
        levels.append(cv2.resize(np.log2(light), (FIELDS, FIELDS), interpolation=cv2.INTER_AREA).ravel())
    values = np.array(levels)
    times = np.arange(len(values))[:, None] - (len(values) - 1) / 2
    trend = times * (times * (values - values.mean(0))).sum(0) / np.square(times).sum()
    return float((values - values.mean(0) - trend).std(0).mean())


def stops(frame: Picture) -> Picture:
    """Return the light of a frame in stops; below a hundredth of white there is little but noise."""
    return np.log2(to_linear(frame) + np.float32(0.01))


def values(frame: Picture) -> Picture:
    """Return a frame as it is."""
    return frame


def warping_error(frames: list[Picture], source: list[Picture], scale: Callable[[Picture], Picture]) -> float:
    """Return the difference between frames and those before them, carried along the source's flow, on a scale."""
    finder, errors = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM), []
    grey = [cv2.cvtColor(np.rint(frame * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY) for frame in source]
    height, width = grey[0].shape
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    for number in range(1, len(frames)):
        back = finder.calc(grey[number], grey[number - 1], None)
        ahead = cv2.remap(finder.calc(grey[number - 1], grey[number], None), places + back, None, cv2.INTER_LINEAR)
        seen = np.square(back + ahead).sum(-1) < 0.01 * (np.square(back) + np.square(ahead)).sum(-1) + 0.5
        inside = ((places + back >= 0) & (places + back <= (width - 1, height - 1))).all(-1)
        before = cv2.remap(scale(frames[number - 1]), places + back, None, cv2.INTER_LINEAR)
        errors.append(np.square(scale(frames[number]) - before)[seen & inside].mean())
    return float(np.sqrt(np.mean(errors)))


def stability(folder: Path, photo: Picture, seeds: list[int]) -> list[dict[str, object]]:
    """Return flicker and warping error of each clip and task, relative to its input."""
    clips: dict[str, Iterator[Picture]] = {
        "still photo, noise": noisy(still(photo, SIZE)),
        "panned photo": panned(photo, SIZE, MOVING_FRAMES),
        "panned photo, noise": noisy(panned(photo, SIZE, MOVING_FRAMES)),
    }
    clips |= {f"flight {seed}": flown(seed, SIZE, MOVING_FRAMES) for seed in seeds}
    rows: list[dict[str, object]] = []
    for name, frames in clips.items():
        clip = folder / f"{name.replace(' ', '_').replace(',', '')}.mkv"
        write(clip, frames, SIZE, "-c:v", "ffv1", "-pix_fmt", "yuv444p10le")
        source, made = read(clip), {}
        for task in TASKS:
            command_line(folder, task, clip.name, "--model", "tiny", "--overwrite", "-q")
            made[task] = read(folder / clip.name.replace(".mkv", f"_{task.replace('deshadow', 'deshadowed')}.mkv"))
        measures: dict[str, Callable[[list[Picture]], float]] = {
            "warping error, stops": lambda frames, source=source: warping_error(frames, source, stops),
            "warping error, sRGB": lambda frames, source=source: warping_error(frames, source, values),
        }
        for measure, judge in ({"flicker, stops": flicker} if "still" in name else measures).items():
            own = judge(source)
            row: dict[str, object] = {"clip": name, "measure": measure, "input": f"{own:.3g}"}
            row |= {task: f"{judge(made[task]) / own:.2f} x" for task in TASKS}
            print(row, flush=True)
            rows.append(row)
    return rows


def speed(folder: Path, photo: Picture) -> list[dict[str, object]]:
    """Return the seconds of a clip through deshadow, and processor seconds of its stages by themselves."""
    clip, size, count = folder / "clip.mp4", (1080, 1920), RATE * SECONDS
    write(clip, noisy(panned(photo, size, count)), size, "-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p")
    used = command_line(folder, "deshadow", clip.name, "--model", "tiny", "--overwrite", "-q")
    facts = read_facts(clip, max_pixels=10**8)
    encoding = choose_encoding(".mp4", facts.codec, facts.stored)
    began = process_time()
    frames = [decoded for decoded, _ in zip(VideoReader(clip).decoded(), range(50), strict=False)]
    decoding = (process_time() - began) * count / len(frames)
    model, view = load_model("tiny", tasks=["deshadow"]), Photo(cv2.resize(photo, (768, 432)))
    deshadow(model, view).photo.to_srgb()
    began = process_time()
    deshadow(model, view).photo.to_srgb()
    network = (process_time() - began) * count / EVERY
    encoder = PartEncoder(encoding, facts)
    began = process_time()
    for frame in frames:
        encoder.add(stored_frame(frame.rgb, frame, encoding, facts), frame.time or 0)
    list(encoder.finish())
    encoded = (process_time() - began) * count / len(frames)
    rest = used.processor - decoding - network - encoded
    stages = {"decode": decoding, "network": network, "encode": encoded, "flow, gains, start": rest}
    rows: list[dict[str, object]] = [{"stage": "all", "processor s": f"{used.processor:.1f}", "share": "100 %"}]
    rows[0] |= {"wall s": f"{used.seconds:.1f}", "peak GB": f"{used.peak:.2f}"}
    for name, seconds in stages.items():
        row = {"stage": name, "processor s": f"{seconds:.1f}", "share": f"{100 * seconds / used.processor:.0f} %"}
        rows.append(row)
    return rows


def killed(folder: Path, photo: Picture, seed: int, times: int) -> dict[str, object]:
    """Return how often a run was killed, with how many parts finished, and whether its file is that of a whole run."""
    clip, rng, finished = folder / "kill.mp4", np.random.default_rng(seed), []
    write(clip, panned(photo, (144, 256), 250), (144, 256), "-c:v", "libx264", "-pix_fmt", "yuv420p")
    call = [sys.executable, "-m", "relight_cli", "deshadow", clip.name, "--model", "tiny", "--overwrite", "-q"]
    made = folder / "kill_deshadowed.mp4"
    subprocess.run(call, cwd=folder, check=True)
    whole = made.read_bytes()
    made.unlink()
    for _ in range(times):
        process = subprocess.Popen(call, cwd=folder)
        begun = f".relight-cli-*.parts/{rng.choice(['plan', '00000.npz', '00001.npz', '00002.npz'])}"
        while process.poll() is None and not list(folder.glob(begun)):
            sleep(0.01)
        sleep(rng.uniform(0, 0.5))
        process.kill()
        if process.wait() == 0:
            break
        finished.append(len(list(folder.glob(".relight-cli-*.parts/*.npz"))))
    subprocess.run(call, cwd=folder, check=True)
    return {"seed": seed, "parts finished at each kill": finished, "the same bytes": made.read_bytes() == whole}


def main(
    photo: Annotated[Path, typer.Option(help="Photo for the clips.")] = EXAMPLES / "yard.jpg",
    seeds: Annotated[str, typer.Option(help="Rendered scenes to fly through.")] = "3,7",
    kills: Annotated[int, typer.Option(help="Runs that are killed.")] = 6,
    skip_speed: bool = False,
    skip_stability: bool = False,
) -> None:
    """Measure videos."""
    torch.set_num_threads(1)
    picture = np.asarray(Image.open(photo).convert("RGB"), np.float32) / 255
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if kills:
            print_table("killed runs", [killed(folder, picture, seed, 4) for seed in range(kills)])
        if not skip_stability:
            print_table("stability of videos", stability(folder, picture, [int(seed) for seed in seeds.split(",")]))
        if not skip_speed:
            print_table("speed of videos", speed(folder, picture))


if __name__ == "__main__":
    typer.run(main)
