"""Geometry of a working copy from a disparity."""

import math
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rendered_geometry import KnownView, layout, view

from relight_cli.errors import UsageError
from relight_cli.photos.depth_files import DepthMap, read_depth_map
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.shape import Corners, Shape
from relight_cli.relighting.cast_shadows import visibility
from relight_cli.relighting.geometry import (
    fill_holes,
    geometry_of_depth_map,
    geometry_of_disparity,
    require_aspect,
)
from relight_cli.relighting.photo_geometry import geometry_of_photo
from relight_cli.relighting.surfaces import disparity_normals


@pytest.fixture(scope="module")
def known() -> KnownView:
    return view(
        layout(boxes=[((-0.5, 0.3, 0.0), (0.3, 0.3, 0.25), 0.4, 3)], balls=[((0.6, 0.4, 0.0), (0.4, 0.4, 0.4), 0.0, 3)])
    )


def angles(normals: NDArray, truth: NDArray) -> NDArray:
    return np.degrees(np.arccos((normals * truth).sum(-1).clip(-1, 1)))


def test_normals_are_those_of_the_surfaces_up_to_their_edges(known: KnownView) -> None:
    apart = angles(known.geometry.normals, known.normals)
    assert apart.mean() < 3.5
    assert np.percentile(apart, 85) < 4
    assert np.allclose(np.linalg.norm(known.geometry.normals, axis=-1), 1, atol=1e-4)


def test_no_normal_bridges_a_step_in_depth() -> None:
    disparity = np.full((40, 60), 0.1, np.float32)
    disparity[:, 30:] = 0.5
    assert angles(disparity_normals(disparity, 60.0), np.array((0, 0, 1))).max() < 1


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.integers(12, 40), st.integers(12, 40), st.floats(0.0, 0.3))
def test_planes_have_one_normal_and_stay_planes_under_a_shift(
    slope: float, tilt: float, height: int, width: int, shift: float
) -> None:
    focal = 40.0
    u, v = np.arange(width) + 0.5 - width / 2, (np.arange(height) + 0.5 - height / 2)[:, None]
    normal = np.array((slope, tilt, 1.0)) / math.hypot(slope, tilt, 1)
    # n . P = const with P = z (u / f, -v / f, -1), so 1 / z is linear in u and v.
    disparity = ((-normal[0] * u + normal[1] * v) / focal + normal[2]).astype(np.float32)
    picture = np.zeros((height, width, 3), np.float32)
    if disparity.min() < 0.05:
        return
    geometry = geometry_of_disparity(disparity, picture, focal, shift=0.0)
    assert angles(geometry.normals, normal).max() < 1
    shifted = geometry_of_disparity(disparity, picture, focal, shift=shift).normals
    assert angles(shifted, shifted.mean((0, 1))).max() < 1


def test_steps_of_eight_bits_leave_smooth_normals(known: KnownView) -> None:
    coarse = np.rint(known.disparity / known.disparity.max() * 255).astype(np.float32)
    ground = known.normals[..., 1] > 0.5
    apart = angles(geometry_of_disparity(coarse, known.picture, known.focal, shift=0.0).normals, known.normals)[ground]
    assert np.median(apart) < 8


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20), st.booleans())
@settings(max_examples=30, deadline=None)
def test_maps_and_pictures_of_any_size(h: int, w: int, height: int, width: int, flat: bool) -> None:
    disparity = np.zeros((h, w), np.float32) if flat else np.random.default_rng(h).random((h, w)).astype(np.float32)
    geometry = geometry_of_disparity(disparity, np.full((height, width, 3), 0.5, np.float32), 10.0)
    assert geometry.depth.shape == geometry.sky.shape == geometry.normals.shape[:2] == (height, width)
    assert all(np.isfinite(part).all() for part in (geometry.depth, geometry.normals, geometry.sky))
    assert geometry.depth.min() > 0
    shadows = visibility(geometry, (1.0, 1.0, 1.0), 0.1, march_side=6)
    assert shadows.shape == (height, width)
    assert ((shadows >= 0) & (shadows <= 1)).all()


