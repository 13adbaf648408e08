"""--layers: one OpenEXR for a compositor, read by programs that are not ours."""

import json
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import OpenImageIO
import pytest
from command_line import Command
from mean_light import MeanLight, model_of
from mean_light import picture as lit_picture

import relight_cli as rl
from relight_cli.checkpoints.geometry import load_geometry
from relight_cli.checkpoints.surfaces import SurfaceSource
from relight_cli.jobs.mapping_options import MappingCommandOptions
from relight_cli.jobs.photo_geometry import GeometrySource
from relight_cli.jobs.photo_layers import PhotoLayers
from relight_cli.photos.codecs.exr_colours import PRIMARIES
from relight_cli.photos.colour_profiles import REC709
from relight_cli.photos.header import read_header, read_record
from relight_cli.photos.photo import Photo
from relight_cli.photos.rgb_matrices import rgb_matrix
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.rows import to_array
from relight_cli.relighting import photo_layers
from relight_cli.relighting.geometry import geometry_of_disparity
from relight_cli.relighting.layers import expose_albedo
from relight_cli.relighting.light_change import ChangeResult
from relight_cli.relighting.options import MappingOptions, TileColour
from relight_cli.relighting.photo_layers import find_parts

TINY = ("--model", "tiny")
COLOURS = ("", "photo", "albedo", "shading", "gain")
SINGLE = ("shadow.A", "shadow_probability.A", "sky.A", "depth.Z", "normals.X", "normals.Y", "normals.Z")
AP1 = PRIMARIES["ap1"]


def planes(path: Path) -> dict[str, np.ndarray]:
    """The channels as OpenImageIO reads them."""
    file = OpenImageIO.ImageInput.open(str(path))
    assert file, OpenImageIO.geterror()
    pixels = file.read_image(format=OpenImageIO.FLOAT)
    return {name: pixels[..., number] for number, name in enumerate(file.spec().channelnames)}


def layer(found: dict[str, np.ndarray], name: str) -> np.ndarray:
    return np.stack([found[f"{name}.{c}" if name else c] for c in "RGB"], axis=-1)


def linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def header(path: Path) -> dict:
    with OpenEXR.File(str(path), header_only=True) as exr:
        return dict(exr.header())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """photo.png, 8 bits, with a shadow on a textured ground."""
    rng = np.random.default_rng(1)
    ground = np.kron(rng.uniform(0.3, 0.8, (6, 8, 3)), np.ones((10, 10, 1)))
    ground[15:45, 25:60] *= 0.4
    write_photo(Photo((ground * 255).round().astype(np.uint8)), tmp_path / "photo.png")
    return tmp_path


