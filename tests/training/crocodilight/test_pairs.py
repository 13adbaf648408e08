"""Folders of pictures in every layout, crops of them, and the check before a training."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import Command
from lit_views import light, shot, view
from PIL import Image
from small_training import write_all_pairs, write_config, write_pictures

from relight_cli.errors import PhotoUnreadableError
from relight_cli.models.colour import linear_to_srgb
from relight_cli.training.crocodilight.config import CropsConfig
from relight_cli.training.crocodilight.layouts import Scene, read_scenes
from relight_cli.training.crocodilight.reading import SCHEDULES
from relight_cli.training.crocodilight.samples import Drawing, Pictures, prefetched, samples_of

GREY = np.full((8, 10, 3), 90, np.uint8)

# Files, and what is read from them: the layout, and for each scene its lights, shadow-free and albedo pictures.
LAYOUTS = {
    "lights": (
        ["a/light_0.jpg", "a/light_1.jpg", "b/x.png", "b/y.png", "b/z.png", "c/alone.png", "a/light_mask.png"],
        {"a": (["light_0", "light_1"], [], None), "b": (["x", "y", "z"], [], None)},
    ),
    "mit": (
        ["room/dir_0_mip2.jpg", "room/dir_1_mip2.jpg", "room/thumb.jpg", "room/probes/dir_0_gray256.jpg"],
        {"room": (["dir_0_mip2", "dir_1_mip2"], [], None)},
    ),
    "bigtime": (
        ["0001/data/0.jpg", "0001/data/1.jpg", "0001/data/0_mask.png", "0002/data/5.jpg", "0002/data/6.jpg"],
        {"0001": (["0", "1"], [], None), "0002": (["5", "6"], [], None)},
    ),
    "istd": (
        ["train/train_A/1-1.png", "train/train_B/1-1.png", "train/train_C/1-1.png"],
        {"train/train_A/1-1": (["1-1", "1-1"], ["1-1"], None)},
    ),
    "srd": (
        ["Train/shadow/IMG_1.jpg", "Train/shadow/IMG_2.jpg", "Train/shadow_free/IMG_1_no_shadow.jpg"],
        {"Train/shadow/IMG_1": (["IMG_1", "IMG_1_no_shadow"], ["IMG_1_no_shadow"], None)},
    ),
    "wsrd": (
        ["train/input/0001.png", "train/target/0001.png"],
        {"train/input/0001": (["0001", "0001"], ["0001"], None)},
    ),
    "albedo": (
        ["s/1_image.png", "s/1_albedo.png", "s/2_mlt.png", "s/2_mlt_albedo.png", "s/3_image.png"],
        {"s/1": (["1_image"], [], "1_albedo"), "s/2": (["2_mlt"], [], "2_mlt_albedo")},
    ),
    "albedo folders": (
        ["clean/alley_1.png", "albedo/alley_1.png", "shading/alley_1.png"],
        {"clean/alley_1": (["alley_1"], [], "alley_1")},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_found_and_read(layout: str, tmp_path: Path) -> None:
    files, expected = LAYOUTS[layout]
    write_pictures(tmp_path / "set", dict.fromkeys(files, GREY))
    name, scenes = read_scenes(tmp_path / "set")
    assert name == {"istd": "triplets", "srd": "triplets", "wsrd": "triplets"}.get(layout, layout.split()[0])

    def stems(scene: Scene) -> tuple[list[str], list[str], str | None]:
        lit, free = ([one.path.stem for one in some] for some in (scene.lights, scene.free))
        return lit, free, scene.albedo.path.stem if scene.albedo else None

    assert {scene.name: stems(scene) for scene in scenes} == expected


def test_rendered_views_are_pictures_of_light_times_albedo(tmp_path: Path) -> None:
    layers = np.random.default_rng(0).uniform(0.05, 0.9, (2, 5, 3, 16, 16)).astype(np.float16)
    np.save(tmp_path / "views_00000000.npy", layers)
    name, scenes = read_scenes(tmp_path)
    assert (name, len(scenes), len(scenes[0].lights), len(scenes[0].free)) == ("views", 2, 2, 2)
    read, plain = Pictures(10), layers.astype(np.float32)
    linear = {
        scenes[1].lights[1]: plain[1, 0] * plain[1, 2],
        scenes[1].free[1]: plain[1, 0] * plain[1, 4],
        scenes[1].albedo: plain[1, 0],
    }
    for source, light_of_it in linear.items():
        assert source
        expected = linear_to_srgb(torch.from_numpy(light_of_it)).numpy().transpose(1, 2, 0)
        assert np.abs(read.read(source) / 255 - expected).max() <= 0.5 / 255 + 1e-4
    shadow = samples_of("shadow", scenes)
    assert [sample.others for sample in shadow] == [(free,) for scene in scenes for free in scene.free]


def test_samples_of_stages(tmp_path: Path) -> None:
    write_all_pairs(tmp_path, 2)
    scenes = {name: read_scenes(tmp_path / name)[1] for name in ("pairs", "triplets", "albedo")}
    counts = {(stage, name): len(samples_of(stage, some)) for stage in SCHEDULES for name, some in scenes.items()}
    assert counts["light", "pairs"] == counts["croco", "pairs"] == counts["decoder", "pairs"] == 6
    assert counts["shadow", "triplets"] == 4
    assert counts["albedo", "albedo"] == 2
    assert counts["decoder", "albedo"] == 4
    assert counts["shadow", "pairs"] == counts["albedo", "pairs"] == counts["light", "albedo"] == 0


def coordinates(folder: Path) -> list[Scene]:
    """Write two pictures of one view in which each pixel says where it is: red the column, green the row."""
    y, x = np.mgrid[0:90, 0:120].astype(np.uint8)
    for name, blue in (("a", 10), ("b", 200)):
        write_pictures(folder, {f"scene/{name}.png": np.dstack((x, y, np.full_like(x, blue)))})
    return read_scenes(folder)[1]


def drawing(scenes: list[Scene], stage: str = "light", size: int = 32, **crops: float) -> Drawing:
    return Drawing(stage, samples_of(stage, scenes), CropsConfig(**crops), size, 7, Pictures(10))  # type: ignore[arg-type]


def test_crops_of_a_pair_are_of_the_same_place(tmp_path: Path) -> None:
    plain = drawing(coordinates(tmp_path), grey=0)
    places = set()
    for number in range(40):
        (a, b), _ = plain.sample(number)
        a, b = (np.rint(one * 255).astype(int) for one in (a, b))
        assert np.array_equal(a[..., :2], b[..., :2])
        assert {a[0, 0, 2], b[0, 0, 2]} == {10, 200}
        assert abs(a[0, 0, 0] - a[0, -1, 0]) == 31  # full size, perhaps mirrored
        assert a[-1, 0, 1] - a[0, 0, 1] == 31
        places.add((a[0, 0, 0] < a[0, -1, 0], a[0, 0, 1]))
    assert {mirrored for mirrored, _ in places} == {True, False}
    assert len(places) > 25


def test_small_pictures_are_enlarged_and_large_crops_reduced(tmp_path: Path) -> None:
    scenes = coordinates(tmp_path)
    (a, _), _ = drawing(scenes, size=128, grey=0, mirror=False).sample(0)
    assert a.shape == (128, 128, 3)
    assert a[-1, 0, 1] - a[0, 0, 1] == pytest.approx(89 / 255, abs=2e-3)  # all rows
    spans = [np.ptp(drawing(scenes, grey=0, zoom_out=2.5).sample(n)[0][0][..., 1]) * 255 for n in range(30)]
    assert min(spans) < 40
    assert max(spans) > 60


def test_a_share_of_the_samples_is_grey(tmp_path: Path) -> None:
    half = drawing(coordinates(tmp_path), grey=0.5)
    grey = [np.ptp(np.stack(half.sample(number)[0]), axis=-1).max() < 1e-6 for number in range(60)]
    assert 15 < sum(grey) < 45


def test_the_second_view_of_completion_is_another_one(tmp_path: Path) -> None:
    scenes = coordinates(tmp_path)
    shifts = []
    for number in range(20):
        (a, b), _ = drawing(scenes, "croco", grey=0, mirror=False, shift=0.25).sample(number)
        shifts.append((b.mean((0, 1)) - a.mean((0, 1)))[:2] * 255)
    assert np.abs(shifts).max() <= 0.25 * 32 + 8
    assert np.abs(shifts).max() > 3


def test_samples_depend_on_their_number_alone_and_an_epoch_shows_each_once(tmp_path: Path) -> None:
    write_all_pairs(tmp_path, 3)
    scenes = read_scenes(tmp_path / "pairs")[1]
    first, second = drawing(scenes), drawing(scenes)
    later = first.batch(range(5, 7))
    assert torch.equal(second.batch(range(4, 8)).pictures[1:3], later.pictures)
    batches = prefetched(second, 1, 4, slice(1, 3), 2)  # of step 1 the samples 5 and 6
    assert torch.equal(next(batches).pictures, later.pictures)
    batches.close()
    for epoch in (0, 1):
        shown = [drawing(scenes, mirror=False).sample(n)[1] for n in range(9 * epoch, 9 * epoch + 9)]
        assert len(set(shown)) == 9


def test_check_tells_scenes_sizes_and_what_is_misaligned(tmp_path: Path, command: Command) -> None:
    surfaces = view(1, 200, 260)
    lit = [shot(surfaces, light(k, 200, 260)) for k in range(3)]
    files = {f"good/{k}.png": one[:180, :240] for k, one in enumerate(lit)}
    files |= {"moved/0.png": lit[0][:180, :240], "moved/1.png": lit[1][12:192, 9:249]}
    files |= {"sizes/0.png": lit[0], "sizes/1.png": lit[1][:150]}
    files |= {"flat/0.png": GREY, "flat/1.png": GREY, "alone/0.png": GREY, "good/mask.png": GREY}
    write_pictures(tmp_path / "set", files)
    (tmp_path / "set" / "good" / "3.png").write_bytes(b"no picture")
    done = command("train", "check", "set", "--json")
    assert done.code == 23
    (report,) = json.loads(done.out)
    assert (report["layout"], report["scenes"], report["pictures"]) == ("lights", 4, 10)
    assert {"width": 240, "height": 180, "pictures": 5} in report["sizes"]
    assert len(report["unreadable"]) == 1
    assert "good/3.png" in report["unreadable"][0]
    assert len(report["different_sizes"]) == 1
    assert "sizes" in report["different_sizes"][0]
    (moved,) = report["misaligned"]
    assert "moved" in moved["pair"]
    assert moved["pixels"] == pytest.approx(15, abs=1)  # 12 down and 9 to the right
    assert report["registered"] == 3
    assert report["not_registered"] == 1
    assert report["median_error"] < 1
    assert [Path(path).parent.name for path in report["left_out"]] == ["alone", "good"]
    text = command("train", "check", "set", "--layout", "lights").out.decode()
    assert "2 pictures are in no scene, for instance" in text
    assert "misaligned by 15" in text or "misaligned by 14" in text


def test_check_of_good_pairs_and_of_a_configuration(tmp_path: Path, command: Command) -> None:
    write_all_pairs(tmp_path, 2)
    config = write_config(tmp_path, "shadow")
    done = command("train", "check", config, "pairs")
    assert done.code == 0, done.out
    lines = done.out.decode().splitlines()
    assert lines[0].endswith("triplets: layout triplets, 2 scenes, 4 pictures")
    assert "pairs: layout lights, 2 scenes, 6 pictures" in lines


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["nowhere"], 4, "no such folder"),
        (["empty"], 4, "holds no scene"),
        (["pairs", "--layout", "mit"], 4, "the layout mit"),
        (["pairs", "--layout", "imagenet"], 2, "choose auto"),
        (["nothing.toml"], 2, "cannot be read"),
    ],
)
def test_folders_that_are_none(words: list[str], code: int, text: str, tmp_path: Path, command: Command) -> None:
    write_pictures(tmp_path, {"pairs/scene/0.png": GREY, "pairs/scene/1.png": GREY})
    (tmp_path / "empty").mkdir()
    done = command("train", "check", *words)
    assert (done.code, len(done.lines)) == (code, 1)
    assert text in done.lines[0]


def test_pairs_of_different_sizes_stop_a_training_by_name(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"s/0.png": GREY, "s/1.png": GREY[:6]})
    with pytest.raises(PhotoUnreadableError, match=r"0\.png and .*1\.png have different sizes|1\.png and .*0\.png"):
        drawing(read_scenes(tmp_path)[1]).sample(0)


def test_a_folder_without_what_a_stage_needs(tmp_path: Path, command: Command) -> None:
    write_all_pairs(tmp_path, 1)
    config = write_config(tmp_path, "shadow")
    config.write_text(config.read_text().replace('"triplets"', '"pairs"'))
    done = command("train", "shadow", config, "--dry-run")
    assert done.code == 4
    assert "with and without cast shadows" in done.lines[-1]


def test_alpha_and_grey_pictures_are_colours(tmp_path: Path) -> None:
    for name, mode in (("0", "L"), ("1", "RGBA"), ("2", "I;16")):
        path = tmp_path / "s" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(GREY).convert("L" if mode == "I;16" else mode).save(path)
    (a, b), _ = drawing(read_scenes(tmp_path)[1], size=32).sample(0)
    assert a.shape == b.shape == (32, 32, 3)
