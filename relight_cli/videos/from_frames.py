"""Write photos as the frames of a video."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from relight_cli.errors import UsageError
from relight_cli.photos.atomic_files import atomic_file
from relight_cli.photos.photo import Photo
from relight_cli.photos.shape import pixel_aspect
from relight_cli.rasters.bit_depth import from_unit
from relight_cli.videos.codecs import encoding_of_frames
from relight_cli.videos.names import WRITABLE_AND_GIF, VideoCodec
from relight_cli.videos.writer import VideoOutput, VideoWriter


def write_video(
    frames: Iterable[Photo],
    path: str | os.PathLike[str],
    rate: float = 25.0,
    *,
    codec: VideoCodec | None = None,
    crf: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write photos of one size as a video, or a GIF, of `rate` frames a second; colours become sRGB (BT.709).

    Without a `codec` it is H.264 with 8 bits, in a .webm VP9; the others keep 10 bits of photos that have them, FFV1
    all. A smaller `crf` is of better quality. The video appears when it is complete. Raises UsageError for a name,
    codec or frame that does not fit, OutputUnwritableError, MissingExtraError, and what `frames` raises.
    """
    target, writer, size = Path(path), None, None
    kind = target.suffix.lower()
    if kind not in WRITABLE_AND_GIF:
        raise UsageError(f"{target}: name a video that ends in {', '.join(WRITABLE_AND_GIF)}.")
    encoding_of_frames(kind, codec, crf)  # raises errors before the first frame is made
    with atomic_file(target, overwrite=overwrite) as temporary:
        try:
            for number, photo in enumerate(frames):
                if writer is None:
                    height, width = size = photo.pixels.shape[:2]
                    encoding = encoding_of_frames(kind, codec, crf, bits_of(photo))
                    aspect = pixel_aspect(photo.metadata)
                    output = VideoOutput(kind, height, width, rate, encoding, pixel_aspect=aspect)
                    writer = VideoWriter(temporary, output)
                if photo.pixels.shape[:2] != size:
                    raise UsageError(f"frame {number} has another size than the first: bring the frames to one size.")
                writer.add(from_unit(photo.to_srgb(), output.dtype))
            if writer is None:
                raise UsageError(f"{target}: there are no frames to write.")
            writer.close()
        except BaseException:
            if writer:
                writer.abandon()
            raise


def bits_of(photo: Photo) -> int:
    """Return the bits of a photo's samples; 16 for floating point."""
    return min(16, 8 * np.dtype(photo.pixels.dtype).itemsize)