def test_the_layers_say_what_was_done_to_the_photo(command: Command, folder: Path) -> None:
    depth = np.tile(np.linspace(2, 5, 60, dtype=np.float32)[::-1, None], (1, 80))
    OpenEXR.File({"type": OpenEXR.scanlineimage}, {"Z": depth}).write(str(folder / "depth.exr"))
    done = command(
        *("relight", "photo.png", "--light", "golden-hour", *TINY, "-o", "lit.png"),
        *("--layers", "new/layers.exr", "--depth", "depth.exr"),
    )
    assert (done.code, done.err) == (0, "")
    found = planes(folder / "new" / "layers.exr")
    assert set(found) == {*(f"{n}.{c}" if n else c for n in COLOURS for c in "RGB"), *SINGLE}

    photo, lit = (cv2.imread(str(folder / n))[..., ::-1] / 255.0 for n in ("photo.png", "lit.png"))
    assert np.allclose(layer(found, "photo"), linear(photo), rtol=1e-3, atol=1e-4)
    assert np.allclose(layer(found, "photo") * layer(found, "gain"), layer(found, ""), rtol=3e-3, atol=1e-4)
    assert np.allclose(layer(found, "albedo") * layer(found, "shading"), layer(found, "photo"), rtol=3e-3, atol=1e-4)
    assert np.abs(linear(lit) - layer(found, "").clip(0, 1)).max() < 0.01  # -o, which is rounded to 8 bits
    inside, outside = np.s_[22:38, 34:52], np.s_[:8, :]
    assert found["shadow.A"][inside].mean() > 3 * found["shadow.A"][outside].mean()
    assert found["shadow_probability.A"][inside].mean() > found["shadow_probability.A"][outside].mean()
    assert np.allclose(found["depth.Z"], depth, rtol=0.02)  # in the unit of the file
    normals = np.stack([found[f"normals.{c}"] for c in "XYZ"], axis=-1)
    assert np.allclose(np.linalg.norm(normals, axis=-1), 1, atol=2e-3)
    assert normals[..., 1].mean() > 0.5  # the ground rises towards the back: it faces up

    made = header(folder / "new" / "layers.exr")
    spec = OpenImageIO.ImageInput.open(str(folder / "new" / "layers.exr")).spec()
    kinds = dict(zip(spec.channelnames, map(str, spec.channelformats), strict=True))
    assert {name for name, kind in kinds.items() if kind == "float"} == {"depth.Z"}
    assert np.allclose(made["chromaticities"], REC709)
    assert json.loads(made["relight-cli:recipe"])["task"] == "relit"
    assert made["relight-cli:focalPixels"] == pytest.approx(np.hypot(60, 80) * 50 / np.hypot(36, 24), rel=1e-4)
    assert read_header(folder / "new" / "layers.exr").software.startswith("relight-cli ")
    assert read_record(folder / "new" / "layers.exr") is not None


def test_an_exr_keeps_windows_alpha_primaries_and_brightness(command: Command, folder: Path) -> None:
    rng = np.random.default_rng(2)
    light = rng.uniform(0.05, 0.9, (24, 32, 3)).astype(np.float32)
    alpha = np.tile(np.linspace(0.25, 1, 32, dtype=np.float32), (24, 1))
    light[3, 4], light[5, 6], light[7, 8] = 9e4, -0.2, np.nan
    light[9, 10] = np.inf
    stored = {name: light[..., n] * alpha for n, name in enumerate("RGB")} | {"A": alpha}
    data = (np.array([5, -3], np.int32), np.array([36, 20], np.int32))
    whole = (np.array([0, 0], np.int32), np.array([63, 47], np.int32))
    shape = {"dataWindow": data, "displayWindow": whole, "chromaticities": AP1, "owner": "A. Person"}
    shape["relight-cli:recipe"] = "of another file"
    OpenEXR.File({"type": OpenEXR.scanlineimage, **shape}, dict(stored)).write(str(folder / "in.exr"))
    assert command("deshadow", "in.exr", *TINY, "-o", "out.exr", "--layers", "layers.exr").code == 0
    made = header(folder / "layers.exr")
    for name in ("dataWindow", "displayWindow"):
        assert np.array_equal(made[name], shape[name])
    assert np.allclose(made["chromaticities"], AP1)
    assert made["owner"] == "A. Person"
    assert "relight-cli:recipe" not in header(folder / "out.exr")
    assert made["relight-cli:focalPixels"] > 0
    found, out = planes(folder / "layers.exr"), planes(folder / "out.exr")
    assert np.array_equal(found["A"], out["A"])
    for name in "RGB":  # not a half float among them, and NaN and infinite samples stay
        assert np.allclose(found[f"photo.{name}"], stored[name], rtol=1e-5, equal_nan=True)
        assert np.allclose(found[name], out[name], rtol=1e-5, equal_nan=True)
    for name in (f"{n}.{c}" for n in ("albedo", "shading", "gain") for c in "RGB"):
        assert np.isfinite(found[name]).all(), name
    assert all(np.isfinite(found[name]).all() for name in SINGLE)


