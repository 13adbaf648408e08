"""Headers that other programs write: PFM, calibrated BMP, EXR of odd channels; judged by arithmetic and OpenImageIO."""

import struct
from pathlib import Path

import numpy as np
import OpenEXR
import OpenImageIO as oiio  # noqa: N813
import pytest
import tifffile
from command_line import Command
from photo_fixtures import noise
from PIL import Image
from stated_colours import in_srgb, seen

SAME = ("--model", "tiny", "--strength", "0")


@pytest.mark.parametrize("first", [b"\n\n\n", b"\r\n\n", b"   ", b"\t\t\t", b"#a\n", b"123", b"\r\r\r"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("head", [b"PF\n3 2\n%b\n", b"PF 3 2 %b\n", b"PF\r\n3 2\r\n%b\r\n"])
def test_the_first_samples_of_a_pfm_are_no_header(head: bytes, order: str, first: bytes, command: Command) -> None:
    values = bytearray(noise((2, 3, 3), "float32").astype(f"{order}f4").tobytes())
    values[0:3] = first
    values[3] = 0x3F  # a number close to one as little-endian
    Path("a.pfm").write_bytes(head % (b"-1.0" if order == "<" else b"1.0") + bytes(values))
    done = command("deshadow", *SAME, "a.pfm", "-o", "b.exr")
    assert done.code == 0, done.err
    expected = np.frombuffer(bytes(values), f"{order}f4").reshape(2, 3, 3)[::-1]
    file = oiio.ImageInput.open(str(Path("b.exr").absolute()))
    np.testing.assert_array_equal(file.read_image(oiio.FLOAT).reshape(2, 3, 3), expected)
    file.close()


def bmp(pixels: np.ndarray, endpoints: np.ndarray, gammas: tuple[float, ...], size: int) -> bytes:
    """Return a BMP with a BITMAPV4HEADER (108 bytes) or BITMAPV5HEADER (124) of calibrated RGB."""
    height, width = pixels.shape[:2]
    body = b"".join((line := row[:, ::-1].tobytes()) + bytes(-len(line) % 4) for row in pixels[::-1])
    head = struct.pack("<IiiHHIIiiII", size, width, height, 1, 24, 0, len(body), 2835, 2835, 0, 0) + bytes(20)
    head += struct.pack("<9i", *np.rint(endpoints.ravel() * (1 << 30)).astype(int))
    head += struct.pack("<3I", *(round(gamma * 65536) for gamma in gammas))
    head += bytes(size - len(head))
    return b"BM" + struct.pack("<IHHI", 14 + size + len(body), 0, 0, 14 + size) + head + body


XYZ_OF_P3 = np.array([[0.486571, 0.228975, 0.0], [0.265668, 0.691739, 0.045113], [0.198217, 0.079287, 1.043944]])
XY_OF_P3 = np.array([[0.680, 0.320, 0.0], [0.265, 0.690, 0.045], [0.150, 0.060, 0.79]])


@pytest.mark.parametrize("size", [108, 124])
@pytest.mark.parametrize("endpoints", [XYZ_OF_P3, XY_OF_P3], ids=["XYZ", "xyz"])
def test_calibrated_colours_of_a_bmp(endpoints: np.ndarray, size: int, command: Command) -> None:
    pixels = (noise((4, 4, 3)) // 4 + 96).astype(np.uint8)
    Path("a.bmp").write_bytes(bmp(pixels, endpoints, (1.0, 1.0, 1.0), size))
    done = command("deshadow", *SAME, "a.bmp", "-o", "b.png")
    assert (done.code, done.err) == (0, "")
    with Image.open("b.png") as image:
        ours = seen(np.asarray(image), image.info["icc_profile"])
    np.testing.assert_allclose(ours, in_srgb(pixels / 255, "P3", "linear"), atol=1 / 255)


@pytest.mark.parametrize(
    ("endpoints", "gammas"),
    [(np.zeros((3, 3)), (0.64, 0.33, 0.06)), (np.ones((3, 3)), (2.2, 2.2, 2.2)), (XYZ_OF_P3, (1.0, 2.2, 2.2))],
)
def test_impossible_colours_of_a_bmp_are_noted(
    endpoints: np.ndarray, gammas: tuple[float, ...], command: Command
) -> None:
    Path("a.bmp").write_bytes(bmp(noise((4, 4, 3)), endpoints, gammas, 108))
    done = command("deshadow", *SAME, "a.bmp", "-o", "b.png")
    assert (done.code, len(done.lines), "colour space in its header" in done.err) == (0, 1, True)


@pytest.mark.parametrize("channels", ["XYZ", "Z", "RG", "rgb"])
def test_an_exr_of_other_channels_is_refused(channels: str, command: Command) -> None:
    planes = {name: noise((3, 4), "float32") for name in channels}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write("a.exr")
    done = command("deshadow", *SAME, "a.exr", "-o", "b.exr")
    assert (done.code, len(done.lines), "the EXR has the channels" in done.err) == (4, 1, True)


def write_exr(kind: str) -> None:
    spec = oiio.ImageSpec(16, 16, 3, oiio.FLOAT)
    spec.channelnames, pixels = ("R", "G", "B"), noise((16, 16, 3), "float32")
    name = str(Path("a.exr").absolute())
    if kind == "whole numbers":
        planes = {name: noise((4, 4)).astype(np.uint32) for name in "RGB"}
        OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(name)
        return
    file = oiio.ImageOutput.create(name)
    if kind == "mipmap":
        spec.tile_width = spec.tile_height = 16
        spec.attribute("textureformat", "Plain Texture")
        file.open(name, spec)
        file.write_image(pixels)
    else:
        spec.deep = True
        deep = oiio.DeepData()
        deep.init(spec)
        file.open(name, spec)
        file.write_deep_image(deep)
    file.close()


@pytest.mark.parametrize("kind", ["mipmap", "deep", "whole numbers"])
def test_an_exr_of_another_kind_is_named(kind: str, command: Command) -> None:
    write_exr(kind)
    done = command("deshadow", *SAME, "a.exr", "-o", "b.exr")
    assert (done.code, len(done.lines), f"{kind}" in done.err) == (4, 1, True)


def test_luminance_and_chroma_use_the_primaries_of_the_file(command: Command) -> None:
    pixels = noise((6, 8, 3), "float32") + 0.1
    luminance = pixels @ np.array([0.228975, 0.691739, 0.079287], np.float32)  # of Display P3
    planes = {"Y": luminance, "RY": pixels[..., 0] / luminance - 1, "BY": pixels[..., 2] / luminance - 1}
    header = {"type": OpenEXR.scanlineimage, "chromaticities": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)}
    OpenEXR.File(header, planes).write("a.exr")
    done = command("deshadow", *SAME, "a.exr", "-o", "b.exr")
    assert (done.code, done.err) == (0, "")
    file = oiio.ImageInput.open(str(Path("b.exr").absolute()))
    np.testing.assert_allclose(file.read_image(oiio.FLOAT).reshape(6, 8, 3), pixels, atol=2e-5)
    file.close()


@pytest.mark.parametrize(
    ("primaries", "seen_as", "note"),
    [((0.68, 0.32, 0.265, 0.69, 0.15, 0.06), "P3", ""), ((0.0,) * 6, "sRGB", "PrimaryChromaticities are no colour")],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_primaries_of_a_tiff_without_a_white_point(
    primaries: tuple[float, ...], seen_as: str, note: str, order: str, command: Command
) -> None:
    pixels = (noise((4, 4, 3)) // 4 + 96).astype(np.uint8)
    values = tuple(part for value in primaries for part in (round(value * 100_000), 100_000))
    tags = [(319, "2I", 6, values, True)]
    tifffile.imwrite("a.tif", pixels, photometric="rgb", metadata=None, byteorder=order, extratags=tags)
    done = command("deshadow", *SAME, "a.tif", "-o", "b.tif")
    assert (done.code, note in done.err, len(done.lines)) == (0, True, 1 if note else 0)
    with Image.open("b.tif") as image:
        ours = seen(np.asarray(image), image.info.get("icc_profile"))
    curve = "sRGB" if note else "gamma 2.2"
    np.testing.assert_allclose(ours, in_srgb(pixels / 255, seen_as, curve), atol=1 / 255)
