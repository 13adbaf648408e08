"""References with bars or a frame around them, which are no light."""

import cv2
import numpy as np
import pytest
from lit_views import shot, view
from mean_light import MeanLight, model_of

import relight_cli as rl
from relight_cli.models.interface import Model
from relight_cli.photos.photo import Photo
from relight_cli.relighting.geometry import Geometry
from relight_cli.relighting.lit_subject import GeometryOf, Map
from relight_cli.relighting.options import ReferenceKind, RelightOptions
from relight_cli.relighting.picture_frame import Content, content_of
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import relight, view_of
from relight_cli.relighting.view_match import match_view

HEIGHT, WIDTH, BAR = 240, 320, 36


def framed(picture: np.ndarray, colour: int, *bars: int) -> np.ndarray:
    return cv2.copyMakeBorder(picture, *bars, cv2.BORDER_CONSTANT, value=(colour,) * 3)


def unit(picture: np.ndarray) -> np.ndarray:
    return picture.astype(np.float32) / 255


def lit_views() -> tuple[np.ndarray, np.ndarray]:
    """Return a photo and the same view in half of the light."""
    surfaces = view(5, HEIGHT, WIDTH)
    return shot(surfaces), shot(surfaces, 0.5)


@pytest.mark.parametrize("colour", [0, 128, 255])
@pytest.mark.parametrize("bars", [(40, 40, 0, 0), (0, 0, 30, 60), (10, 50, 20, 20), (5, 5, 400, 400)])
def test_the_picture_inside_a_frame_is_found(colour: int, bars: tuple[int, int, int, int]) -> None:
    picture = framed(lit_views()[0], colour, *bars)
    coded = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    found = content_of(unit(coded))
    wanted = (bars[0] / height, 1 - bars[1] / height, bars[2] / width, 1 - bars[3] / width)
    np.testing.assert_allclose((found.top, found.bottom, found.left, found.right), wanted, atol=0.02)
    assert found.of(picture).shape[:2] == (
        round(found.bottom * height) - round(found.top * height),
        round(found.right * width) - round(found.left * width),
    )


def test_even_parts_of_a_photo_are_no_frame() -> None:
    picture = np.full((200, 300, 3), 255, np.uint8)  # a thing on white
    cv2.ellipse(picture, (150, 100), (80, 60), 0, 0, 360, (60, 90, 20), -1)
    sky = lit_views()[0]
    sky[:90] = 255
    for one in (picture, sky, np.zeros((40, 30, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)):
        assert content_of(unit(one)) == Content()


def test_photos_of_any_size_have_a_part_inside_a_frame() -> None:
    part = Content(0.26, 0.74, 0.45, 0.55)
    for height, width in ((1, 1), (2, 3), (3, 2), (7, 9)):
        assert 0 not in part.of(np.zeros((height, width, 3))).shape
    found = match_view(np.zeros((2, 3, 3), np.float32), unit(framed(lit_views()[0], 0, 50, 50, 0, 0)))
    assert found.kind == ReferenceKind.SCENE


@pytest.fixture(scope="module")
def tiny() -> Model:
    return rl.load_model("tiny", device="cpu", tasks=("relight", "deshadow", "albedo"))


@pytest.mark.parametrize(("colour", "kind"), [(0, ReferenceKind.AUTO), (255, ReferenceKind.ALIGNED)])
def test_bars_over_the_same_view_are_not_printed_on(colour: int, kind: ReferenceKind) -> None:
    surfaces = view(5)
    photo, reference = shot(surfaces), shot(surfaces, 0.5)
    reference[:BAR] = reference[-BAR:] = colour
    seen: list[Photo] = []

    def geometry(photo: Photo) -> GeometryOf:
        """Return the surfaces that the light of what bars hide is fitted on."""
        seen.append(photo)
        return facing

    model, options = model_of(MeanLight()), RelightOptions(reference=kind)
    lit = relight(model, Photo(photo), Photo(reference), options, geometry=geometry).photo.to_array()
    assert bool(seen) == (kind == ReferenceKind.AUTO)
    behind = np.r_[0:BAR, len(lit) - BAR : len(lit)]
    assert np.median(lit[behind]) == pytest.approx(np.median(shot(surfaces, 0.7)[behind]), abs=25)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("seed", [1, 3])
def test_bars_over_the_view_are_distinguished_from_a_frame_around_it(soft: bool, seed: int) -> None:
    """A soft reference has no features: its edges agree, in pictures that are stretched by a half, too."""
    photo, reference = shot(view(seed, HEIGHT, WIDTH)), shot(view(seed, HEIGHT, WIDTH), 0.6)
    reference = cv2.GaussianBlur(reference, (0, 0), 6) if soft else reference
    around = framed(reference, 0, 40, 40, 40, 40)
    reference[:40] = reference[-40:] = 0
    over, whole = (match_view(unit(photo), unit(one)) for one in (reference, around))
    assert (over.kind, over.homography, over.is_partial) == (ReferenceKind.ALIGNED, None, True)
    assert whole.homography is not None
    assert not whole.bars
    np.testing.assert_allclose(whole.homography[:2], [[0.8, 0, 0.1], [0, 0.75, 0.125]], atol=0.02)
    told = match_view(unit(photo), unit(reference), ReferenceKind.MOVED)
    assert told.homography is not None
    np.testing.assert_allclose(told.homography, np.eye(3), atol=0.05)


def test_a_frame_around_the_same_view_leaves_it_in_place() -> None:
    photo, reference = lit_views()
    seen = view_of(Photo(photo), ReferenceLight(Photo(framed(reference, 255, 20, 60, 90, 90))), RelightOptions())
    assert seen.homography is not None
    corners = np.array([[[0, 0], [1, 1]]], np.float64)
    wanted = [[90 / 500, 20 / 320], [410 / 500, 260 / 320]]
    np.testing.assert_allclose(cv2.perspectiveTransform(corners, seen.homography)[0], wanted, atol=0.005)
    both = framed(photo, 0, 40, 40, 0, 0)
    seen = view_of(Photo(both), ReferenceLight(Photo(framed(reference, 0, 40, 40, 0, 0))), RelightOptions())
    assert seen.kind == ReferenceKind.ALIGNED
    assert seen.content.is_whole


def test_the_light_of_another_scene_is_that_inside_the_frame(tiny: Model) -> None:
    picture = shot(view(5, 72, 96))

    def wall(photo: Photo) -> GeometryOf:
        return facing

    found = [ReferenceLight(Photo(x)).scene_light(tiny, wall) for x in (picture, framed(picture, 255, 20, 20, 20, 20))]
    assert found[1].exposure == pytest.approx(found[0].exposure, abs=0.1)


def facing(copy: Map) -> Geometry:
    """Return the geometry of a wall that faces the camera."""
    height, width = copy.shape[:2]
    normals = np.broadcast_to(np.array((0, 0, 1), np.float32), copy.shape)
    return Geometry(np.full((height, width), 10, np.float32), normals, np.zeros((height, width), np.float32), 100.0)
