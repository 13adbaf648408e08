"""relight by reference photos, through the command line: geometry, batches, records and costs."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Command
from lit_views import light, shot, view

from relight_cli.checkpoints import crocodilight
from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.models import load_model
from relight_cli.photos.photo import Photo
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.relighting.layers import to_linear
from relight_cli.relighting.lights.words import light_from_words
from relight_cli.relighting.options import ReferenceKind, RelightOptions
from relight_cli.relighting.photo_geometry import geometry_of_photo
from relight_cli.relighting.reference import ReferenceLight
from relight_cli.relighting.relight import relight
from relight_cli.relighting.relight_cost import RelightCost

SIDE = 96
SCENE = ("--model", "tiny", "--light", "reference.png", "--reference", "scene")


def ball_depth() -> tuple[np.ndarray, np.ndarray]:
    """The depth of a ball in front of a wall, (SIDE, SIDE), and where the ball is."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j] * 1.4
    inside = x**2 + y**2 < 1
    return np.where(inside, 4 - np.sqrt(np.clip(1 - x**2 - y**2, 0, None)), 6.0).astype(np.float32), inside


@pytest.fixture
def ball(tmp_path: Path) -> Path:
    """A grey ball in even light (photo.png, depth.npz), and the same ball lit from the left (reference.png)."""
    depth, inside = ball_depth()
    np.savez(tmp_path / "depth.npz", depth=depth)
    np.savez(tmp_path / "wall.npz", depth=np.full_like(depth, 6.0))
    grain = np.random.default_rng(3).normal(0, 3, (SIDE, SIDE, 1))
    grey = np.where(inside, 120, 100)[..., None] + grain
    write_photo(Photo(np.repeat(grey, 3, axis=2).round().astype(np.uint8)), tmp_path / "photo.png")
    across = np.clip(np.where(inside, -np.linspace(-1.4, 1.4, SIDE), 0), 0, 1)[..., None] * np.array((1.0, 0.9, 0.7))
    write_photo(Photo(np.rint(255 * (0.1 + 0.6 * across) ** (1 / 2.2)).astype(np.uint8)), tmp_path / "reference.png")
    return tmp_path


@pytest.fixture
def from_the_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the light that is found in a reference be one that is known."""
    found = replace(light_from_words("left,20", exposure=-1), fitted=True)
    monkeypatch.setattr("relight_cli.relighting.reference.light_of_scene", lambda *given: found)


def linear(path: Path) -> np.ndarray:
    return to_linear(np.asarray(read_photo(path).to_srgb(), np.float32))


def flanks(path: Path) -> float:
    """How much lighter the ball's left flank is than its right one."""
    rows = linear(path)[36:60]
    return float(rows[:, 18:32].mean() / rows[:, 64:78].mean())


def test_the_geometry_of_the_photo_is_that_of_its_file(command: Command, ball: Path, from_the_left: None) -> None:
    """The light falls on the ball of a depth map, and not on a depth map of a wall."""
    for name in ("depth", "wall"):
        done = command("relight", "photo.png", *SCENE, "--depth", f"{name}.npz", "-o", f"{name}.png")
        assert done.code == 0, done.err
        assert "another scene (as told)" in done.err
    assert flanks(ball / "depth.png") > 1.1 * flanks(ball / "photo.png")
    assert flanks(ball / "wall.png") == pytest.approx(flanks(ball / "photo.png"), rel=0.03)


@pytest.mark.parametrize("kind", ["16-bit PNG", "TIFF", "EXR", "npz of half size"])
def test_depth_maps_of_every_kind(command: Command, ball: Path, from_the_left: None, kind: str) -> None:
    depth, _ = ball_depth()
    if kind == "16-bit PNG":
        path = ball / "d.png"
        write_photo(Photo(np.rint(65535 * depth.min() / depth).astype(np.uint16)[..., None]), path)
    elif kind == "TIFF":
        path = ball / "d.tif"
        write_photo(Photo(depth[..., None]), path)
    elif kind == "EXR":
        open_exr = pytest.importorskip("OpenEXR")
        path = ball / "d.exr"
        open_exr.File({"type": open_exr.scanlineimage}, {"Z": depth}).write(str(path))
    else:
        path = ball / "d.npz"
        np.savez(path, depth=cv2.resize(depth, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_NEAREST))
    done = command("relight", "photo.png", *SCENE, "--depth", path.name)
    assert done.code == 0, done.err
    assert [name for name in ("larger is nearer", "larger is further away") if name in done.err] == (
        {"16-bit PNG": ["larger is nearer"], "TIFF": ["larger is further away"]}.get(kind, [])
    )
    assert flanks(ball / "photo_relit.png") > 1.05 * flanks(ball / "photo.png")


