"""Profiles of curves and a matrix, and of grey, against lcms2: colours, samples, and the way back."""

import pickle
import weakref
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_profiles import gamma_curve, grey_profile, matrix_profile, parametric_curve, sampled_curve
from photo_fixtures import noise

from relight_cli.photos.cicp import PRIMARIES
from relight_cli.photos.colour_profiles import SRGB, is_srgb, profile_space, profile_to_srgb
from relight_cli.photos.lcms import CHANNELS, LINEAR, transform
from relight_cli.photos.matrix_profiles import matrix_profile as measured
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting.gain import apply_log_gain
from relight_cli.relighting.masks import blend_by_mask

STEP = 1 / 4095
PROPHOTO = (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, 0.3457, 0.3585)
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290)
CAMERA = (0.72, 0.29, 0.22, 0.79, 0.12, 0.02, 0.3457, 0.3585)
SPACES = [*PRIMARIES.values(), PROPHOTO, ADOBE, CAMERA]


def ramp(count: int) -> np.ndarray:
    return np.linspace(0, 1, count)


CURVES = {  # those that never fall and never stay the same can be inverted
    "linear": b"curv" + bytes(8),
    "gamma 1.0": gamma_curve(1),
    "gamma 1.8": gamma_curve(1.8),
    "gamma 2.2": gamma_curve(2.2),
    "gamma 2.6": gamma_curve(2.6),
    "type 0": parametric_curve(0, 2.4),
    "type 1": parametric_curve(1, 2.2, 1 / 1.1, 0.1 / 1.1),
    "type 2": parametric_curve(2, 2.2, 0.9, 0.05, 0.01),
    "type 3": parametric_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "type 4": parametric_curve(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0, 0),
    "2 samples": sampled_curve(ramp(2)),
    "16 samples": sampled_curve(ramp(16) ** 1.6),
    "256 samples": sampled_curve(0.1 * ramp(256) + 0.9 * ramp(256) ** 2.2),
    "1024 samples": sampled_curve(0.05 * ramp(1024) + 0.95 * ramp(1024) ** 2.4),
    "L*": sampled_curve(np.where(ramp(4096) < 0.08, ramp(4096) / 9.033, ((ramp(4096) + 0.16) / 1.16) ** 3)),
}
NOT_INVERTIBLE = {
    "black": sampled_curve(np.maximum(ramp(256) - 0.05, 0) / 0.95),
    "raised black": sampled_curve(0.01 + 0.99 * ramp(256) ** 2.2),
    "8-bit gamma": sampled_curve(ramp(256) ** 2.4),
}


def every_profile() -> dict[str, bytes]:
    """Return profiles of all curves, versions and primaries, in turn, and of grey."""
    profiles = {}
    for number, ((name, curve), version) in enumerate(product((CURVES | NOT_INVERTIBLE).items(), (2, 4))):
        space = SPACES[number % len(SPACES)]
        profiles[f"{name} v{version}"] = matrix_profile(space, [curve] * 3, version=version)
        profiles[f"grey {name} v{version}"] = grey_profile(curve, version=version)
    three = [CURVES["gamma 1.8"], CURVES["type 3"], CURVES["L*"]]
    profiles |= {
        f"three curves {number}": matrix_profile(ADOBE, three[number:] + three[:number]) for number in range(3)
    }
    profiles["a negative"] = matrix_profile(ADOBE, [sampled_curve(1 - ramp(256))] * 3)
    profiles["black point"] = matrix_profile(ADOBE, [gamma_curve(2.2)] * 3, black=0.004)
    return {name: icc for name, icc in profiles.items() if not is_srgb(icc)}


PROFILES = every_profile()
EVERY = pytest.mark.parametrize("name", PROFILES)


def colours(icc: bytes, dtype: str = "uint16") -> np.ndarray:
    """Return random, dark and neutral samples, and the corners, (1, n, C)."""
    channels = CHANNELS[str(profile_space(icc))]
    values = noise((3000, channels), "float32")
    neutral = np.repeat(np.linspace(0, 1, 4096, dtype=np.float32)[:, None], channels, axis=1)
    corners = np.array(list(product((0, 1), repeat=channels)), np.float32)
    values = np.concatenate((values, values**3, neutral, corners))[None]
    if b"curv" in icc and dtype == "float32":
        values = np.rint(values * 65535).astype(np.float32) / np.float32(
            65535
        )  # lcms2 rounds so before it uses a table
    return values if dtype == "float32" else np.rint(values * np.iinfo(dtype).max).astype(dtype)


def by_lcms(samples: np.ndarray, icc: bytes) -> np.ndarray:
    values = samples / np.float32(np.iinfo(samples.dtype).max) if samples.dtype != np.float32 else samples
    return transform(values.astype(np.float32), icc, str(profile_space(icc)), SRGB, "rgb")


def test_there_are_sixty_profiles() -> None:
    assert len(PROFILES) >= 60


@EVERY
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_colours_are_those_of_lcms(name: str, dtype: str) -> None:
    icc = PROFILES[name]
    assert measured(icc) is not None
    samples = colours(icc, dtype)
    assert np.abs(profile_to_srgb(samples, icc) - by_lcms(samples, icc)).max() < STEP