@pytest.mark.parametrize("colour", TileColour)
def test_the_albedo_layer_is_the_albedo_of_the_same_options(colour: TileColour) -> None:
    photo, model = Photo(lit_picture(96, 128)), model_of(MeanLight())
    surfaces = geometry_of_disparity(np.ones((96, 128), np.float32), photo.to_srgb(), 100.0, shift=0.0)
    parts = find_parts(model, photo, lambda picture: surfaces, MappingOptions(tile_colour=colour))
    made = rl.albedo(model, photo, options=rl.AlbedoOptions(tile_colour=colour)).photo
    np.testing.assert_allclose(to_array(parts.albedo), made.to_array(), atol=1e-5)


def test_layers_of_a_run_have_its_options() -> None:
    seen: list[object] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(photo_layers, "find_parts", lambda model, photo, geometry, options: seen.append(options))
        patched.setattr(photo_layers, "layered_photo", lambda *arguments: None)
        options = MappingCommandOptions(tile_colour=TileColour.FREE, tile_overlap=0.3, max_side=99)
        result = ChangeResult(Photo(lit_picture(4, 4)))
        geometry = GeometrySource(None, "cpu", 99, load_geometry)
        geometry.use(SurfaceSource(None, lambda: None))  # type: ignore[arg-type, return-value]
        PhotoLayers(geometry).added(result, model_of(MeanLight()), result.photo, options, 5)
    assert seen == [MappingOptions(tile_colour=TileColour.FREE, tile_overlap=0.3, max_side=99, tile_batch=5)]


def test_an_infinite_sample_spoils_nothing_around_it() -> None:
    model, yard = rl.load_model("tiny"), rl.read_photo(Path(__file__).parents[2] / "examples" / "yard.jpg")
    picture = yard.to_srgb()[::3, ::3].copy()
    odd = picture.copy()
    odd[5, 140], odd[90, 20], odd[60, 100] = np.inf, np.nan, -7
    plain, spoilt = (rl.deshadow(model, rl.Photo(one)).photo.to_array() for one in (picture, odd))
    kept = np.isfinite(odd).all(axis=-1)
    assert np.abs(plain - picture).mean() > 0.03
    assert np.abs(plain - spoilt)[kept].mean() < 0.003
    assert np.isfinite(rl.shadow_mask(model, rl.Photo(odd)).found.probability).all()


@pytest.mark.parametrize("task", [("deshadow",), ("albedo", "--save-shading"), ("relight", "--sun", "left,35")])
def test_an_infinite_sample_is_no_reason_to_warn(command: Command, folder: Path, task: tuple[str, ...]) -> None:
    light = np.random.default_rng(0).random((40, 60, 3), np.float32)
    light[3, 4], light[20, 30] = np.inf, np.nan
    write_photo(Photo(light, format="TIFF"), folder / "odd.tif")
    done = command(task[0], "odd.tif", *task[1:], *TINY, "-o", "lit.tif", "--input-colour", "linear")
    assert (done.code, done.err) == (0, "")


def test_an_infinite_sample_does_not_change_the_exposure_of_an_albedo() -> None:
    rng = np.random.default_rng(0)
    photo, albedo = rng.uniform(0.2, 0.9, (60, 80, 3)).astype(np.float32), np.full((60, 80, 3), 0.5, np.float32)
    odd, lit = photo.copy(), albedo.copy()
    odd[30, 40] = lit[30, 40] = np.inf
    plain, spoilt = (to_array(expose_albedo(one, other)) for one, other in ((photo, albedo), (odd, lit)))
    kept = np.isfinite(odd).all(axis=-1)
    assert plain.mean() > 0.6
    assert np.allclose(plain[kept], spoilt[kept], atol=2e-3)


