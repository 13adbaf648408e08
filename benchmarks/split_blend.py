"""Split a photo into tiles and blend them, without a network: python benchmarks/split_blend.py [--megapixels 24]"""

import time

import numpy as np
import typer
from tables import print_table

from relight_cli.photos.photo import Photo
from relight_cli.relighting.tiles import TileGrid, blend_tiles, cut_tiles


def main(megapixels: float = 24, batch: int = 2) -> None:
    """Measure and print."""
    height = round((megapixels * 1e6 * 2 / 3) ** 0.5)
    pixels = np.random.default_rng(0).integers(0, 256, (height, height * 3 // 2, 3), np.uint8)
    photo, rows = Photo(pixels), []
    for tile in (448, 256):
        grid, times = TileGrid(*pixels.shape[:2], tile), []
        for _ in range(3):
            began, processor = time.perf_counter(), time.process_time()
            tiles = (one for _, some in cut_tiles(photo.srgb, grid, batch) for one in some)
            blended_rows = sum(len(band) for band in blend_tiles(grid, tiles, 3))
            times.append((time.perf_counter() - began, time.process_time() - processor))
            assert blended_rows == height
        seconds, processor = min(times)
        rows.append(
            {"tile": tile, "tiles": len(grid), "seconds": round(seconds, 3), "processor seconds": round(processor, 3)}
        )
    print_table("split and blend", rows, megapixels=megapixels, batch=batch)


if __name__ == "__main__":
    typer.run(main)
