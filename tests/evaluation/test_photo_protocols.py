"""Every protocol of photos on a tiny data set in its layout, with scores computed by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from made_sets import constant_exr, encode, grey, grey_16, judgements, lightness, linear, scores
from PIL import Image

BY_TEN = -20 * math.log10(10 / 255)  # dB of an error of ten steps of 8 bits
HALF = 10 * math.log10(2)  # dB more if only a half is wrong


def judged(command: Command, task: str, dataset: Path, *more: object) -> bytes:
    """Return the JSON of an evaluation that loads no network, with the results in the folder `theirs`."""
    done = command("evaluate", task, dataset, "--results", "theirs", "--json", "--resamples", 0, *more)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize(
    ("protocol", "shadowed", "truth", "mask"),
    [
        ("istd+", "test/test_A/1-1.png", "test/test_C/1-1.png", "test/test_B/1-1.png"),
        ("srd", "shadow/a.png", "shadow_free/a_free.png", "mask/a.png"),
        ("uiuc", "test/original/a.png", "test/noshadow/a.png", "test/mask/a.png"),
    ],
)
def test_shadows_at_256_and_at_full_size(
    command: Command, tmp_path: Path, protocol: str, shadowed: str, truth: str, mask: str
) -> None:
    grey(tmp_path / "set" / shadowed, 40, 128)
    grey(tmp_path / "set" / truth, 128)
    grey(tmp_path / "set" / mask, 255, 0)
    grey(tmp_path / "theirs" / Path(shadowed).name, 118, 128)
    out = judged(command, "shadow", tmp_path / "set")
    assert f'"protocol": "{protocol}"'.encode() in out
    found = scores(out, "theirs", "full size")
    apart = lightness(128) - lightness(118)
    assert found["PSNR"] == pytest.approx(BY_TEN + HALF, abs=0.01)
    assert found["PSNR S"] == pytest.approx(BY_TEN + HALF, abs=0.01)  # of pictures that are black outside
    assert found["PSNR NS"] == 100
    assert [found["LAB S"], found["LAB"], found["LAB NS"]] == pytest.approx([apart, apart / 2, 0], abs=0.02)
    assert found["SSIM NS"] == 1 > found["SSIM S"]
    small = scores(out, "theirs", "256 x 256")
    assert small["PSNR"] == pytest.approx(BY_TEN + HALF, abs=0.1)  # the edge is interpolated
    assert small["LAB S"] == pytest.approx(apart, abs=0.1)
    if protocol != "uiuc":
        assert scores(out, "CroCoDiLight", "full size")["SSIM"] == {"istd+": 0.929, "srd": 0.931}[protocol]


def test_shadows_without_masks_and_results_of_256(command: Command, tmp_path: Path) -> None:
    grey(tmp_path / "set" / "shadow" / "a.png", 77, 204)
    grey(tmp_path / "set" / "shadow_free" / "a_no_shadow.png", 204)
    grey(tmp_path / "theirs" / "a_shadow_free.png", 204, size=(256, 256))
    out = judged(command, "shadow", tmp_path / "set")
    found = scores(out, "untouched", "full size")
    assert found["LAB S"] == pytest.approx(lightness(204) - lightness(77), abs=0.02)
    assert found["LAB NS"] == pytest.approx(0, abs=1e-6)
    assert scores(out, "theirs", "256 x 256")["PSNR"] == 100
    with pytest.raises(StopIteration):
        scores(out, "theirs", "full size")


def test_wsrd(command: Command, tmp_path: Path) -> None:
    grey(tmp_path / "set" / "val" / "input" / "0001.png", 40)
    grey(tmp_path / "set" / "val" / "gt" / "0001.png", 128)
    grey(tmp_path / "theirs" / "val" / "input" / "0001.png", 118)  # in folders as in the data set
    found = scores(judged(command, "shadow", tmp_path / "set"), "theirs")
    assert found["PSNR"] == pytest.approx(BY_TEN, abs=0.01)
    assert found["LAB"] == pytest.approx(lightness(128) - lightness(118), abs=0.02)


def test_the_multi_shot_set(command: Command, tmp_path: Path) -> None:
    grey(tmp_path / "set" / "h2_free.png", 200)
    grey(tmp_path / "set" / "h2_1.png", 100)  # all in shadow
    grey(tmp_path / "set" / "h2_2.png", 200)  # no shadow
    grey(tmp_path / "theirs" / "h2_1_deshadowed.png", 190)
    grey(tmp_path / "theirs" / "h2_2_deshadowed.png", 200)
    out = judged(command, "shadow", tmp_path / "set")
    found = scores(out, "theirs")
    assert found["PSNR"] == pytest.approx((BY_TEN + 100) / 2, abs=0.01)
    assert [found["PSNR in shadow"], found["PSNR outside"]] == pytest.approx([BY_TEN, 100], abs=0.01)
    assert found["LAB in shadow"] == pytest.approx(lightness(200) - lightness(190), abs=0.02)
    pairs = command("evaluate", "relight", tmp_path / "set", "--results", "theirs", "--json")
    assert scores(pairs.out, "untouched")["PSNR"] == pytest.approx(-20 * math.log10(100 / 255), abs=0.01)


def test_wildrelight(command: Command, tmp_path: Path) -> None:
    """Each photo is exposed for the truth: .4 against .8, and 1.6, clipped, against .8."""
    for name, light in (("08", 0.2), ("09", 0.4)):
        constant_exr(tmp_path / "set" / "small" / "park" / "photo" / f"{name}.exr", light)
        grey(tmp_path / "theirs" / "small" / "park" / "photo" / f"{name}.png", round(255 * encode(0.8)), size=(16, 16))
    out = judged(command, "relight", tmp_path / "set")
    dark, bright = (round(255 * encode(light)) / 255 for light in (0.4, 1.0))
    expected = [-20 * math.log10(abs(shown - encode(0.8))) for shown in (dark, bright)]
    assert scores(out, "untouched")["PSNR"] == pytest.approx(np.mean(expected), abs=0.01)
    assert scores(out, "theirs")["PSNR"] > 50


def test_whdr(command: Command, tmp_path: Path) -> None:
    """The left point is darker by a factor of 1.07 and of 1.4; with .5 added 1.4 becomes less than 1.1."""
    data = tmp_path / "set" / "iiw-dataset" / "data"
    for number in range(1, 7):
        grey(data / f"{number}.png", 100)
        judgements(
            data / f"{number}.json",
            [
                (1, 2, "E", 1.0),
                (1, 2, "1", 2.0),
                (2, 1, "2", 0.5),
                (2, 1, "1", 0.5),
                (3, 2, "2", 9.0),
                (1, 2, "1", 0.0),
            ],
        )
        right = 103 if number == 1 else 118
        assert (linear(right) / linear(100) > 1.1) == (number > 1)
        grey(tmp_path / "theirs" / f"{number}_albedo.png", 100, right, (20, 10))
    out = judged(command, "albedo", tmp_path / "set")
    same, darker = 3 / 4, 1.5 / 4  # of the weights: all but E are wrong; E and the last one are
    assert scores(out, "theirs")["WHDR"] == pytest.approx((same + 5 * darker) / 6)
    assert scores(out, "theirs")["WHDR +0.5"] == pytest.approx(same)
    test = judged(command, "albedo", tmp_path / "set", "--protocol", "IIW-test")
    assert scores(test, "theirs")["WHDR"] == pytest.approx((same + darker) / 2)
    assert scores(test, "CroCoDiLight")["WHDR"] == 0.154


def test_damaged_sets_name_the_file_and_cost_one_picture(command: Command, tmp_path: Path) -> None:
    """A mask too few, judgements of no point, an object without mask, a black albedo; and what ends the command."""
    for name in ("a", "b"):
        grey(tmp_path / "istd" / "test_A" / f"{name}.png", 40)
        grey(tmp_path / "istd" / "test_C" / f"{name}.png", 128)
    grey(tmp_path / "istd" / "test_B" / "a.png", 255, 0)
    for number, pair in (("1", (1, 2)), ("2", (1, 9))):
        grey(tmp_path / "iiw" / "data" / f"{number}.png", 100)
        judgements(tmp_path / "iiw" / "data" / f"{number}.json", [(*pair, "1", 1.0)])
    for name, inside in (("cup", 255), ("dish", 0)):
        for kind in ("diffuse", "reflectance", "shading"):
            grey_16(tmp_path / "mit" / name / f"{kind}.png", 60000, 30000, (20, 20))
        grey(tmp_path / "mit" / name / "mask.png", inside, size=(20, 20))
        grey(tmp_path / "mit" / f"{name}.png", 180, size=(20, 20))
    for name, albedo in (("hut", 200), ("cave", 0)):
        grey(tmp_path / "sintel" / f"{name}_image.png", 90)
        grey(tmp_path / "sintel" / f"{name}_albedo.png", albedo)
        grey(tmp_path / "arap" / f"{name}.png", 90)
        grey(tmp_path / "arap" / f"{name}_albedo.png", albedo)
    for task, folder, words in (
        ("albedo", "sintel", "cave_albedo.png: is black everywhere"),
        ("albedo", "arap", "cave_albedo.png: is black everywhere"),
        ("shadow", "istd", "b.png: has no mask in test_B"),
        ("albedo", "iiw", "2.json: cannot be read (there is no point 9)"),
        ("albedo", "mit", "mask.png: shows no object"),
    ):
        done = command("evaluate", task, folder, "--results", folder)
        assert done.code == 23
        assert words in done.lines[0]
        assert done.lines[-1].startswith("1 of 2 pictures failed")
    (tmp_path / "maw" / "labels").mkdir(parents=True)
    (tmp_path / "maw" / "labels" / "meta.csv").write_bytes(b"\xff\xfe")
    done = command("evaluate", "albedo", "maw", "--results", "maw")
    assert (done.code, len(done.lines)) == (4, 1)
    assert "meta.csv: is no table" in done.err


@pytest.mark.parametrize("form", ["{name}/{kind}.png", "{name}_{kind}.png"])
def test_lmse_of_objects(command: Command, tmp_path: Path, form: str) -> None:
    """One window; the albedo is 1 and .5, the estimate is constant, so all of the albedo is taken for shading."""
    for kind, left, right in (("diffuse", 60000, 30000), ("reflectance", 50000, 25000), ("shading", 40000, 40000)):
        grey_16(tmp_path / "set" / form.format(name="cup", kind=kind), left, right, (20, 20))
    grey(tmp_path / "set" / form.format(name="cup", kind="mask"), 255, size=(20, 20))
    path = tmp_path / "set" / form.format(name="cup", kind="reflectance")
    Image.open(path).save(path)
    grey(tmp_path / "theirs" / "cup.png", 180, size=(20, 20))
    found = scores(judged(command, "albedo", tmp_path / "set"), "theirs")
    albedo = 0.25**2 / ((1 + 0.5**2) / 2)
    shading = ((1 - 1.2) ** 2 + (1 - 0.6) ** 2) / 2  # the best scale of 1 and .5 to 1 and 1 is 1.2
    expected = {"LMSE": (albedo + shading) / 2, "LMSE albedo": albedo, "LMSE shading": shading}
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("form", ["{part}/alley/frame_1.png", "alley_{part}.png"])
def test_sintel(command: Command, tmp_path: Path, form: str) -> None:
    picture = "image" if "_{" in form else "clean"
    grey(tmp_path / "set" / form.format(part=picture), 90)
    grey(tmp_path / "set" / form.format(part="albedo"), 60, 220)
    grey(tmp_path / "theirs" / Path(form.format(part=picture)).name, 90)
    found = scores(judged(command, "albedo", tmp_path / "set"), "theirs")
    best = round(255 * encode((linear(60) + linear(220)) / 2))
    squares = [((best - code) / 255) ** 2 for code in (60, 220)]
    assert found["PSNR"] == pytest.approx(-10 * math.log10(np.mean(squares)), abs=0.02)
    assert found["LAB"] == pytest.approx(np.mean([abs(lightness(best) - lightness(c)) for c in (60, 220)]), abs=0.02)


def test_arap(command: Command, tmp_path: Path) -> None:
    for name in ("room_light1", "room_light2"):
        grey(tmp_path / "set" / f"{name}.png", 90, 120, (20, 20))
        grey(tmp_path / "theirs" / f"{name}.png", 200, size=(20, 20))
    grey(tmp_path / "set" / "room_albedo.png", 255, 137, (20, 20))
    found = scores(judged(command, "albedo", tmp_path / "set"), "theirs")
    dark = linear(137)
    error, energy = ((1 - dark) / 2) ** 2, (1 + dark**2) / 2
    assert [found["LMSE"], found["RMSE"]] == pytest.approx([error / energy, math.sqrt(error)], rel=1e-3)


def test_measured_albedo(command: Command, tmp_path: Path) -> None:
    """Two regions of 3/4 and 1/4 of the labelled pixels; grey is the same in Adobe RGB and in sRGB."""
    labels, dataset = np.zeros((240, 320), np.uint8), tmp_path / "set"
    labels[:90, :160], labels[90:120, :160] = 3, 7
    (dataset / "labels" / "scene_0").mkdir(parents=True)
    Image.fromarray(labels).save(dataset / "labels" / "scene_0" / "m.png")
    np.save(dataset / "labels" / "scene_0" / "c.npy", np.array([[0.5] * 3, [0.2] * 3]))
    table = "scene_0/c.npy\tscene_0/m.png\tscene_0\t_DSC1\tscene_0/a.png\t1\n"
    (dataset / "labels" / "meta.csv").write_text(table)
    grey(dataset / "images_png" / "scene_0" / "_DSC1.png", 100, size=(320, 240))
    grey(tmp_path / "theirs" / "_DSC1_albedo.png", 150, size=(320, 240))
    found = scores(judged(command, "albedo", dataset), "theirs")
    mean = 0.75 * 0.5 + 0.25 * 0.2  # the best constant
    assert found["intensity"] == pytest.approx(100 * (0.75 * (0.5 - mean) ** 2 + 0.25 * (0.2 - mean) ** 2), rel=1e-3)
    assert found["chromaticity"] == pytest.approx(0, abs=0.05)


def test_leave_one_out(command: Command, tmp_path: Path) -> None:
    for number, code in enumerate((51, 102, 153, 204)):
        grey(tmp_path / "set" / f"{number}.png", code)
    for number, code in ((1, 102), (2, 143)):
        grey(tmp_path / "theirs" / f"{number}.png", code)
    out = judged(command, "timelapse", tmp_path / "set")
    expected = {"PSNR": -20 * math.log10(0.2), "DIS-weighted MSE": 1000 * 0.2**2}
    assert {name: scores(out, "untouched")[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert scores(out, "theirs")["PSNR"] == pytest.approx((100 + BY_TEN) / 2, abs=0.01)
    assert scores(out, "CroCoDiLight, day to night, latents") == {"FloLPIPS": 0.043}