def test_a_grey_photo_of_16_bits_is_written_in_the_working_space(command: Command, folder: Path) -> None:
    grey = np.tile(np.linspace(2000, 60000, 40), (30, 1)).astype(np.uint16)[..., None]
    write_photo(Photo(grey), folder / "grey.tif")
    done = command("albedo", "grey.tif", *TINY, "--layers", "layers.exr", "--working-space", "acescg")
    assert (done.code, done.err) == (0, "")
    made, found = header(folder / "layers.exr"), planes(folder / "layers.exr")
    assert np.allclose(made["chromaticities"], AP1)
    assert made["colorInteropID"] == "lin_ap1_scene"
    assert np.allclose(layer(found, "photo"), linear(grey / 65535.0), rtol=2e-3, atol=1e-4)  # white stays white
    colour = layer(found, "albedo") @ rgb_matrix(AP1, REC709).T.astype(np.float32)
    assert np.ptp(colour, axis=-1).max() < 0.5


def test_a_batch_has_a_folder_and_the_rules_of_outputs(command: Command, folder: Path) -> None:
    small = cv2.resize(cv2.imread(str(folder / "photo.png")), (32, 24))
    (folder / "in" / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/a.png"):
        cv2.imwrite(str(folder / "in" / name), small)
    batch = ("albedo", "in", "-r", *TINY, "-o", "out", "--layers", "layers/")
    assert command(*batch).code == 0
    made = [folder / "layers" / name for name in ("a_albedo_layers.exr", "deep/a_albedo_layers.exr")]
    assert all(path.is_file() for path in made)
    before = [path.read_bytes() for path in made]
    again = command(*batch)
    assert (again.code, "exist" in again.err) == (5, True)
    assert command(*batch, "--skip-existing").code == 0
    made[0].unlink()
    assert command(*batch, "--skip-existing").code == 0
    assert [path.read_bytes() for path in made] == before  # made again, and the same bytes
    made[1].write_bytes(before[1][:-50] + bytes(50))
    (folder / "out" / "deep" / "a_albedo.png").unlink()
    kept = command(*batch, "--skip-existing")
    assert "not as relight-cli wrote it" in kept.err
    assert not [path for path in folder.rglob("*") if path.name.startswith(".") and path.suffix == ".exr"]


def test_layers_of_a_photo_on_stdout_and_a_dry_run(command: Command, folder: Path) -> None:
    photo = (folder / "photo.png").read_bytes()
    done = command("deshadow", "-", *TINY, "--layers", "of/", stdin=photo)
    assert done.code == 0
    assert done.out.startswith(b"\x89PNG")
    assert (folder / "of" / "stdin_layers.exr").is_file()
    plan = command("deshadow", "photo.png", *TINY, "--layers", "plan.exr", "--dry-run")
    assert plan.code == 0
    assert b"plan.exr" in plan.out
    assert not (folder / "plan.exr").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--layers", "x.png"), 2, "end the name in .exr"),
        (("--layers", ""), 2, "end the name in .exr"),
        (("photo2.png", "--layers", "x.exr", "-o", "out/"), 2, "name a folder"),
        (("-o", "x.exr", "--layers", "x.exr"), 2, "two outputs"),
        (("--layers", "photo.png/x.exr"), 5, "photo.png is not a writable folder"),
        (("--depth", "photo.png"), 2, "give both"),
        (("--mask-only", "--layers", "x.exr"), 2, "--layers is for photos"),
        (("--layers", "x.exr", "--working-space", "ACEScct"), 2, "linear light"),
        (("--layers", "x.exr", "--depth", "none.exr"), 4, "none.exr"),
        (("--layers", "x.exr", "--report", "x.exr"), 2, "--report x.exr is also"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    command: Command, folder: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (folder / "photo2.png").write_bytes((folder / "photo.png").read_bytes())
    before = sorted(folder.rglob("*"))
    done = command("deshadow", "photo.png", *TINY, *arguments)
    assert (done.code, len(done.lines)) == (code, 1), done.err
    assert words in done.err
    assert sorted(folder.rglob("*")) == before


def test_layers_need_openexr(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relight_cli.photos.formats.find_spec", lambda name: None)
    done = command("deshadow", "photo.png", *TINY, "--layers", "x.exr")
    assert (done.code, "relight-cli[exr]" in done.err) == (3, True)
