"""References: which kind they are, and the light of the same view."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Command
from hypothesis import given, settings
from hypothesis import strategies as st
from lit_views import light, shot, softened, view

from relight_cli.errors import UsageError
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting import trust
from relight_cli.relighting.gain import multiply_light
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.options import ReferenceKind, RelightOptions
from relight_cli.relighting.quotient import encoded, filled_quotient
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import view_of
from relight_cli.relighting.same_view import SameView, light_same_view
from relight_cli.relighting.view_match import ViewMatch, match_view

RELIGHT = ("relight", "photo.png", "--light", "reference.png", "--model", "tiny")


def unit(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) / 255


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(((picture - truth) ** 2).mean()))


def match(photo: np.ndarray, reference: np.ndarray) -> ViewMatch:
    return match_view(unit(photo), unit(reference))


def relit(photo: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return a photo in the light of an aligned reference, without the latents."""
    return multiply_light(unit(photo), SameView.of(unit(photo), unit(reference)).gain())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("factor", [1, 5])
def test_the_same_view_in_other_light_is_aligned(seed: int, factor: int) -> None:
    surfaces = view(seed)
    reference = softened(shot(surfaces, light(seed)), factor)
    assert match(shot(surfaces), reference).kind == ReferenceKind.ALIGNED
    assert match(shot(surfaces), cv2.resize(reference, (400, 300))).kind == ReferenceKind.ALIGNED


@pytest.mark.parametrize("seed", range(3))
def test_a_view_from_elsewhere_is_registered(seed: int) -> None:
    surfaces = view(seed)
    start = np.array([[0, 0], [239, 0], [239, 179], [0, 179]], np.float32)
    end = start + np.random.default_rng(seed).uniform(-8, 8, (4, 2)).astype(np.float32)
    moved = cv2.warpPerspective(shot(surfaces, light(seed)), cv2.getPerspectiveTransform(start, end), (240, 180))
    found = match(shot(surfaces), moved)
    assert found.kind == ReferenceKind.MOVED
    assert found.homography is not None
    inner = np.array([[[60, 45], [180, 45], [180, 135], [60, 135]]], np.float64)
    wanted = cv2.perspectiveTransform(inner, cv2.getPerspectiveTransform(start, end))
    reached = cv2.perspectiveTransform((inner + 0.5) / (240, 180), found.homography) * (240, 180) - 0.5
    np.testing.assert_allclose(reached, wanted, atol=1)


def test_a_crop_of_the_view_is_registered() -> None:
    surfaces = view(4)
    assert match(shot(surfaces), shot(surfaces, light(4))[20:, 60:200]).kind == ReferenceKind.MOVED


def match_of_textured(reference: Callable[[np.ndarray], np.ndarray], of: tuple[slice, ...] = ()) -> np.ndarray | None:
    """Return the homography from a part of a textured view to what `reference` makes of the view in another light."""
    surfaces = view(5, 360, 480)
    return match(shot(surfaces)[of], reference(shot(surfaces, light(5, 360, 480)))).homography


def test_a_photo_and_a_reference_may_show_a_third_of_each_other() -> None:
    part = np.s_[100:220, 160:320]
    smaller, larger = match_of_textured(lambda lit: lit[part]), match_of_textured(lambda lit: lit, of=part)
    assert smaller is not None
    assert larger is not None
    centre = np.array([[[0.5, 0.5]]])
    np.testing.assert_allclose(cv2.perspectiveTransform(centre, larger), [[[1 / 2, 4 / 9]]], atol=0.01)
    np.testing.assert_allclose(cv2.perspectiveTransform(centre, smaller), [[[1 / 2, 2 / 3]]], atol=0.02)


@pytest.mark.parametrize("turns", [0, 1])
def test_a_mirrored_reference_is_registered_as_such(turns: int) -> None:
    found = match_of_textured(lambda lit: np.ascontiguousarray(np.rot90(lit, turns)[:, ::-1]))
    assert found is not None
    assert np.linalg.det(found[:2, :2]) < 0
    wanted = [[1 - 0.25, 0.5]] if turns == 0 else [[0.5, 0.75]]
    np.testing.assert_allclose(cv2.perspectiveTransform(np.array([[[0.25, 0.5]]]), found)[0], wanted, atol=0.01)


@pytest.mark.parametrize("factor", [1, 5])
def test_other_views_are_other_scenes(factor: int) -> None:
    for seed in range(8):
        reference = softened(shot(view(seed + 20), light(seed)), factor)
        assert match(shot(view(seed)), reference).kind == ReferenceKind.SCENE


def test_a_picture_shows_the_same_view_as_itself() -> None:
    for picture in (np.full((9, 9, 3), 90, np.uint8), shot(view(0))):
        assert match(picture, picture).kind == ReferenceKind.ALIGNED


