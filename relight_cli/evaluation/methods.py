"""What is judged: networks, run as the commands run them, pictures as they are, and folders of results."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relight_cli.errors import PhotoUnreadableError
from relight_cli.evaluation.layouts import pictures_in, read_picture
from relight_cli.evaluation.protocol import Case, Picture, Sample, in_8_bits
from relight_cli.evaluation.protocols.leave_one_out import FrameSample
from relight_cli.models.interface import Model
from relight_cli.paths import is_folder
from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.mapping import albedo, deshadow
from relight_cli.relighting.options import AlbedoOptions, DeshadowOptions, ReferenceKind, RelightOptions
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import relight
from relight_cli.timelapse.options import TimelapseOptions
from relight_cli.timelapse.sequencing import Mode, OutputFrame
from relight_cli.timelapse.timelapse import Timelapse

Make = Callable[[Case, Any], Any]
"""Takes a case and its sample; returns the result that is scored."""
ENDINGS = {  # that the commands and other tools put behind the name of the photo
    "shadow": ("deshadowed", "shadow_free", "free", "no_shadow"),
    "albedo": ("albedo", "reflectance"),
    "relight": ("relit",),
    "timelapse": ("between",),
    "depth": ("depth", "disparity"),
}
MAPS = (".png", ".tif", ".tiff", ".exr", ".npz", ".npy", ".pfm")  # of depth


@dataclass(frozen=True)
class Method:
    """One line of the table."""

    name: str
    make: Make


def untouched() -> Method:
    """Return the pictures as they are; of a timelapse the frame before."""
    return Method("untouched", lambda case, sample: in_8_bits(sample.picture))


def mapped_picture(model: Model, task: str, picture: Picture, options: Any) -> Picture:
    """Return a picture without shadows or without light, not clipped; `options` are those of deshadow or albedo."""
    change = deshadow if task == "shadow" else albedo
    return to_array(change(model, Photo(picture), options=options).photo.pixels)


def mapped_by(model: Model, task: str) -> Method:
    """Return deshadow or albedo."""
    options = DeshadowOptions() if task == "shadow" else AlbedoOptions()

    def make(case: Case, sample: Any) -> Picture:
        return in_8_bits(mapped_picture(model, task, sample.picture, options))

    return Method(model.name, make)


def relit_picture(model: Model, picture: Picture, light: Picture, options: RelightOptions) -> Picture:
    """Return a picture in the light of another of the same view, not clipped."""
    return to_array(relight(model, Photo(picture), ReferenceLight(Photo(light)), options=options).photo.pixels)


def relit_by(model: Model, reference: ReferenceKind) -> Method:
    """Return relight, with the truth as the reference."""
    options = RelightOptions(reference=reference)

    def make(case: Case, sample: Sample) -> Picture:
        return in_8_bits(relit_picture(model, sample.picture, sample.truth, options))

    return Method(f"{model.name}, --reference {reference}", make)


def between_by(model: Model, mode: Mode) -> Method:
    """Return a frame between two that interpolate-timelapse makes; its pixels are cross-faded in `Mode.IMAGE`.

    The sequence that it is made from is every second frame, as `Mode.AUTO` finds out on a sequence what works.
    """
    options, sequences = TimelapseOptions(mode=mode), dict[range, Timelapse]()

    def make(case: Case, sample: FrameSample) -> Picture:
        """Return the frame of a sample, made from its neighbours."""
        given = sample.given
        if given not in sequences:

            def read(number: int) -> Picture:
                return read_picture(sample.paths[given[number]])

            times = [sample.times[number] for number in given]
            sequences[given] = Timelapse(times, read, read, model, options)
        made = sequences[given].make(OutputFrame(sample.times[sample.number]))
        assert made is not None  # both neighbours are there
        return in_8_bits(made.picture)

    return Method("cross-fade" if mode == Mode.IMAGE else f"{model.name}, --mode {mode}", make)


def results_in(folder: Path, task: str, read: Callable[[Path], Any] | None = None) -> Method:
    """Return the results of any tool in a folder, found by the names of the photos.

    Raises PhotoUnreadableError for a folder that does not exist; so does `make` for a photo without result.
    """
    if not is_folder(folder):
        raise PhotoUnreadableError(f"{folder}: no such folder of results; check --results")
    known: dict[Path, dict[str, Path]] = {}

    def files_in(place: Path) -> dict[str, Path]:
        if place not in known:
            known[place] = _files(place, task) if place.is_dir() else {}
        return known[place]

    def make(case: Case, sample: Any) -> Any:
        """Return the result for a photo."""
        inner = Path(case.name)
        for place, stem in ((folder / inner.parent, inner.name), (folder, inner.name), (folder, inner.as_posix())):
            stems = [stem.replace("/", "_"), *(f"{stem.replace('/', '_')}_{ending}" for ending in ENDINGS[task])]
            for name in stems:
                if found := files_in(place).get(name):
                    return read(found) if read else in_8_bits(read_picture(found))
        tried = f"{inner.name}.png or {inner.name}_{ENDINGS[task][0]}.png"
        raise PhotoUnreadableError(f"{folder}: holds no result for {case.name}; name it {tried}")

    return Method(folder.name or str(folder), make)


def _files(place: Path, task: str) -> dict[str, Path]:
    if task != "depth":
        return pictures_in(place)
    return {path.stem: path for path in sorted(place.iterdir()) if path.suffix.lower() in MAPS}