@EVERY
def test_the_way_back_is_as_exact_as_by_lcms(name: str) -> None:
    """lcms2's own way back misses the samples where 32-bit floats of sRGB, or its tables, cannot tell them apart."""
    icc = PROFILES[name]
    own = colours(icc)
    values = (own / np.float32(65535)).astype(np.float32)
    srgb, space = by_lcms(own, icc), str(profile_space(icc))
    profile = measured(icc)
    assert profile is not None
    back = profile.from_srgb(srgb[0], clip=True)[None]
    lcms_error = np.abs(transform(srgb, SRGB, "rgb", icc, space) - values)
    assert (np.abs(back - values) <= STEP + 2 * lcms_error.max()).all()
    assert np.abs(transform(back, icc, space, SRGB, "rgb") - srgb).max() < STEP * 1.5


@pytest.mark.parametrize("version", [2, 4])
@pytest.mark.parametrize("curve", CURVES)
def test_curves_are_inverted_to_a_step_of_sixteen_bits(curve: str, version: int) -> None:
    """Neutral colours: no other channel is so much brighter that floats lose the darkest samples."""
    for icc in (matrix_profile(ADOBE, [CURVES[curve]] * 3, version=version), grey_profile(CURVES[curve])):
        profile = measured(icc)
        assert profile is not None
        own = np.repeat(np.arange(65536, dtype=np.uint16)[:, None], profile.channels, axis=1)
        back = profile.from_srgb(profile.to_srgb(own), clip=True)
        assert np.abs(back * 65535 - own).max() <= 1


@EVERY
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_unchanged_colours_keep_their_samples(name: str, dtype: str) -> None:
    photo = Photo(colours(PROFILES[name], dtype).reshape(-1, 2, CHANNELS[str(profile_space(PROFILES[name]))]))
    photo = Photo(photo.pixels, metadata=Metadata(icc=PROFILES[name]))
    np.testing.assert_array_equal(photo.with_srgb(photo.srgb).pixels, photo.pixels)
    np.testing.assert_array_equal(photo.with_srgb(photo.to_srgb()).pixels, photo.pixels)


@pytest.mark.parametrize("curve", ["linear", "gamma 2.2", "type 3", "16 samples"])
def test_floats_beyond_white_and_below_black_follow_lcms(curve: str) -> None:
    icc = matrix_profile(ADOBE, [CURVES[curve]] * 3)
    light = (noise((50, 60, 3), "float32") * 4 - 1).astype(np.float32)
    photo = Photo(light, metadata=Metadata(icc=icc))
    wanted = transform(light, icc, "rgb", SRGB, "rgb")
    np.testing.assert_allclose(photo.to_srgb(), wanted, atol=2 * STEP)
    changed = (wanted * np.float32(0.7)).astype(np.float32)
    back = transform(changed, SRGB, "rgb", icc, "rgb")
    outside = ((back < 0) | (back > 1)).any(axis=2)
    assert outside.any() != (curve == "16 samples")  # lcms2 clips what it looks up in tables
    np.testing.assert_allclose(photo.with_srgb(changed).pixels[outside], back[outside], atol=2 * STEP)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 90), top=st.integers(0, 39), dtype=st.sampled_from("BHf"))
def test_a_pixel_does_not_depend_on_its_neighbours(height: int, width: int, top: int, dtype: str) -> None:
    pixels = noise((height, width, 3), np.dtype(dtype).name)
    photo = Photo(pixels, metadata=Metadata(icc=PROFILES["three curves 0"]))
    whole, top = photo.to_srgb(), min(top, height - 1)
    np.testing.assert_array_equal(photo.srgb[slice(top, height)], whole[top:])
    darker = whole * np.float32(0.8)
    made, part = photo.with_srgb(darker).pixels, Photo(pixels[top:], metadata=photo.metadata).with_srgb(darker[top:])
    np.testing.assert_array_equal(part.pixels, made[top:])


def test_all_other_profiles_are_left_to_lcms() -> None:
    icc = matrix_profile(ADOBE, [sampled_curve(ramp(256) ** 4 * 2 % 1)] * 3)  # rises, falls and rises
    assert measured(icc) is None
    samples = noise((90, 1000, 3), "uint8")  # more than one band
    np.testing.assert_array_equal(profile_to_srgb(samples, icc), by_lcms(samples, icc))
    photo = Photo(samples, metadata=Metadata(icc=icc))
    np.testing.assert_array_equal(photo.with_srgb(photo.srgb).pixels, samples)


@pytest.mark.parametrize("icc", [b"", b"rubbish" * 40, PROFILES["type 3 v4"][:200]])
def test_a_broken_profile_is_not_of_curves(icc: bytes) -> None:
    assert measured(icc) is None


