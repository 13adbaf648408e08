"""Make every second frame of a sequence from the others, in each mode, and compare with the frames left out."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from datasets import files
from numpy.typing import NDArray
from PIL import Image

from relight_cli.evaluation.picture_metrics import psnr
from relight_cli.models.interface import Model
from relight_cli.relighting.layers import to_linear
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequence_proof import Choice, SequenceProof
from relight_cli.timelapse.sequencing import Mode, OutputFrame
from relight_cli.timelapse.timelapse import Timelapse

Picture = NDArray[np.float32]
Say = Callable[[str], None]


def made_left_out(model: Model, sequence: list[Picture], mode: Mode) -> tuple[list[Picture], Choice | None]:
    """Return frames 1, 3, 5 ... of a sequence, made from 0, 2, 4 ..., and what `auto` chose."""
    given, chosen = sequence[::2], list[Choice]()
    times = [float(number) for number in range(len(given))]
    proof = SequenceProof(times, given.__getitem__, chosen.append)
    options = TimelapseOptions(mode=mode)
    timelapse = Timelapse(times, given.__getitem__, given.__getitem__, model, options, proof=proof)
    made = [timelapse.make(OutputFrame(number + 0.5)) for number in range(len(given) - 1)]
    return [frame.picture for frame in made if frame], chosen[0] if chosen else None


def beyond_ends(sequence: list[Picture], made: list[Picture]) -> float:
    """Return by how many stops a coarse region is darker or brighter than in both neighbours, at most."""

    def regions(picture: Picture) -> NDArray[np.float32]:
        return np.log2(cv2.resize(to_linear(picture), (4, 3), interpolation=cv2.INTER_AREA) + 1e-3)

    most = 0.0
    for number, frame in enumerate(made):
        first, here, last = (regions(picture) for picture in (sequence[2 * number], frame, sequence[2 * number + 2]))
        beyond = np.maximum(here - np.maximum(first, last), np.minimum(first, last) - here)
        most = max(most, float(beyond.max()))
    return most


def judge_left_out(model: Model, kind: str, sequences: list[list[Picture]], say: Say) -> None:
    """Print a table row for each mode of sequences of one kind, and what `auto` chose."""
    scores: dict[str, list[float]] = {}
    beyond: dict[str, float] = {}
    for sequence in sequences:
        for mode in Mode:
            made, choice = made_left_out(model, sequence, mode)
            truth = sequence[1 : 2 * len(made) : 2]
            score = float(np.mean([psnr(frame.clip(0, 1), true) for frame, true in zip(made, truth, strict=True)]))
            scores.setdefault(mode, []).append(score)
            beyond[mode] = max(beyond.get(mode, 0.0), beyond_ends(sequence, made))
            if choice:
                say(f"<!-- {kind}: {choice} -->")
    for mode, values in scores.items():
        say(f"| {kind} | {mode} | {np.mean(values):.2f} | {beyond[mode]:.2f} |")
    auto, image, latent = (np.array(scores[mode]) for mode in (Mode.AUTO, Mode.IMAGE, Mode.LATENT))
    better = max(image.mean(), latent.mean())
    gain = (auto - image).mean()
    say(f"| {kind} | auto against the better, and against a cross-fade | {auto.mean() - better:+.2f}, {gain:+.2f} | |")


def read_day(folder: Path, side: int) -> list[Picture]:
    """Return the photos of a folder in order of their names, the longer side at most `side`."""
    pictures = []
    for path in files(folder, "*.jpg", fewest=3):
        with Image.open(path) as image:
            image.thumbnail((side, side), Image.Resampling.BOX)
            pictures.append(np.asarray(image.convert("RGB"), np.float32) / 255)
    return pictures