@pytest.mark.parametrize(
    ("values", "code"),
    [(np.ones((20, 60)), 2), (np.full((SIDE, SIDE), np.nan), 4), (np.ones((SIDE, SIDE, 3)), 2), (None, 4)],
)
def test_depth_maps_that_do_not_fit(command: Command, ball: Path, values: np.ndarray | None, code: int) -> None:
    if values is None:
        (ball / "bad.npz").write_bytes((ball / "depth.npz").read_bytes()[:200])
    else:
        np.savez(ball / "bad.npz", depth=values.astype(np.float32))
    done = command("relight", "photo.png", *SCENE, "--depth", "bad.npz", "-q")
    assert (done.code, len(done.lines)) == (code, 1)
    assert "bad.npz" in done.err
    assert not (ball / "photo_relit.png").exists()


def test_a_depth_map_changes_the_light_of_a_real_fit(command: Command, ball: Path) -> None:
    for name in ("depth", "wall"):
        assert command("relight", "photo.png", *SCENE, "--depth", f"{name}.npz", "-o", f"{name}.png").code == 0
    assert flanks(ball / "depth.png") > 1.01 * flanks(ball / "wall.png")


def test_the_light_of_a_reference_is_saved_and_put_on_again(command: Command, ball: Path, from_the_left: None) -> None:
    depth = ("--depth", "depth.npz")
    done = command("relight", "photo.png", *SCENE, *depth, "--save-light", "look.toml", "--save-shading")
    assert done.code == 0, done.err
    assert "reference.png" in (ball / "look.toml").read_text()
    shading = read_photo(ball / "photo_relit_shading.png").pixels
    assert shading[36:60, 18:32].mean() > 1.1 * shading[36:60, 64:78].mean()
    for more in ((), ("--exposure", "0.5"), ("--keep-exposure", "--exposure", "0.5")):
        saved = ("--model", "tiny", "--light", "look.toml", "--overwrite")
        for name, lit in (("from", (*SCENE, "--overwrite")), ("again", saved)):
            put_on = command("relight", "photo.png", *lit, *depth, *more, "-o", f"{name}.png")
            assert put_on.code == 0, put_on.err
        assert flanks(ball / "again.png") > 1.1 * flanks(ball / "photo.png")
        again, before = (read_photo(ball / f"{name}.png").pixels.astype(int) for name in ("again", "from"))
        np.testing.assert_allclose(again, before, atol=1)
    kept = ("--light", "look.toml", "--exposure", "0.5", "--save-light", "kept.toml", "-o", "kept.png")
    assert command("relight", "photo.png", "--model", "tiny", *depth, *kept).code == 0
    exposures = [tomllib.loads((ball / f"{name}.toml").read_text())["exposure"] for name in ("look", "kept")]
    assert exposures[0] == pytest.approx(exposures[1])  # the brightness of the reference
    (ball / "look.toml").write_text((ball / "look.toml").read_text().replace("fitted = true", "fitted = 1"))
    wrong = command("relight", "photo.png", "--model", "tiny", "--light", "look.toml", "-o", "c.png")
    assert (wrong.code, len(wrong.lines)) == (4, 1)
    assert "look.toml: fitted: give true or false" in wrong.err
    refused = command("relight", "photo.png", *SCENE, *depth, "--save-light", "look.toml", "-o", "b.png")
    assert refused.code == 5
    assert not (ball / "b.png").exists()


def test_the_light_of_a_reference_is_turned_and_exposed(command: Command, ball: Path, from_the_left: None) -> None:
    depth = ("--depth", "depth.npz")
    for name, more in {
        "plain": (),
        "turned": ("--rotate", "180"),
        "up": ("--exposure", "1"),
        "kept": ("--keep-exposure",),
    }.items():
        assert command("relight", "photo.png", *SCENE, *depth, *more, "-o", f"{name}.png").code == 0
    plain, turned, up, kept, own = (ball / f"{name}.png" for name in ("plain", "turned", "up", "kept", "photo"))
    assert flanks(turned) < flanks(plain)
    assert np.log2(linear(up).mean() / linear(plain).mean()) == pytest.approx(1, abs=0.3)
    stops = [abs(np.log2(linear(path).mean() / linear(own).mean())) for path in (kept, plain)]
    assert stops[0] < 0.2 < stops[1]


