"""Measure seconds, bytes and PSNR of every format at every effort.

python benchmarks/encoders.py [--photo FILE]... [--sizes 12,0.5] [--quality 95] [--formats JPEG,HEIF] [--runs 1]

A picture is made of the photos side by side, each enlarged or reduced to fill its part, with grain (sigma 2 of 255); it
is synthetic without --photo. Seconds are those of `write_photo` into memory. PSNR is that of what is read again. EXR is
written from floats of more than 8 bits, as a changed photo has them; TIFF16, PNG16 and JPEG2000-16 from 16 bits.
"""

import io
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from photos import make_mosaic
from tables import print_table

from relight_cli.photos.colour_profiles import LINEAR
from relight_cli.photos.effort import Effort
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

FORMATS = "JPEG,WEBP,AVIF,HEIF,JPEG2000,PNG,PNG16,TIFF,TIFF16,EXR"


def photo_for(kind: str, picture: NDArray[np.float32]) -> Photo:
    """Return a picture (H, W, 3), 0 to 1, in the depth that is measured for a format."""
    if kind == "EXR":
        light = np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
        return Photo(light.astype(np.float32), metadata=Metadata(icc=LINEAR))
    dtype = np.dtype(np.uint16 if kind.endswith("16") else np.uint8)
    return Photo(np.rint(picture * np.iinfo(dtype).max).astype(dtype))


def measured(kind: str, photo: Photo, effort: Effort, quality: int, runs: int) -> dict[str, object]:
    """Return the row of a format and an effort."""
    seconds, processor = [], []
    for _ in range(runs):
        file, began, used = io.BytesIO(), time.perf_counter(), time.process_time()
        write_photo(photo, file, format=kind.removesuffix("16"), quality=quality, effort=effort)
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    file.seek(0)
    found = read_photo(file, max_pixels=photo.pixels.size).pixels
    top = np.iinfo(found.dtype).max if found.dtype.kind == "u" else 1.0
    error = np.mean(np.square((found - photo.pixels.astype(np.float64)) / top))
    return {
        "format": kind,
        "effort": str(effort),
        "seconds": round(min(seconds), 2),
        "processor seconds": round(min(processor), 2),
        "kB": round(file.getbuffer().nbytes / 1000),
        "dB": round(float(-10 * np.log10(error)), 2) if error else "lossless",
    }


def main(
    photo: Annotated[list[Path] | None, typer.Option(help="Photo to make the picture of; again for more.")] = None,
    sizes: str = "12,0.5",
    quality: int = 95,
    formats: str = FORMATS,
    runs: int = 1,
) -> None:
    """Measure and print."""
    rows: list[dict[str, object]] = []
    for megapixels in map(float, sizes.split(",")):
        picture = make_mosaic(megapixels, photo or [])
        for kind in formats.split(","):
            own = photo_for(kind, picture)
            rows += [{"MP": megapixels, **measured(kind, own, effort, quality, runs)} for effort in Effort]
    print_table("encoders", rows, quality=quality, photos=len(photo or []), runs=runs)


if __name__ == "__main__":
    typer.run(main)
