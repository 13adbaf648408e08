"""Pictures processed in bands equal pictures processed whole."""

import io

import imagecodecs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mean_light import MeanLight, picture

from relight_cli.checkpoints.tiny import load_tiny
from relight_cli.models.colour import linear_to_srgb, srgb_to_linear
from relight_cli.photos.codecs import png_encoding
from relight_cli.photos.codecs.png_encoding import encode_png
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.rasters.resizing import resized_rows
from relight_cli.rasters.rows import LazyRows, streamed_rows, strips, to_array
from relight_cli.relighting.gain import multiply_light
from relight_cli.relighting.options import ChangeOptions, TileOptions
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import relight_picture

SIZES = st.integers(1, 90)


@settings(max_examples=40)
@given(height=SIZES, width=SIZES, high=SIZES, wide=SIZES)
def test_a_resized_picture_is_the_same_in_any_bands(height: int, width: int, high: int, wide: int) -> None:
    import cv2

    own = np.random.default_rng(height * 91 + width).random((height, width, 3), dtype=np.float32)
    view = resized_rows(own, high, wide)
    bands = np.concatenate([view[slice(row, row + 1)] for row in range(high)])
    np.testing.assert_allclose(bands, view[slice(0, high)], atol=1e-5)
    expected = own
    for size in ((wide, height), (wide, high)):
        grows = size[0] * size[1] > expected.shape[0] * expected.shape[1]
        if expected.shape[:2] != size[::-1]:
            expected = cv2.resize(expected, size, interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)
    np.testing.assert_allclose(bands, expected.reshape(bands.shape), atol=2e-5)


@pytest.mark.parametrize("size", [(30, 20), (68, 45), (90, 61), (140, 90)])
def test_an_infinite_sample_is_resized_to_the_samples_around_it(size: tuple[int, int]) -> None:
    own = np.full((90, 60, 3), 0.2, np.float32)
    own[45, 30] = np.inf
    odd = ~np.isfinite(to_array(resized_rows(own, *size))).all(axis=2)
    assert 1 <= odd.sum() <= 64
    own[45, 30] = 0.2
    assert not (~np.isfinite(to_array(resized_rows(own, *size)))).any()


def test_streamed_rows_are_read_once() -> None:
    rows = streamed_rows((9, 1, 1), iter(np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)))
    assert rows[slice(0, 2)].ravel().tolist() == [0, 1]
    assert rows[slice(2, 7)].ravel().tolist() == [2, 3, 4, 5, 6]
    assert rows[slice(8, 9)].ravel().tolist() == [8]
    with pytest.raises(ValueError, match="already been read"):
        rows[slice(0, 1)]


@given(seed=st.integers(0, 99))
def test_multiply_light_equals_two_transfer_curves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, stops = rng.uniform(-0.1, 1.2, (50, 40, 3)), rng.uniform(-5, 5, (50, 40, 3))
    exact = linear_to_srgb(srgb_to_linear(torch.from_numpy(own)) * torch.exp2(torch.from_numpy(stops))).numpy()
    found = multiply_light(own.astype(np.float32), stops.astype(np.float32))
    np.testing.assert_allclose(found, exact, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_an_unchanged_photo_keeps_every_sample(dtype: str) -> None:
    top = np.iinfo(dtype).max
    photo = Photo(np.arange(top + 1, dtype=dtype).reshape(-1, 16, 1).repeat(3, 2))
    assert (photo.with_srgb(photo.srgb).pixels == photo.pixels).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_srgb_rows_are_writeable_and_contiguous(dtype: str, channels: int) -> None:
    """torch warns about arrays that are not writeable, and a warning while a photo is written becomes a note on it."""
    rows = Photo(np.ones((4, 5, channels), dtype)).srgb[slice(0, 2)]
    assert rows.flags.writeable
    assert rows.flags.c_contiguous


@settings(max_examples=60)
@given(height=st.integers(1, 40), width=st.sampled_from([1, 7, 40_000]), wanted=st.integers(1, 50))
def test_strips_contain_all_rows_in_order(height: int, width: int, wanted: int) -> None:
    own = np.arange(height, dtype=np.uint16)[:, None, None].repeat(width, 1)
    cut = list(strips(LazyRows(own.shape, own.dtype, lambda rows: own[rows]), wanted))
    assert {len(strip) for strip in cut[:-1]} <= {wanted}
    assert len(cut[-1]) <= wanted
    np.testing.assert_array_equal(np.concatenate(cut), own)


@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 3), ("uint16", 1), ("uint16", 4)])
def test_a_png_in_strips_is_no_larger_than_libpngs(dtype: str, channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are always the same; zlib compresses the filtered rows with another strategy."""
    rng, steps = np.random.default_rng(0), np.arange(200)
    own = (rng.integers(0, 99, (150, 200, channels)) + steps[:, None] + steps[:150, None, None]).astype(dtype)
    file = io.BytesIO()
    monkeypatch.setattr(png_encoding, "_STRIP", 20_000)
    encode_png(file, own, Metadata())
    expected = imagecodecs.png_encode(own.squeeze(-1) if channels == 1 else own, level=1)
    np.testing.assert_array_equal(imagecodecs.png_decode(file.getvalue()).reshape(own.shape), own)
    assert len(file.getvalue()) <= 1.05 * len(expected)


@pytest.mark.parametrize("detail", [True, False])
def test_tiny_gives_the_same_photo_for_every_tile_batch(detail: bool) -> None:
    network, own, reference = load_tiny(), picture(270, 300), picture(270, 300, seed=1) * 1.4
    relit = []
    for batch in (1, 3):
        tiling = TileOptions(batch=batch)
        light = ReferenceLight(Photo.from_array(reference))
        relit.append(to_array(relight_picture(network, own, light, ChangeOptions(detail=detail), tiling)))
    assert max(np.abs(other - relit[0]).max() for other in relit[1:]) < 1 / 255


class Counted:
    """A picture that records the largest number of rows read at a time."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.most = pixels, 0
        self.rows = LazyRows(pixels.shape, pixels.dtype, self.read)

    def read(self, rows: slice) -> np.ndarray:
        self.most = max(self.most, rows.stop - rows.start)
        return self.pixels[rows]


@pytest.mark.parametrize("max_side", [0, 40])
def test_no_stage_reads_more_than_a_row_of_tiles(max_side: int) -> None:
    own, reference = Counted(picture(3000, 36)), Counted(picture(3000, 36, seed=1))
    tiling = TileOptions(max_side=max_side)
    light = ReferenceLight(Photo(reference.rows))
    lit = relight_picture(MeanLight(), own.rows, light, ChangeOptions(), tiling)
    bands = [lit[slice(row, row + 10)] for row in range(0, 3000, 10)]
    assert np.isfinite(np.concatenate(bands)).all()
    assert max(own.most, reference.most) <= (MeanLight.tile_size if max_side == 0 else 1 << 16)
