"""Pictures with a known truth for benchmarks: made, rendered, and real ones by evaluate's protocols."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Generator, Tensor

from relight_cli.evaluation.picture_metrics import encoded
from relight_cli.evaluation.protocol import Case, Picture, Protocol, Sample
from relight_cli.evaluation.protocols import multishot
from relight_cli.evaluation.unsound import unsound_names
from relight_cli.relighting.layers import to_linear
from relight_cli.training.pairs import Pairs, lit_pairs, photo_pairs
from relight_cli.training.photos import PhotoCrops, split
from relight_cli.training.views import RenderedViews

SEED, COUNT, SIZE = 77, 64, 256


def files(folder: Path, pattern: str, fewest: int = 1) -> list[Path]:
    """Return the files of a folder that fit a pattern, sorted; without enough of them end with one line."""
    found = sorted(folder.glob(pattern))
    if len(found) < fewest:
        raise SystemExit(f"{folder} has {len(found)} files {pattern} of at least {fewest}: name another folder.")
    return found


def split_photos(folder: Path, fewest: int = 1) -> tuple[list[Path], list[Path]]:
    """Return the photos of a folder to train on and those held out; without enough of them end with one line."""
    train, held_out = split(folder) if folder.is_dir() else ([], [])
    if len(train) + len(held_out) < fewest:
        raise SystemExit(f"{folder} has {len(train) + len(held_out)} photos of at least {fewest}: name another folder.")
    return train, held_out


def as_pictures(batch: Tensor) -> list[Picture]:
    """Return linear light or sRGB (B, 3, H, W) as pictures."""
    return [x.permute(1, 2, 0).numpy() for x in batch]


def made_photos(folder: Path) -> Pairs:
    """Return 64 crops of photos that were held out of the training, each under two made lights."""
    return photo_pairs(PhotoCrops(split_photos(folder)[1]), COUNT, SIZE, np.random.default_rng(SEED), "cpu")


def rendered_views(folder: Path) -> Pairs:
    """Return the held-out rendered views, each once and whole, under two lights."""
    albedo, shading, free = RenderedViews(folder).whole()
    return lit_pairs(albedo, shading, free, Generator().manual_seed(SEED))


def pairs_to_relight(pairs: Pairs) -> Iterator[Sample]:
    """Yield each first picture, with the second as its truth."""
    for i, (a, b) in enumerate(zip(as_pictures(pairs.a), as_pictures(pairs.b), strict=True)):
        yield Sample(str(i), a, b)


def mapped(pairs: Pairs, to: Tensor) -> Iterator[Sample]:
    """Yield each first picture, with itself under `to`, a change of log light, as its truth; the mask is the shadow."""
    for i, (a, change) in enumerate(zip(as_pictures(pairs.a), as_pictures(to), strict=True)):
        if not np.isnan(change).any():
            clean = encoded(to_linear(a) * np.exp(change))
            yield Sample(str(i), a, clean, change.mean(2) > np.log(1.25))


def cases_of(protocol: Protocol, folder: Path) -> list[Case]:
    """Return the pictures of a data set, not yet read; without any end with one line."""
    cases = protocol.find(folder)
    if not cases:
        raise SystemExit(f"{folder} holds no pictures for {protocol.name} ({protocol.layout}): name another folder.")
    return cases


UNSOUND = Path(__file__).with_name("unsound-multishot.txt")


def unsound_shots(folder: Path) -> frozenset[str]:
    """Return the names of the shots of the multi-shot set whose truth holds a shadow of its own."""
    return unsound_names(folder, multishot.PROTOCOL.name, UNSOUND, cases_of(multishot.PROTOCOL, folder))


def samples(protocol: Protocol, folder: Path) -> Iterator[Sample]:
    """Return the pictures of a data set, read one by one; see `cases_of`."""
    return (case.read() for case in cases_of(protocol, folder))
