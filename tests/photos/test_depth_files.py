"""Depth maps from files: refine-depth's own, and anybody's."""

from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
import tifffile
from PIL import Image

from relight_cli.depth.depth_maps import KINDS, encode_map, map_scale
from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.photos.depth_files import read_depth_map
from relight_cli.photos.focal_length import focal_length

RAMP = np.linspace(0.5, 3.0, 48, dtype=np.float32).reshape(6, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_maps_of_refine_depth_are_read_with_their_scale(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"own{kind}"
    path.write_bytes(encode_map(RAMP, kind, map_scale(RAMP, "disparity", "relight-cli")))
    found = read_depth_map(path)
    assert (found.quantity, found.stated) == ("disparity", True)
    assert np.allclose(found.disparity, RAMP, atol=1e-4)


@pytest.mark.parametrize("quantity", ["normals", "uncertainty"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_maps_of_refine_depth_are_refused(tmp_path: Path, kind: str, quantity: str) -> None:
    path, values = tmp_path / f"own{kind}", RAMP / 3
    values = np.repeat(values[..., None], 3, 2) * (1, 0.5, 0.2) if quantity == "normals" else values
    values = values.astype(np.float32)
    path.write_bytes(encode_map(values, kind, map_scale(values, quantity, "relight-cli")))
    with pytest.raises(UsageError, match=quantity if kind != ".png" or quantity != "normals" else "colours"):
        read_depth_map(path)


def test_a_name_is_a_path_and_another_quantity_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", RAMP)
    assert np.array_equal(read_depth_map(str(tmp_path / "f.npy")).values, RAMP)
    with pytest.raises(UsageError, match="'distance'"):
        read_depth_map(tmp_path / "f.npy", quantity="distance")


def test_integers_are_disparity_and_floats_are_depth_unless_the_caller_says_otherwise(tmp_path: Path) -> None:
    small, deep = (RAMP * 80).astype(np.uint8), (RAMP * 20000).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "8.png"), small)
    cv2.imwrite(str(tmp_path / "16.png"), deep)
    cv2.imwrite(str(tmp_path / "rgb.png"), np.repeat(small[..., None], 3, 2))
    tifffile.imwrite(tmp_path / "16.tif", deep)
    tifffile.imwrite(tmp_path / "f.tif", RAMP)
    np.save(tmp_path / "f.npy", RAMP[None])
    for name, values in {"8.png": small, "16.png": deep, "rgb.png": small, "16.tif": deep}.items():
        found = read_depth_map(tmp_path / name)
        assert (found.quantity, found.stated) == ("disparity", False), name
        assert np.allclose(found.disparity, values)
        turned = read_depth_map(tmp_path / name, quantity="depth")
        assert (turned.quantity, turned.stated) == ("depth", True)
        assert np.allclose(turned.disparity, 1 / values.astype(np.float64))
    for name in ("f.tif", "f.npy"):
        found = read_depth_map(tmp_path / name)
        assert (found.quantity, found.stated) == ("depth", False), name
        assert np.allclose(found.disparity, 1 / RAMP)


def test_a_tiff_is_read_upright_and_brighter_is_more(tmp_path: Path) -> None:
    """The description of another program, the orientation and min-is-white change nothing of the map."""
    path, deep = tmp_path / "d.tif", (RAMP * 20000).astype(np.uint16)
    stored = {
        "another text": (deep, {"description": "{caption"}),
        "another JSON": (deep, {"description": '{"quantity": 1}'}),
        "reversed": (65535 - deep, {"photometric": "miniswhite"}),
        "reversed, signed": (-1 - (deep // 2).astype(np.int16), {"photometric": "miniswhite"}),
        "reversed, both": (65535 - deep[::-1, ::-1], {"photometric": "miniswhite", "extratags": [_orientation(3)]}),
        "upside down": (deep[::-1, ::-1], {"extratags": [_orientation(3)]}),
        "on its side": (np.rot90(deep), {"extratags": [_orientation(6)]}),
        "planes": (np.stack([deep] * 3), {"photometric": "rgb", "planarconfig": "separate"}),
    }
    for name, (samples, tags) in stored.items():
        tifffile.imwrite(path, np.ascontiguousarray(samples), metadata=None, **tags)
        found, wanted = read_depth_map(path), deep // 2 if "signed" in name else deep
        assert (found.quantity, found.stated) == ("disparity", False), name
        assert np.array_equal(found.values, wanted), name
    tifffile.imwrite(path, RAMP[::-1, ::-1], photometric="miniswhite", extratags=[_orientation(3)])
    assert np.array_equal(read_depth_map(path).values, RAMP)  # metres, not brightness


def _orientation(value: int) -> tuple[int, str, int, int, bool]:
    return (274, "H", 1, value, True)


def test_a_thumbnail_before_the_map_is_skipped(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "d.tif") as file:
        file.write(np.zeros((3, 4), np.uint16), subfiletype=1)
        file.write((RAMP * 20000).astype(np.uint16))
    assert read_depth_map(tmp_path / "d.tif").values.shape == RAMP.shape


@pytest.mark.parametrize(
    ("channel", "quantity"),
    [("Z", "depth"), ("ViewLayer.Depth.Z", "depth"), ("Depth.V", "depth"), ("disparity", "disparity"), ("Y", "depth")],
)
def test_the_channel_of_an_exr_says_what_it_is(tmp_path: Path, channel: str, quantity: str) -> None:
    path = tmp_path / "z.exr"
    planes = {channel: RAMP}
    if channel == "Z":
        planes |= {name: RAMP * 0 + k for k, name in enumerate("RGB")}
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, planes).write(str(path))
    found = read_depth_map(path)
    assert found.quantity == quantity
    assert np.allclose(found.values, RAMP)


@pytest.mark.parametrize("vector", ["N.X N.Y N.Z", "P.X P.Y P.Z", "UV.U UV.V", "X Y Z"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_vector_of_an_exr_is_no_depth(tmp_path: Path, vector: str, parts: int) -> None:
    wrong = dict.fromkeys(vector.split(), RAMP * 0 + 7)
    depth = {"Z": RAMP} if parts == 2 else {"depth.Z": RAMP}
    pictures = [{**wrong, **depth}] if parts == 1 else [wrong, depth]
    headers = [{"type": OpenEXR.scanlineimage, "name": f"part {number}"} for number in range(parts)]
    file = OpenEXR.File([OpenEXR.Part(*part) for part in zip(headers, pictures, strict=True)])
    file.write(str(tmp_path / "a.exr"))
    assert np.array_equal(read_depth_map(tmp_path / "a.exr").values, RAMP)
    OpenEXR.File(headers[0], wrong).write(str(tmp_path / "b.exr"))
    with pytest.raises(UsageError, match="none of depth"):
        read_depth_map(tmp_path / "b.exr")


def test_arrays_are_found_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", depth=RAMP, camera=np.eye(3))
    assert read_depth_map(tmp_path / "a.npz").quantity == "depth"
    np.savez(tmp_path / "b.npz", first=RAMP, second=RAMP)
    with pytest.raises(UsageError, match="named depth or disparity"):
        read_depth_map(tmp_path / "b.npz")
    np.save(tmp_path / "c.npy", np.array(["x"], dtype=object), allow_pickle=True)
    with pytest.raises(PhotoUnreadableError, match=r"c\.npy"):
        read_depth_map(tmp_path / "c.npy")


def test_unknown_and_endless_depth(tmp_path: Path) -> None:
    depth = RAMP.copy()
    depth[0, :3] = (0, np.inf, np.nan)
    np.save(tmp_path / "d.npy", depth)
    found = read_depth_map(tmp_path / "d.npy").disparity
    assert np.isnan(found[0, [0, 2]]).all()
    assert found[0, 1] == 0
    np.save(tmp_path / "e.npy", np.zeros_like(depth))
    with pytest.raises(PhotoUnreadableError, match="no pixel has a depth"):
        read_depth_map(tmp_path / "e.npy")


@pytest.mark.parametrize("name", ["missing.png", "text.png", "cut.png", "cut.tif", "cut.exr", "cut.npz", "empty.npy"])
def test_broken_files_cost_one_line_that_names_them(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("cut"):
        whole = encode_map(RAMP, path.suffix, map_scale(RAMP, "disparity", "relight-cli"))
        path.write_bytes(whole[: len(whole) * 2 // 3])
    elif name != "missing.png":
        path.write_text("no map" if name.startswith("text") else "")
    with pytest.raises(PhotoUnreadableError, match=rf"{name}: [^\n]*$"):
        read_depth_map(path)


def test_a_coloured_preview_and_too_many_pixels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.arange(144, dtype=np.uint8).reshape(6, 8, 3)).save(tmp_path / "c.png")
    with pytest.raises(UsageError, match="picture in colours"):
        read_depth_map(tmp_path / "c.png")
    np.save(tmp_path / "d.npy", RAMP)
    with pytest.raises(PhotoUnreadableError, match="more pixels"):
        read_depth_map(tmp_path / "d.npy", max_pixels=10)


def test_the_focal_length_is_that_of_the_exif_or_a_normal_lens() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    wide, normal = focal_length(exif.tobytes(), 3000, 4000), focal_length(None, 3000, 4000)
    assert wide == pytest.approx(5000 * 28 / 43.2666, rel=1e-4)
    assert normal == pytest.approx(5000 * 50 / 43.2666, rel=1e-4)
    assert focal_length(b"broken", 3000, 4000) == normal
    assert focal_length(exif.tobytes(), 300, 400) == pytest.approx(wide / 10)


@pytest.mark.parametrize("shape", [(1, 6, 9), (6, 9, 1), (1, 1, 6, 9), (6, 1), (1, 9), (1, 1), (1, 1, 1)])
def test_arrays_with_sides_of_one(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "d.npz", depth=np.ones(shape, np.float32))
    sides = [side for side in shape if side > 1] if len(shape) > 2 else list(shape)
    assert list(read_depth_map(tmp_path / "d.npz").values.shape) == (sides or [1, 1])


def test_a_folder_is_no_depth_map(tmp_path: Path) -> None:
    with pytest.raises(PhotoUnreadableError, match="folder"):
        read_depth_map(tmp_path)