@pytest.mark.parametrize("masked", [False, True])
def test_a_photo_in_another_light_is_converted_once(masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture that the gain is applied to also tells which pixels stayed the same."""
    rows_converted = 0

    def counted(samples: np.ndarray, icc: bytes | None) -> np.ndarray:
        nonlocal rows_converted
        rows_converted += len(samples)
        return profile_to_srgb(samples, icc)

    monkeypatch.setattr("relight_cli.photos.photo.profile_to_srgb", counted)
    photo = Photo(noise((40, 30, 3), "uint16"), metadata=Metadata(icc=PROFILES["three curves 0"]))
    stops = np.zeros((40, 30, 3), np.float32)
    stops[20:] = 0.5
    lit = apply_log_gain(photo.srgb, lambda rows, own: stops[rows])
    made = photo.with_srgb(blend_by_mask(np.ones((40, 30), np.float32), photo.srgb, lit) if masked else lit)
    assert rows_converted == (40 if masked else 0)  # without a mask samples become light and samples again, not sRGB
    np.testing.assert_array_equal(made.pixels[:20], photo.pixels[:20])
    assert (made.pixels[20:] != photo.pixels[20:]).any()
    np.testing.assert_allclose(made.pixels, photo.with_srgb(to_array(lit)).pixels.astype(float), atol=3)


def stops_of(shape: tuple[int, ...]) -> np.ndarray:
    """Return stops (H, W, 3) from -5 to 5; a third of the pixels has none."""
    rng = np.random.default_rng(3)
    stops = rng.uniform(-5, 5, (*shape[:2], 3)).astype(np.float32)
    return np.where(rng.random((*shape[:2], 1)) < 1 / 3, np.float32(0), stops)


@pytest.mark.parametrize("name", [name for name in PROFILES if "raised" not in name])  # darker than it can store
def test_light_is_multiplied_as_lcms_sees_it(name: str) -> None:
    icc, channels = PROFILES[name], 1 if name.startswith("grey") else 3
    photo = Photo(noise((40, 30, channels), "uint16"), metadata=Metadata(icc=icc))
    stops = stops_of(photo.pixels.shape)
    stops[10:] = stops[10:, :, :1] / 8  # of all colours alike, and small: few leave the profile
    lit = apply_log_gain(photo.srgb, lambda rows, own: stops[rows])
    made, kept = photo.with_srgb(lit).pixels, (stops == 0).all(axis=2)
    np.testing.assert_array_equal(made[kept], photo.pixels[kept])
    light = transform(photo.pixels / np.float32(65535), icc, str(profile_space(icc)), LINEAR, "rgb") * np.exp2(stops)
    inside = ((made > 0) & (made < 65535)).all(axis=2) & ((light > 0) & (light < 1)).all(axis=2)
    inside &= (stops[..., :1] == stops).all(axis=2) | (channels == 3)
    assert inside.sum() > 50
    wanted = transform(light, LINEAR, "rgb", SRGB, "rgb")
    assert np.abs(by_lcms(made, icc) - wanted)[inside].max() < 3 * STEP  # lcms2 rounds to 16 bits twice


@pytest.mark.parametrize("name", PROFILES)
def test_light_multiplied_through_a_profile_is_that_multiplied_in_srgb(name: str) -> None:
    pixels = noise((40, 30, 1 if name.startswith("grey") else 3))
    photo, stops = Photo(pixels, metadata=Metadata(icc=PROFILES[name])), stops_of(pixels.shape)
    lit = apply_log_gain(photo.srgb, lambda rows, own: stops[rows])
    through_srgb = photo.with_srgb(to_array(lit)).pixels.astype(int)
    np.testing.assert_allclose(photo.with_srgb(lit).pixels, through_srgb, atol=1)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 90), top=st.integers(0, 39), dtype=st.sampled_from("BH"))
def test_multiplied_light_does_not_depend_on_bands(height: int, width: int, top: int, dtype: str) -> None:
    pixels = noise((height, width, 4), np.dtype(dtype).name)[..., :3]  # as of a file with alpha
    photo = Photo(pixels, metadata=Metadata(icc=PROFILES["three curves 0"]))
    stops, seen = stops_of(pixels.shape), []

    def gain(rows: slice, own: np.ndarray) -> np.ndarray:
        seen.append((rows, own))
        return stops[rows]

    made, top = photo.with_lazy_srgb(apply_log_gain(photo.srgb, gain)).pixels, min(top, height - 1)
    np.testing.assert_array_equal(made[slice(top, height)], made[slice(0, height)][top:])
    for rows, own in seen:
        np.testing.assert_array_equal(own, photo.srgb[rows])


def test_the_colours_of_a_photo_keep_no_photo_in_memory() -> None:
    photo = Photo(noise((4, 4, 3)), metadata=Metadata(icc=PROFILES["three curves 0"]))
    assert photo.srgb is photo.srgb
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(photo)).to_srgb(), photo.to_srgb())
    alive = weakref.ref(photo)
    del photo
    assert alive() is None


def test_a_colour_photo_with_a_grey_profile_stays_one_of_three_channels() -> None:
    photo = Photo(noise((5, 6, 3)), metadata=Metadata(icc=PROFILES["grey gamma 1.8 v2"]))
    changed = photo.with_srgb(photo.to_srgb() * np.float32(0.5))
    assert changed.pixels.shape == (5, 6, 3)
    assert (np.ptp(changed.pixels, axis=2) == 0).all()