def save_views(folder: Path) -> None:
    """Three photos in photos/, of which reference.png shows a and b in another light, and c not at all."""
    (folder / "photos").mkdir()
    for name, seed in (("a", 1), ("b", 1), ("c", 9)):
        write_photo(Photo(shot(view(seed))), folder / "photos" / f"{name}.png")
    write_photo(Photo(shot(view(1), light(1))), folder / "reference.png")


def test_a_batch_says_each_answer_once(command: Command, tmp_path: Path) -> None:
    save_views(tmp_path)
    batch = ("relight", "photos", "--model", "tiny", "--light", "reference.png", "--depth", "photos/a.png")
    np.savez(tmp_path / "depth.npz", depth=np.ones((180, 240), np.float32))
    done = command(*batch[:-1], "depth.npz", "-o", "out/", "--save-light", "look.toml")
    assert done.code == 0, done.err
    same, other = (next(line for line in done.lines if text in line) for text in ("the same view (", "another scene ("))
    assert same.startswith(("photos/a.png", "photos/b.png"))
    unused = "The light in look.toml is the one fitted to the reference; this photo gets it not at all."
    assert same.endswith(f"--depth has no effect on it. {unused}")
    assert other.startswith("photos/c.png")
    assert "no effect" not in other
    assert "look.toml" not in other
    assert "reference.png shows the same view as 2 photos; another scene than photos/c.png." in done.lines
    assert len(done.lines) == 4  # and the summary of the batch


@pytest.mark.parametrize("photos", [("c",), ("c", "a")])
def test_an_error_names_the_photo_and_its_reference(command: Command, tmp_path: Path, photos: tuple[str, ...]) -> None:
    save_views(tmp_path)
    write_photo(Photo(np.full((9, 9, 1), 255, np.uint8)), tmp_path / "mask.png")
    names = [f"photos/{name}.png" for name in photos]
    run = ("relight", *names, "--model", "tiny", "--light", "reference.png", "--reference", "moved", "-q")
    done, masked = command(*run, "-o", "out/"), command(*run, "-o", "masked/", "--mask", "mask.png")
    assert done.code == masked.code == (2 if len(photos) == 1 else 23)
    assert "photos/c.png: reference.png cannot be registered to the photo: give a reference" in done.err
    assert "photos/c.png: mask.png is 9 x 9 pixels" in masked.err


def test_a_new_network_makes_outputs_again(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_views(tmp_path)
    run = ("relight", "photos/a.png", "--model", "tiny", "--light", "reference.png", "--report", "r.jsonl", "-q")
    assert command(*run).code == 0

    def statuses(*more: str) -> list[str]:
        assert command(*run, *more, "--skip-existing").code == 0
        return [json.loads(line)["status"] for line in (tmp_path / "r.jsonl").read_text().splitlines()][-1:]

    assert statuses() == ["skipped"]
    for module, name in (("same_view", "same_view_sha256"), ("surfaces", "geometry_sha256")):
        monkeypatch.setattr(f"relight_cli.checkpoints.{module}.{name}", lambda: "another")
        assert statuses() == ["done"]
        assert statuses() == ["skipped"]
    assert statuses("--reference", "latents") == ["done"]
    monkeypatch.setattr("relight_cli.checkpoints.same_view.same_view_sha256", lambda: "a third")
    assert statuses("--reference", "latents") == ["skipped"]


def test_mappers_are_loaded_where_another_scene_needs_them(
    command: Command, tmp_path: Path, small_standin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_views(tmp_path)
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "CroCoDiLight.pth").symlink_to(small_standin / "CroCoDiLight.pth")
    run = ("relight", "--light", "reference.png", "--device", "cpu", "--dtype", "float32", "-o", "out/", "--overwrite")
    some, whole = ("--weights-dir", "some"), ("--weights-dir", small_standin)
    same, other = "photos/a.png", "photos/c.png"
    done = command(*run, other, *some, "--model", "crocodilight")
    assert done.code == 6
    assert "shadow_mapper" in done.lines[-1]
    done = command(*run, other, *some)  # auto
    assert done.code == 0, done.err
    assert sum("is found with the embedded model tiny" in line for line in done.lines) == 1
    loaded: list[str] = []
    load = crocodilight.load_mappers
    monkeypatch.setattr(
        crocodilight,
        "load_mappers",
        lambda network, mappers, **to: loaded.extend(mappers) or load(network, mappers, **to),
    )
    for photo, weights, wanted in ((same, some, []), (other, whole, ["shadow", "albedo"])):
        done = command(*run, photo, *weights, "--model", "crocodilight")
        assert done.code == 0, done.err
        assert loaded == wanted


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 9), (11, 11), (3, 300), (300, 2)])
def test_the_same_view_in_any_size(command: Command, tmp_path: Path, shape: tuple[int, int]) -> None:
    write_photo(Photo(np.full((*shape, 3), 90, np.uint8)), tmp_path / "photo.png")
    write_photo(Photo(np.full((*shape, 3), 120, np.uint8)), tmp_path / "reference.png")
    run = ("relight", "photo.png", "--model", "tiny", "--light", "reference.png", "--overwrite")
    for more in ((), ("--reference", "aligned")):
        done = command(*run, *more)
        assert done.code == 0, done.err
        assert np.isfinite(linear(tmp_path / "photo_relit.png")).all()
    assert linear(tmp_path / "photo_relit.png").mean() > linear(tmp_path / "photo.png").mean()


