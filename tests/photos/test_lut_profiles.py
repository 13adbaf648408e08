"""Profiles of tables against lcms2: colours, samples, and the way back."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_profiles import (
    decoded_pcs,
    element_tables,
    encoded_pcs,
    gamma_curve,
    grid,
    icc_profile,
    legacy_tables,
    matrix_profile,
    parametric_curve,
    sampled_curve,
    table_profile,
    to_xyz,
    two_way_profile,
)
from photo_fixtures import noise

from relight_cli.photos.colour_profiles import SRGB, profile_to_srgb, srgb_to_profile
from relight_cli.photos.lcms import transform
from relight_cli.photos.lut_profiles import _tags, lut_profile
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.srgb_curve import decode_exactly
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.gain import apply_log_gain

STEP = 1 / 4095
LIGHT_STEP = 8 / 65535  # of linear light: lcms2 rounds Lab and XYZ to 16 bits, which is coarser where sRGB is steep
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290)
WIDE = (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, 0.3457, 0.3585)
STRAIGHT = np.linspace(0, 1, 2)
NO_MATRIX = np.eye(3, 4)


def device_to_xyz(values: np.ndarray, space: tuple[float, ...], gamma: float) -> np.ndarray:
    return values.clip(0) ** gamma @ to_xyz(space).T


def xyz_to_device(xyz: np.ndarray, space: tuple[float, ...], gamma: float) -> np.ndarray:
    return (xyz @ np.linalg.inv(to_xyz(space)).T).clip(0, 1) ** (1 / gamma)


def legacy(points: int, pcs: bytes, space: tuple[float, ...], gamma: float, *, words: bool = True) -> bytes:
    """Return lut16Type or lut8Type with curves before the nodes of colours, and after those of the way back."""
    ramp = np.linspace(0, 1, 256 if not words else 1024)
    straight = ramp if not words else STRAIGHT
    forward = encoded_pcs(device_to_xyz(grid(points) ** 2, space, gamma / 2), pcs, words=words)
    back = xyz_to_device(decoded_pcs(grid(points), pcs, words=words), space, gamma)
    return two_way_profile(
        legacy_tables(forward, ramp**0.5, straight, words=words, matrix=np.eye(3)),
        legacy_tables(back**0.8, straight, ramp**1.25, words=words, matrix=np.eye(3)),
        pcs,
    )


def elements(points: int, pcs: bytes, curve: bytes, inverse: bytes, *, depth: str = ">u2") -> bytes:
    """Return lutAToBType and lutBToAType with curves at the side of the device, and a matrix that the nodes undo."""
    mixed = np.array(((0.8, 0.1, 0, 0.05), (0, 0.9, 0.05, 0), (0.1, 0, 0.7, 0.1)))
    undo, offset = np.linalg.inv(mixed[:, :3]), mixed[:, 3]
    forward = encoded_pcs(device_to_xyz(grid(points), WIDE, 1.0), pcs)
    back = xyz_to_device(decoded_pcs((grid(points) - offset) @ undo.T, pcs), WIDE, 1.0)
    inverse_mixed = np.column_stack((undo, -undo @ offset))
    straight = b"curv" + bytes(8)
    return two_way_profile(
        element_tables(
            b"mAB ", forward @ mixed[:, :3].T + offset, curve, straight, straight, inverse_mixed, depth=depth
        ),
        element_tables(b"mBA ", back, inverse, straight, straight, mixed, depth=depth),
        pcs,
        version=4,
    )


def every_profile() -> dict[str, bytes]:
    profiles = {}
    for points, pcs, (name, space, gamma) in product(
        (9, 17, 33), (b"Lab ", b"XYZ "), (("adobe", ADOBE, 2.2), ("wide", WIDE, 1.8))
    ):
        profiles[f"mft2 {pcs.decode()}{name} {points}"] = legacy(points, pcs, space, gamma)
    profiles["mft1 Lab 17"] = legacy(17, b"Lab ", ADOBE, 2.2, words=False)
    profiles["mft1 Lab 33"] = legacy(33, b"Lab ", WIDE, 1.8, words=False)
    profiles["mft2 without curves"] = table_profile(
        lambda values: device_to_xyz(values, ADOBE, 2.2), lambda xyz: xyz_to_device(xyz, ADOBE, 2.2)
    )
    ramp = np.linspace(0, 1, 4096)
    for name, curve, inverse in (
        ("gamma", gamma_curve(1.5), parametric_curve(0, 1 / 1.5)),
        ("type 1", parametric_curve(1, 1.5, 1.05, -0.05), sampled_curve((ramp ** (1 / 1.5) + 0.05) / 1.05)),
        ("type 2", parametric_curve(2, 1.4, 1.05, 0, -0.02), sampled_curve(ramp**0.7)),
        ("type 3", parametric_curve(3, 1.6, 0.95, 0.05, 0.2, 0.1), sampled_curve(ramp**0.6)),
        ("type 4", parametric_curve(4, 1.6, 1, 0.05, 0.2, 0.1, -0.03, 0), sampled_curve(ramp**0.6)),
        ("sampled", sampled_curve(ramp[::16] ** 1.3), sampled_curve(ramp ** (1 / 1.3))),
        ("odd count", sampled_curve(np.linspace(0, 1, 101) ** 1.3), sampled_curve(np.linspace(0, 1, 1001) ** 0.8)),
    ):
        profiles[f"mAB {name}"] = elements(11, b"Lab ", curve, inverse)
    profiles["mAB 8 bits"] = elements(9, b"Lab ", gamma_curve(1.8), sampled_curve(ramp ** (1 / 1.8)), depth="u1")
    profiles["mAB XYZ"] = elements(7, b"XYZ ", gamma_curve(1.8), sampled_curve(ramp**0.8))
    return profiles


PROFILES = every_profile()
EVERY = pytest.mark.parametrize("name", PROFILES)
DEPTHS = pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])


def colours(dtype: str) -> np.ndarray:
    """Return random, dark and neutral samples, and the corners, (1, n, 3)."""
    values = noise((3000, 3), "float32")
    neutral = np.repeat(np.linspace(0, 1, 512, dtype=np.float32)[:, None], 3, axis=1)
    values = np.concatenate((values, values**3, neutral, np.array(list(product((0, 1), repeat=3)), np.float32)))[None]
    return values if dtype == "float32" else np.rint(values * np.iinfo(dtype).max).astype(dtype)


def by_lcms(samples: np.ndarray, icc: bytes) -> np.ndarray:
    scale = 1 if samples.dtype == np.float32 else np.iinfo(samples.dtype).max
    return transform((samples / np.float32(scale)).astype(np.float32), icc, "rgb", SRGB, "rgb")


def assert_close(values: np.ndarray, wanted: np.ndarray, srgb: np.ndarray, wanted_srgb: np.ndarray) -> None:
    far = np.abs(values - wanted) > STEP
    far &= np.abs(decode_exactly(srgb) - decode_exactly(wanted_srgb)) > LIGHT_STEP
    assert not far.any()


@EVERY
@DEPTHS
def test_colours_are_those_of_lcms(name: str, dtype: str) -> None:
    icc, samples = PROFILES[name], colours(dtype)
    assert lut_profile(icc) is not None
    srgb, wanted = profile_to_srgb(samples, icc), by_lcms(samples, icc)
    assert_close(srgb, wanted, srgb, wanted)


@EVERY
def test_the_way_back_is_that_of_lcms(name: str) -> None:
    """Also for colours that the profile does not have."""
    icc = PROFILES[name]
    srgb = np.concatenate((by_lcms(colours("uint16"), icc), colours("float32") * 2 - 0.5), axis=1, dtype=np.float32)
    back = srgb_to_profile(srgb, icc, 3, np.dtype(np.float32))
    wanted = transform(srgb, SRGB, "rgb", icc, "rgb")
    assert_close(back, wanted, by_lcms(back, icc), by_lcms(wanted, icc))
    for dtype in (np.uint8, np.uint16):
        rounded = srgb_to_profile(srgb, icc, 3, np.dtype(dtype))
        assert np.abs(rounded / np.float64(np.iinfo(dtype).max) - back).max() < 0.51 / np.iinfo(dtype).max


@EVERY
@DEPTHS
def test_unchanged_colours_keep_their_samples(name: str, dtype: str) -> None:
    photo = Photo(colours(dtype).reshape(-1, 4, 3), metadata=Metadata(icc=PROFILES[name]))
    np.testing.assert_array_equal(photo.with_srgb(photo.srgb).pixels, photo.pixels)
    np.testing.assert_array_equal(photo.with_srgb(photo.to_srgb()).pixels, photo.pixels)


@EVERY
@DEPTHS
def test_light_multiplied_through_tables_is_that_multiplied_in_srgb(name: str, dtype: str) -> None:
    photo = Photo(colours(dtype).reshape(-1, 4, 3), metadata=Metadata(icc=PROFILES[name]))
    stops = np.random.default_rng(0).uniform(-1, 1, photo.pixels.shape).astype(np.float32)
    stops[::3] = 0
    lit = apply_log_gain(photo.srgb, lambda rows, own: stops[rows])
    made, through_srgb = photo.with_srgb(lit), photo.with_srgb(to_array(lit))
    np.testing.assert_array_equal(made.pixels[::3], photo.pixels[::3])
    top = np.iinfo(dtype).max if dtype != "float32" else 1
    one_step = 1.01 / 255 if dtype == "uint8" else 2 / 4095  # steep curves next to black
    np.testing.assert_allclose(made.pixels / top, through_srgb.pixels / top, atol=one_step)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 90),
    top=st.integers(0, 39),
    dtype=st.sampled_from("BHf"),
    name=st.sampled_from(list(PROFILES)),
)
def test_a_pixel_does_not_depend_on_its_neighbours(height: int, width: int, top: int, dtype: str, name: str) -> None:
    pixels = noise((height, width, 3), np.dtype(dtype).name)
    photo = Photo(pixels, metadata=Metadata(icc=PROFILES[name]))
    whole, top = photo.to_srgb(), min(top, height - 1)
    np.testing.assert_array_equal(photo.srgb[slice(top, height)], whole[top:])
    darker = whole * np.float32(0.8)
    made, part = photo.with_srgb(darker).pixels, Photo(pixels[top:], metadata=photo.metadata).with_srgb(darker[top:])
    np.testing.assert_array_equal(part.pixels, made[top:])


def test_floats_beyond_white_and_not_a_number_are_clipped_as_by_lcms() -> None:
    icc = PROFILES["mft2 Lab adobe 17"]
    light = (noise((50, 60, 3), "float32") * 4 - 1).astype(np.float32)
    srgb, wanted = profile_to_srgb(light, icc), transform(light, icc, "rgb", SRGB, "rgb")
    assert_close(srgb, wanted, srgb, wanted)
    light[0, 0] = np.nan
    assert np.isfinite(profile_to_srgb(light, icc)).all()
    assert np.isfinite(srgb_to_profile(light, icc, 3, np.dtype(np.float32))).all()


@pytest.mark.parametrize(
    "icc",
    [
        elements(5, b"Lab ", parametric_curve(1, 1.5, 0.9, 0.1), gamma_curve(0.7)),  # also light below its black
        icc_profile(b"RGB ", b"XYZ ", {b"A2B0": b"mpet" + bytes(40), b"B2A0": b"mpet" + bytes(40)}),
    ],
)
def test_tables_that_are_not_understood_are_left_to_lcms(icc: bytes) -> None:
    assert lut_profile(icc) is None


def test_tables_that_do_not_convert_as_lcms_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if lcms2 read another intent: tags swapped between two spaces."""
    icc, other = legacy(9, b"Lab ", ADOBE, 2.2), legacy(9, b"Lab ", WIDE, 1.8)
    monkeypatch.setattr("relight_cli.photos.lut_profiles._tags", lambda _: _tags(other))
    lut_profile.cache_clear()
    assert lut_profile(icc) is None
    samples = colours("uint16")
    np.testing.assert_array_equal(profile_to_srgb(samples, icc), by_lcms(samples, icc))


