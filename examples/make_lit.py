"""Make examples/lights_on_photo.jpg anew: python examples/make_lit.py"""

from pathlib import Path

import cv2
import numpy as np

from relight_cli import geometry_of_photo, load_geometry, load_light, load_model, put_on, read_photo, write_photo
from relight_cli.photos.photo import Photo

FOLDER = Path(__file__).parent
LIGHTS = ("golden-hour", "golden-hour-right", "overcast", "blue-hour", "window-left", "candle")
WIDTH, COLUMNS = 400, 3


def main() -> None:
    """Put each light on photo.jpg and write the sheet."""
    photo = read_photo(FOLDER / "photo.jpg")
    model, geometry = load_model("tiny"), geometry_of_photo(photo, load_geometry())
    height = round(WIDTH * photo.pixels.shape[0] / photo.pixels.shape[1])
    cells = []
    for name in LIGHTS:
        lit = put_on(model, photo, load_light(name), geometry).photo.to_array()
        cell = np.ascontiguousarray(cv2.resize(lit, (WIDTH, height), interpolation=cv2.INTER_AREA))
        cell[height - 32 :] //= 2
        cv2.putText(cell, name, (10, height - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
        cells.append(cell)
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    write_photo(Photo(np.vstack(rows), format="JPEG"), FOLDER / "lights_on_photo.jpg", quality=88, overwrite=True)


if __name__ == "__main__":
    main()