def test_the_sky_is_found_and_faces_the_viewer() -> None:
    disparity = np.concatenate((np.zeros((20, 30)), np.tile(np.linspace(0.05, 1, 20)[:, None], 30))).astype(np.float32)
    geometry = geometry_of_disparity(disparity, np.zeros((40, 30, 3), np.float32), 40.0)
    assert (geometry.sky[:20] == 1).all()
    assert (geometry.sky[20:] == 0).all()
    assert (geometry.normals[:20] == (0, 0, 1)).all()
    assert np.isfinite(geometry.depth).all()
    assert geometry.depth.min() > 0
    assert geometry.depth[:20].min() > geometry.depth[20:].max()


@pytest.mark.parametrize("size", [(24, 32), (192, 256), (96, 128)])
def test_a_map_of_another_size_is_fitted_with_its_edges(known: KnownView, size: tuple[int, int]) -> None:
    other = view(known.layout, *size)
    geometry = geometry_of_disparity(other.disparity, known.picture, known.focal, shift=0.0)
    assert geometry.depth.shape == known.disparity.shape
    apart = np.abs(geometry.depth * known.disparity - 1)
    assert np.median(apart) < 0.01
    assert (apart < 0.05).mean() > 0.9


def test_unknown_pixels_take_the_nearest_value() -> None:
    values = np.full((6, 8), 2.0, np.float32)
    values[:, 4:] = 5
    values[2:4, 1:3] = np.nan
    values[0, 7] = np.nan
    filled = fill_holes(values)
    assert (filled[:, :4] == 2).all()
    assert (filled[:, 4:] == 5).all()
    with pytest.raises(UsageError, match="holds no depth"):
        fill_holes(np.full((3, 3), np.nan, np.float32))


def test_a_depth_map_of_a_file_is_depth_or_affine_disparity(known: KnownView) -> None:
    depth = DepthMap(1 / known.disparity, "depth", True)
    exact = geometry_of_depth_map(depth, "d.exr", known.picture, known.focal)
    assert np.allclose(exact.depth, depth.values, rtol=1e-4)
    near = DepthMap(known.disparity * 40, "disparity", True)
    shifted = geometry_of_depth_map(near, "d.png", known.picture, known.focal)
    assert np.corrcoef(shifted.depth.ravel(), depth.values.ravel())[0, 1] > 0.99
    with pytest.raises(UsageError, match="whole photo"):
        geometry_of_depth_map(near, "d.png", known.picture[:, :70], known.focal)


def test_the_sky_that_a_network_sees_counts_where_a_depth_map_allows_it() -> None:
    picture = np.zeros((40, 60, 3), np.float32)
    seen, depth = np.zeros((2, 40, 60), np.float32)
    seen[:20] = 1  # and the map of a wall on its right
    depth[:20], depth[20:], depth[:, 40:] = 90, 9, 5

    def sky(values: np.ndarray, quantity: str) -> np.ndarray:
        return geometry_of_depth_map(DepthMap(values, quantity, True), "d", picture, 60, seen).sky

    expected = seen.copy()
    expected[:, 40:] = 0
    assert (sky(depth, "depth") == expected).all()
    assert (sky(1 / depth + 3, "disparity") == expected).all()
    assert (sky(1 / depth - 3, "disparity") == expected).all()
    unknown, endless = depth.copy(), 1 / depth
    unknown[:20, :40], endless[:20, :10] = np.nan, 0
    assert (sky(unknown, "depth") == expected).all()
    assert (sky(endless, "disparity") == expected).all()
    assert not sky(np.where(depth == 90, 20, depth), "depth").any()


def test_noise_of_the_depth_casts_no_shadows() -> None:
    plane = view(layout())
    bumps = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, plane.disparity.shape), (0, 0), 3)
    noisy = (plane.disparity * np.exp(bumps / bumps.std() * 0.05)).astype(np.float32)
    light = plane.in_camera((-0.7, 0.3, 0.2))

    def lit(noise: float) -> float:
        geometry = geometry_of_disparity(
            noisy, plane.picture, plane.focal, shift=0.0, normals=plane.normals, noise=noise
        )
        return float(visibility(geometry, light).mean())

    assert lit(0.0) < 0.97
    assert 1 - lit(0.06) < 0.3 * (1 - lit(0.0))