def broken() -> list[bytes]:
    """Return profiles cut or changed at many places, also in the heads of their tags."""
    made = []
    for icc in (PROFILES["mft2 Lab adobe 9"], PROFILES["mft1 Lab 17"], PROFILES["mAB type 4"]):
        made += [icc[:size] for size in (0, 20, 130, 140, 200, len(icc) // 3, len(icc) - 7)]
        for at in (16, 20, 128, 131, 145, 160, *range(168, 168 + 60, 11)):
            made += [icc[:at] + value + icc[at + len(value) :] for value in (b"\0", b"\xff\xff\xff\xff")]
    return made


def test_broken_tables_are_left_to_lcms_or_understood_as_by_it() -> None:
    samples = colours("uint16")
    for icc in broken():
        if lut_profile(icc) is not None:
            srgb, wanted = profile_to_srgb(samples, icc), by_lcms(samples, icc)
            assert_close(srgb, wanted, srgb, wanted)


@pytest.mark.parametrize(
    "icc",
    [b"", b"rubbish" * 40, matrix_profile(ADOBE, [gamma_curve(2.2)] * 3), icc_profile(b"CMYK", b"Lab ", {})],
)
def test_profiles_without_tables_are_of_another_kind(icc: bytes) -> None:
    assert lut_profile(icc) is None