@pytest.mark.parametrize(("seed", "kind"), [(1, "aligned"), (9, "scene")])
def test_the_tiles_of_a_photo_are_counted_as_they_pass(seed: int, kind: str) -> None:
    model = load_model("tiny")
    photo = Photo(cv2.resize(shot(view(seed)), (1600, 1200)))
    reference = Photo(shot(view(1), light(1)))
    geometry = load_geometry()
    for max_side in (None, 300):
        options = RelightOptions(max_side=max_side)
        counted = RelightCost(ReferenceLight(reference)).tiles(model, photo, max_side)
        passed: list[tuple[int, int]] = []
        given = ReferenceLight(reference)
        relight(
            model,
            photo,
            given,
            options,
            lambda done, total, passed=passed: passed.append((done, total)),
            notify=lambda found: found.kind == kind or pytest.fail(str(found)),
            geometry=lambda picture: geometry_of_photo(picture, geometry),
        )
        assert passed[-1] == (counted, counted)


def test_what_lies_outside_a_moved_reference_is_lit_by_the_fitted_light() -> None:
    """A reference shows the right half of a view: the left half takes the fitted light; without it light fades out."""
    surfaces = view(4, 240, 320)
    photo, reference = Photo(shot(surfaces)), Photo(shot(surfaces, 0.35)[:, 150:])
    model, network = load_model("tiny"), load_geometry()
    kinds: list[ReferenceKind] = []
    lit = [
        relight(model, photo, reference, geometry=geometry, notify=lambda found: kinds.append(found.kind))
        for geometry in (None, lambda picture: geometry_of_photo(picture, network))
    ]
    assert set(kinds) == {ReferenceKind.MOVED}
    own, (faded, continued) = photo.srgb, (to_linear(np.asarray(one.photo.srgb[0:240])) for one in lit)
    before = to_linear(np.asarray(own[0:240]))
    stops = [np.log2(one.mean(axis=2) / before.mean(axis=2)) for one in (faded, continued)]
    for one in stops:
        assert np.median(one[:, 180:]) == pytest.approx(np.log2(0.35), abs=0.4)
    assert abs(np.median(stops[0][:, :60])) < 0.1
    assert np.median(stops[1][:, :60]) < -0.5


@pytest.mark.parametrize(("content", "reason"), [(None, "no such file"), (b"no picture", "not a picture")])
def test_a_reference_that_cannot_be_opened_is_named_before_a_model_is_looked_for(
    command: Command, scene: Path, content: bytes | None, reason: str
) -> None:
    if content:
        (scene / "gone.jpg").write_bytes(content)
    missing = ("--model", "crocodilight", "--offline")
    for arguments in (
        ("relight", "photo.png", "--light", "gone.jpg", "-o", "q.png"),
        ("interpolate-timelapse", "photo.png", "reference.png", "--between", "1", "--freeze", "gone.jpg", "-o", "q"),
    ):
        done = command(*arguments, *missing)
        assert (done.code, len(done.lines)) == (4, 1)
        assert f"gone.jpg: {reason}" in done.err
    done = command("relight", "photo.png", "--light", "reference.png", "-o", "q.png", *missing)
    assert done.code == 6