@given(st.integers(30, 400), st.integers(30, 400), st.sampled_from([0.25, 0.5, 0.333, 1.0]))
def test_rounded_sizes_of_a_photo_are_accepted(height: int, width: int, scale: float) -> None:
    values = np.zeros((max(1, round(height * scale)), max(1, round(width * scale))), np.float32)
    require_aspect(values, height, width, "d.png")


@pytest.mark.parametrize("size", [(480, 640), (640, 427), (427, 427)])
def test_another_aspect_ratio_is_refused_in_one_line(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"^d\.png is \d+ x \d+ pixels and the photo 640 x 427, [^\n]*$"):
        require_aspect(np.zeros(size, np.float32), 427, 640, "d.png")


def test_the_size_of_the_photo_is_named_not_that_of_its_copy() -> None:
    depth = DepthMap(np.ones((480, 640), np.float32), "depth", True)
    geometry_of = geometry_of_photo(Photo(np.zeros((512, 768, 3), np.uint8)), depth, name="d.png")
    with pytest.raises(UsageError, match=r"640 x 480 pixels and the photo 768 x 512, which is another aspect ratio"):
        geometry_of(np.zeros((341, 512, 3), np.float32))


@pytest.mark.parametrize("unit", [1e-35, 1e-20, 1e6, 1e35])
def test_depth_in_any_unit_gives_the_same_surfaces(known: KnownView, unit: float) -> None:
    depth = (1 / known.disparity).astype(np.float32)
    plain, scaled = (
        geometry_of_depth_map(DepthMap(depth * np.float32(factor), "depth", True), "d", known.picture, known.focal)
        for factor in (1, unit)
    )
    assert angles(scaled.normals, plain.normals).max() < 0.5
    np.testing.assert_allclose(scaled.depth / scaled.depth.min(), plain.depth / plain.depth.min(), rtol=1e-3)


@pytest.mark.parametrize(
    ("own", "stored"),
    [
        (None, (10, 5, 49, 34)),
        (None, (-4, -6, 70, 50)),
        ((4, 6, 43, 35), (0, 0, 63, 47)),
        ((4, 6, 43, 35), (8, 2, 63, 40)),
    ],
    ids=["part", "more", "part of the photo alone", "both"],
)
def test_a_depth_map_of_a_render_region_is_put_in_its_place(
    tmp_path: Path, own: Corners | None, stored: Corners
) -> None:
    """The pixels of an EXR fill its data window; the whole is its display window, of depth map and photo alike."""
    display = (0, 0, 63, 47)
    y, x = np.mgrid[-10:60, -10:80].astype(np.float32)  # of a scene that reaches beyond the display window
    depth = 3 + x / 40 + np.where(np.hypot(x - 25, y - 20) < 9, -1, 0).astype(np.float32)

    def seen(left: int, top: int, right: int, bottom: int) -> np.ndarray:
        return np.ascontiguousarray(depth[top + 10 : bottom + 11, left + 10 : right + 11])

    header = {
        name: (np.array(corners[:2], np.int32), np.array(corners[2:], np.int32))
        for name, corners in {"dataWindow": stored, "displayWindow": display}.items()
    }
    header |= {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    OpenEXR.File(header, {"Z": seen(*stored)}).write(str(tmp_path / "z.exr"))
    whole = seen(*(own or display))
    picture = np.full((*whole.shape, 3), 0.5, np.float32)
    photo = Photo(picture, metadata=Metadata(shape=Shape(data_window=own, display_window=display) if own else None))
    found = geometry_of_photo(photo, read_depth_map(tmp_path / "z.exr"))(picture)
    left, top, right, bottom = (a - b for a, b in zip(stored, 2 * (own or display)[:2], strict=True))
    known = slice(max(0, top), bottom + 1), slice(max(0, left), right + 1)
    np.testing.assert_allclose(found.depth[known], whole[known], rtol=1e-3)