@pytest.mark.parametrize("scale", [1, 4])
def test_an_infinite_sample_does_not_make_a_reference_another_scene(scale: int) -> None:
    photo = np.kron(unit(shot(view(0))), np.ones((scale, scale, 1), np.float32))
    photo[50 * scale, 60 * scale] = np.inf
    light_of = ReferenceLight(Photo(softened(shot(view(0), light(0)), 5)))
    assert view_of(Photo(photo), light_of, RelightOptions()).kind == ReferenceKind.ALIGNED


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (9, 7)])
def test_pictures_without_structure_are_other_scenes(shape: tuple[int, int]) -> None:
    flat = np.full((*shape, 3), 0.5, np.float32)
    assert match_view(flat, unit(shot(view(0)))).kind == ReferenceKind.SCENE
    assert match_view(unit(shot(view(0))), flat).kind == ReferenceKind.SCENE


@pytest.mark.parametrize("moved", [0, 48])
def test_a_grey_reference_changes_the_brightness_and_no_colour(moved: int) -> None:
    photo, lit = unit(shot(view(1))), shot(view(1), light(1))
    grey = np.repeat(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    matrix = np.array([[1, 0, moved / 240], [0, 1, 0], [0, 0, 1.0]]) if moved else None
    reference, red = np.roll(unit(grey), moved, axis=1), np.full((180, 240, 3), (1.0, 0, -1), np.float32)
    lit_photo = light_same_view(photo, reference, matrix, lambda own, healed: healed, beyond=lambda: red)
    out = lit_photo[slice(0, 180)]
    before, after, wanted = (to_linear(np.asarray(x)) for x in (photo, out, unit(grey)))
    seen = np.s_[:, : 240 - moved]
    assert psnr(after[seen].mean(2), wanted[seen].mean(2)) > psnr(before[seen].mean(2), wanted[seen].mean(2)) + 6
    shares = [x / x.sum(axis=2, keepdims=True).clip(1e-3, None) for x in (before, after)]
    assert np.abs(shares[0] - shares[1]).mean() < 0.01


@pytest.mark.parametrize("seed", range(3))
def test_a_soft_reference_lights_the_photo(seed: int) -> None:
    surfaces, wanted = view(seed), shot(view(seed), light(seed))
    reference = softened(wanted, 4)
    out = relit(shot(surfaces), reference)
    assert psnr(out, unit(wanted)) > psnr(unit(shot(surfaces)), unit(wanted)) + 6
    assert psnr(out, unit(wanted)) > psnr(unit(reference), unit(wanted)) + 3  # the photo's detail is there


@pytest.mark.parametrize("seed", range(3))
def test_what_another_photo_shows_is_not_printed(seed: int) -> None:
    surfaces, wanted = view(seed), shot(view(seed), light(seed))
    pasted = wanted.copy()
    pasted[60:110, 80:140] = shot(view(seed + 50))[60:110, 80:140]
    inside = np.s_[66:104, 86:134]
    clean, out = (relit(shot(surfaces), softened(x, 4))[inside] for x in (wanted, pasted))
    own, other = to_linear(unit(shot(surfaces))), to_linear(unit(softened(pasted, 4)))
    printed = own * np.exp2(filled_quotient(own, other, np.ones(own.shape[:2], np.float32)))
    assert psnr(out, clean) > psnr(printed.clip(0, 1)[inside] ** (1 / 2.2), clean) + 2


@pytest.mark.parametrize("seed", range(3))
def test_trust_ends_where_another_photo_is_pasted(seed: int) -> None:
    wanted = shot(view(seed), light(seed))
    wanted[60:110, 80:140] = shot(view(seed + 50))[60:110, 80:140]
    seen = SameView.of(unit(shot(view(seed))), unit(softened(wanted, 4)))
    inside = np.zeros((180, 240), bool)
    inside[66:104, 86:134] = True
    assert seen.trust[inside].mean() < seen.trust[:, :70].mean() - 0.5


@pytest.mark.parametrize("seed", range(3))
def test_the_texture_of_a_sharp_reference_tells_a_shadow_from_another_thing(seed: int) -> None:
    surfaces, lit, inside = view(seed), light(seed), np.zeros((180, 240), bool)
    inside[60:110, 80:140] = True
    shaded, pasted = lit.copy(), shot(surfaces, lit)
    shaded[inside] *= 0.15  # a hard shadow
    pasted[inside] = shot(view(seed + 50))[inside]
    shadow, other = (SameView.of(unit(shot(surfaces)), unit(x)).trust for x in (shot(surfaces, shaded), pasted))
    assert shadow[inside].mean() > 0.7
    assert other[inside].mean() < 0.1
    near = cv2.dilate(inside.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert other[~near].mean() > 0.99


@pytest.mark.parametrize("seed", range(3))
def test_an_even_patch_of_another_colour_leaves_no_tint(seed: int) -> None:
    wanted = shot(view(seed), light(seed))
    pasted = wanted.copy()
    pasted[60:110, 80:140] = (20, 110, 130)
    inside = np.s_[66:104, 86:134]
    clean, out = (relit(shot(view(seed)), softened(x, 4))[inside].mean((0, 1)) for x in (wanted, pasted))
    assert np.abs(out - clean).max() < 0.25 * np.abs(unit(pasted)[inside].mean((0, 1)) - clean).max()


@pytest.mark.parametrize("seed", range(3))
def test_what_only_the_photo_shows_keeps_its_colour(seed: int) -> None:
    """A red thing in front of a dull view, which has no other red, is not lit to look as the view behind it."""
    surfaces = 0.7 * view(seed).mean(axis=2, keepdims=True) + 0.3 * view(seed)
    lit = light(seed).mean(axis=2, keepdims=True)
    photo, red = shot(surfaces), np.s_[66:104, 86:134]
    photo[60:110, 80:140] = shot(np.full((50, 60, 3), (0.6, 0.03, 0.05), np.float32))
    out = to_linear(relit(photo, shot(surfaces, lit)))[red].mean((0, 1))
    assert out[0] > 8 * out[1]


def test_clouds_speak_for_each_other() -> None:
    """Of two things in a sky, the one is believed whose like is elsewhere."""
    sky = np.zeros((48, 48, 3), np.float32)
    reference, another = sky.copy(), np.zeros((48, 48), np.float32)
    cloud, other_cloud, paint = np.s_[10:16, 10:16], np.s_[30:36, 30:36], np.s_[10:16, 30:36]
    reference[cloud] = reference[other_cloud] = 1.5
    reference[paint] = (1.5, 0, -1.5)
    another[cloud] = another[paint] = 1
    same, alike = trust._elsewhere(sky, reference, another, np.ones((48, 48), np.float32))
    assert (same[cloud] > trust.EVIDENCE).all()
    assert (same[paint] < trust.EVIDENCE).all()
    assert (alike > trust.SOURCES).all()


def test_a_dark_photo_becomes_as_bright_as_the_reference() -> None:
    wanted = unit(shot(view(1)))
    dark = np.asarray(encoded(to_linear(wanted) * np.float32(2**-6.5)), np.float32)
    out = multiply_light(dark, SameView.of(dark, wanted).gain())
    assert abs(to_linear(out).mean() / to_linear(wanted).mean() - 1) < 0.1


def test_light_fades_out_next_to_the_overlap() -> None:
    known = np.zeros((180, 240), bool)
    known[:, 120:] = True
    reference = shot(view(2), light(2))
    reference[:, :120] = 0  # not part of the reference
    seen = SameView.of(unit(shot(view(2))), unit(reference), known)
    assert (seen.trust[:, :120] == 0).all()
    gain = np.abs(seen.gain())
    assert gain[:, 130:].mean() > 0.1
    assert gain[:, :20].max() < 0.01


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_any_size_gives_a_finite_gain(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    photo, reference = rng.random((2, height, width, 3), np.float32)
    if seed == 0:
        photo, reference = photo * 0, reference * 0
    gain = SameView.of(photo, reference).gain()
    assert gain.shape == photo.shape
    assert np.isfinite(gain).all()


def save(folder: Path, photo: np.ndarray, reference: np.ndarray) -> None:
    write_photo(Photo(photo), folder / "photo.png", overwrite=True)
    write_photo(Photo(reference), folder / "reference.png", overwrite=True)


def test_a_reference_of_another_scene_is_never_printed_on(command: Command, tmp_path: Path) -> None:
    """The correlation of the gain with the reference's own layout, less that with other references', stays small."""
    photos, references = [view(s) for s in range(3)], [shot(view(s + 30), light(s)) for s in range(3)]
    layouts = [np.log(small(unit(x)).mean(2) + 0.02).ravel() for x in references]

    def leaks(photos: list[np.ndarray], *more: str) -> list[float]:
        found = []
        for photo in photos:
            for number, reference in enumerate(references):
                save(tmp_path, shot(photo), reference)
                done = command(*RELIGHT, *more, "--overwrite")
                assert done.code == 0
                assert more or "another scene" in done.err
                before, after = (small(read_photo(tmp_path / x).to_srgb()) for x in ("photo.png", "photo_relit.png"))
                gain = (np.log(after + 0.02) - np.log(before + 0.02)).mean(2).ravel()
                likeness = [np.corrcoef(gain, layout)[0, 1] for layout in layouts]
                found.append(likeness[number] - np.mean(np.delete(likeness, number)))
        return found

    # By latents the layout is printed; a light that comes from the same side as the reference's correlates a little.
    assert np.mean(leaks(photos)) < 0.25 < 0.4 < np.mean(leaks(photos[:1], "--reference", "latents"))


def small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (48, 36), interpolation=cv2.INTER_AREA)


def test_the_command_says_what_the_reference_shows(command: Command, tmp_path: Path) -> None:
    save(tmp_path, shot(view(1)), shot(view(1), light(1)))
    done = command(*RELIGHT)
    assert done.code == 0
    assert done.err.startswith("photo.png: the reference shows the same view (")
    assert done.err.count("\n") == 1
    assert command(*RELIGHT, "-q", "-o", "quiet.png").err == ""
    assert (tmp_path / "quiet.png").read_bytes() == (tmp_path / "photo_relit.png").read_bytes()


def test_strength_and_mask(command: Command, tmp_path: Path) -> None:
    photo = shot(view(1))
    save(tmp_path, photo, shot(view(1), light(1)))
    mask = np.zeros((180, 240, 1), np.uint8)
    mask[:, 120:] = 255
    write_photo(Photo(mask), tmp_path / "mask.png")
    assert command(*RELIGHT, "--strength", "0", "-o", "none.png").code == 0
    assert (read_photo(tmp_path / "none.png").pixels == photo).all()
    assert command(*RELIGHT, "-o", "all.png").code == 0
    whole = read_photo(tmp_path / "all.png").pixels
    for name, more, kept in (("right", (), np.s_[:, :120]), ("left", ("--invert-mask",), np.s_[:, 120:])):
        assert command(*RELIGHT, "--mask", "mask.png", *more, "-o", f"{name}.png").code == 0
        pixels = read_photo(tmp_path / f"{name}.png").pixels
        assert (pixels[kept] == photo[kept]).all()
        assert ((pixels == photo) | (pixels == whole)).all()
        assert (pixels != photo).any()


@pytest.mark.parametrize(
    "arguments",
    [
        (*RELIGHT, "--reference", "aligned", "--no-detail"),
        (*RELIGHT, "--reference", "somewhere"),
        (*RELIGHT, "--invert-mask"),
        ("relight", "photo.png", "--model", "tiny", "--light", "-", "--mask", "-"),
    ],
)
def test_contradictions_are_usage_errors(command: Command, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    save(tmp_path, shot(view(1)), shot(view(1), light(1)))
    assert command(*arguments).code == 2
    assert not (tmp_path / "photo_relit.png").exists()


@pytest.mark.parametrize("hidden", [False, True])
def test_a_transparent_reference_gets_a_note(command: Command, tmp_path: Path, hidden: bool) -> None:
    save(tmp_path, shot(view(1)), shot(view(1), light(1)))
    alpha = np.full((180, 240), 255, np.uint8)
    alpha[:, :100] = 0 if hidden else 255
    write_photo(Photo(shot(view(1), light(1)), alpha), tmp_path / "reference.png", overwrite=True)
    done = command(*RELIGHT, "--strength", 0)
    assert done.code == 0
    assert ("reference.png: the colours of its transparent pixels count" in done.err) == hidden


def test_samples_that_are_no_numbers_show_no_light(command: Command, tmp_path: Path) -> None:
    reference = unit(shot(view(1), 0.7))
    whole = ReferenceLight(Photo(reference)).copy()
    reference[60:90, 80:130] = np.nan
    filled = ReferenceLight(Photo(reference)).copy()
    assert filled[60:90, 80:130].mean() > 0.5 * whole[60:90, 80:130].mean()
    assert not ReferenceLight(Photo(np.full((4, 6, 3), np.nan, np.float32))).copy().any()
    save(tmp_path, shot(view(1)), shot(view(1)))
    write_photo(Photo(reference, format="TIFF"), tmp_path / "reference.tif")
    done = command("relight", "photo.png", "--light", "reference.tif", "--model", "tiny", "--strength", 0)
    assert (done.code, "reference.tif: samples that are no numbers (NaN)" in done.err) == (0, True)


def test_reference_overrules(command: Command, tmp_path: Path) -> None:
    save(tmp_path, shot(view(1)), shot(view(9), light(1)))
    assert command(*RELIGHT, "--reference", "aligned").code == 0
    assert command(*RELIGHT, "--reference", "latents", "-o", "latents.png").err == ""
    with pytest.raises(UsageError, match="cannot be registered"):
        match_view(unit(shot(view(1))), np.full((9, 9, 3), 0.5, np.float32), ReferenceKind.MOVED)
    with pytest.raises(UsageError, match="detail"):
        RelightOptions(detail=False, reference=ReferenceKind.SCENE)
