"""The shape of pictures: pixel aspect, clean aperture, default crop, and the windows of an EXR; read by OpenImageIO."""

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import imagecodecs
import numpy as np
import OpenEXR
import OpenImageIO as oiio  # noqa: N813
import pytest
import tifffile
from command_line import Command
from photo_fixtures import dng, noise, smooth
from PIL import Image

from relight_cli.photos.codecs.heif_shape import HeifShape, read_shape
from relight_cli.photos.header import read_header
from relight_cli.photos.metadata import Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.provenance import strip_metadata
from relight_cli.photos.reading import read_photo
from relight_cli.photos.shape import Shape, pixel_aspect
from relight_cli.photos.writing import write_photo

CASES = Path(__file__).parent.parent / "cases"
SAME = ("--model", "tiny", "--strength", "0")
ASPECTS = [Fraction(2), Fraction(1, 2), Fraction(59, 54), Fraction(11, 10)]
SAY_ASPECT = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "EXR": ".exr"}
NO_ASPECT = {"WEBP": ".webp", "AVIF": ".avif", "JPEG2000": ".jp2", "HEIF": ".heic"}


def seen_aspect(path: Path) -> float:
    """Return the pixel aspect that OpenImageIO reads, or (JPEG without a unit) FFmpeg."""
    with path.open("rb") as file:
        start = file.read(14)
    if start[6:10] == b"JFIF" and start[13] == 0:
        with av.open(path) as container:
            return float(container.streams.video[0].sample_aspect_ratio or 1)
    picture = oiio.ImageInput.open(str(path))
    across, down = (picture.spec().getattribute(name) for name in ("XResolution", "YResolution"))
    aspect = down / across if across and down else picture.spec().getattribute("PixelAspectRatio")
    picture.close()
    return float(aspect or 1)


def with_aspect(kind: str, aspect: Fraction, path: Path) -> Path:
    """Write a picture that says its pixel aspect without a resolution, by other libraries than ours."""
    pixels, dots = noise((6, 8, 3)), (aspect.denominator, aspect.numerator)
    if kind == "JPEG":
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG")
        data = bytearray(file.getvalue())
        data[13:18] = struct.pack(">BHH", 0, *dots[::-1])
        path.write_bytes(data)
    elif kind == "PNG":
        png = imagecodecs.png_encode(pixels)
        body = b"pHYs" + struct.pack(">IIB", *dots, 0)
        chunk = struct.pack(">I", 9) + body + struct.pack(">I", zlib.crc32(body))
        path.write_bytes(png[:33] + chunk + png[33:])
    elif kind == "TIFF":
        tifffile.imwrite(path, pixels, photometric="rgb", resolution=dots, resolutionunit="NONE")
    else:
        header = {"pixelAspectRatio": float(aspect), "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, {"RGB": noise((6, 8, 3), "float32")}).write(str(path))
    return path


@pytest.mark.parametrize("target", [*SAY_ASPECT, *NO_ASPECT])
@pytest.mark.parametrize("aspect", ASPECTS, ids=str)
@pytest.mark.parametrize("source", SAY_ASPECT)
def test_pixel_aspect_is_kept_or_noted(source: str, target: str, aspect: Fraction, tmp_path: Path) -> None:
    photo = read_photo(with_aspect(source, aspect, tmp_path / "in"))
    assert float(pixel_aspect(photo.metadata)) == pytest.approx(float(aspect), 1e-3)
    out = tmp_path / f"out{(SAY_ASPECT | NO_ASPECT)[target]}"
    notes = write_photo(photo, out)
    if target in SAY_ASPECT:
        assert seen_aspect(out) == pytest.approx(float(aspect), 1e-3)
        assert not any("square" in note for note in notes)
        assert pixel_aspect(read_photo(out).metadata) == pixel_aspect(photo.metadata)
    else:
        assert any("not square" in note for note in notes)


@pytest.mark.parametrize("target", [*SAY_ASPECT, *NO_ASPECT])
def test_a_resolution_says_the_aspect_too(target: str, tmp_path: Path) -> None:
    Image.fromarray(noise((6, 8, 3))).save(tmp_path / "in.jpg", dpi=(100, 200))
    photo = read_photo(tmp_path / "in.jpg")
    out = tmp_path / f"out{(SAY_ASPECT | NO_ASPECT)[target]}"
    notes = write_photo(photo, out)
    assert any("not square" in note for note in notes) == (target in ("WEBP", "AVIF", "HEIF"))
    if target in SAY_ASPECT:
        assert seen_aspect(out) == pytest.approx(2, 1e-2)
    stripped = Photo(photo.pixels, metadata=strip_metadata(photo.metadata))
    assert stripped.metadata.dpi is None
    assert pixel_aspect(stripped.metadata) == 2


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_aspect_turns_with_the_picture(orientation: int, tmp_path: Path) -> None:
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(
        tmp_path / "a.tif",
        noise((6, 8, 3)),
        photometric="rgb",
        resolution=(1, 2),
        resolutionunit="NONE",
        extratags=tags,
        metadata=None,
    )
    write_photo(read_photo(tmp_path / "a.tif"), tmp_path / "b.tif")
    assert seen_aspect(tmp_path / "b.tif") == (0.5 if orientation > 4 else 2)


@pytest.mark.parametrize("broken", [(0, 1), (1, 0), (0, 0)])
def test_a_broken_aspect_says_nothing(broken: tuple[int, int], tmp_path: Path) -> None:
    with_aspect("PNG", Fraction(2), tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    body = b"pHYs" + struct.pack(">IIB", *broken, 0)
    at = data.index(b"pHYs")
    data = data[:at] + body + struct.pack(">I", zlib.crc32(body)) + data[at + 17 :]
    assert pixel_aspect(read_photo(io.BytesIO(data)).metadata) == 1


def test_square_pixels_change_no_byte(tmp_path: Path) -> None:
    for suffix in SAY_ASPECT.values():
        one, two = io.BytesIO(), io.BytesIO()
        pixels = noise((6, 8, 3))
        kind = {value: key for key, value in SAY_ASPECT.items()}[suffix]
        write_photo(Photo(pixels), one, format=kind)
        write_photo(Photo(pixels, metadata=Metadata(shape=Shape())), two, format=kind)
        assert one.getvalue() == two.getvalue()


# EXR


@pytest.mark.parametrize("windows", [((50, 40), (0, 0, 299, 199)), ((-8, -4), (0, 0, 9, 9)), ((5, 5), (5, 5, 12, 10))])
def test_windows_of_an_exr_stay(windows: tuple, tmp_path: Path) -> None:
    (left, top), display = windows
    corners = ((left, top, left + 7, top + 5), display)
    header = {
        name: (np.array(box[:2], np.int32), np.array(box[2:], np.int32))
        for name, box in zip(("dataWindow", "displayWindow"), corners, strict=True)
    }
    pixels = noise((6, 8, 3), "float32")
    OpenEXR.File(header | {"type": OpenEXR.scanlineimage}, {"RGB": pixels}).write(str(tmp_path / "a.exr"))
    photo = read_photo(tmp_path / "a.exr")
    assert write_photo(photo, tmp_path / "b.exr") == ()
    spec = oiio.ImageBuf(str(tmp_path / "b.exr")).spec()
    assert (spec.x, spec.y, spec.width, spec.height) == (left, top, 8, 6)
    assert (spec.full_x, spec.full_y) == display[:2]
    assert (spec.full_width, spec.full_height) == (display[2] - display[0] + 1, display[3] - display[1] + 1)
    np.testing.assert_array_equal(read_photo(tmp_path / "b.exr").pixels, pixels)
    differs = corners[0] != corners[1]
    assert any("data window" in note for note in write_photo(photo, tmp_path / "b.png")) == differs


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("channels", ["RGB", "RGBA", "Y"])
def test_the_first_part_with_colours_is_read(at: int, channels: str, tmp_path: Path) -> None:
    size = (6, 8) if channels == "Y" else (6, 8, len(channels))
    pixels = noise(size, "float32")
    if channels == "RGBA":
        pixels[..., 3] = 1
    parts = [OpenEXR.Part({"name": f"depth{n}"}, {"Z": noise((6, 8), "float32")}) for n in range(2)]
    parts.insert(at, OpenEXR.Part({"name": "beauty"}, {channels: pixels}))
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    photo = read_photo(tmp_path / "a.exr")
    np.testing.assert_array_equal(photo.pixels, pixels.reshape(6, 8, -1)[..., :3])
    assert "of 3 pictures" in photo.notes[0]
    header = read_header(tmp_path / "a.exr")
    assert (header.width, header.height) == (8, 6)


@pytest.mark.parametrize("layer", ["beauty.", "a.b.", "left."])
def test_the_first_layer_with_colours_is_read(layer: str, tmp_path: Path) -> None:
    pixels = noise((6, 8, 3), "float32")
    planes = {layer + name: np.ascontiguousarray(pixels[..., n]) for n, name in enumerate("RGB")}
    planes |= {"depth.Z": pixels[..., 0].copy(), "normal.X": pixels[..., 1].copy()}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(str(tmp_path / "a.exr"))
    photo = read_photo(tmp_path / "a.exr")
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.notes == (f"only its layer {layer[:-1]} is used",)


@pytest.mark.parametrize("whole", ["ViewLayer.Combined.", "specular.beauty."])
def test_the_layer_with_the_whole_light_comes_first(whole: str, tmp_path: Path) -> None:
    pixels = noise((6, 8, 3), "float32")
    planes = {whole + name: np.ascontiguousarray(pixels[..., n]) for n, name in enumerate("RGB")}
    planes |= {f"{whole.split('.')[0]}.AO.{name}": np.ones((6, 8), np.float32) for name in "RGB"}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(str(tmp_path / "a.exr"))
    photo = read_photo(tmp_path / "a.exr")
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.notes == (f"only its layer {whole[:-1]} is used",)


def test_whole_numbers_are_no_alpha(tmp_path: Path) -> None:
    pixels = noise((6, 8, 3), "float32")
    planes = {name: np.ascontiguousarray(pixels[..., n]) for n, name in enumerate("RGB")}
    planes["A"] = np.full((6, 8), 255, np.uint32)
    OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(str(tmp_path / "a.exr"))
    photo = read_photo(tmp_path / "a.exr")
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert (photo.alpha, photo.notes) == (None, ("its extra channels are dropped",))


def test_luminance_and_chroma_become_rgb(tmp_path: Path) -> None:
    pixels = noise((6, 8, 3), "float32") + 0.1
    luminance = pixels @ np.array([0.212639, 0.715169, 0.072192], np.float32)
    planes = {"Y": luminance, "RY": pixels[..., 0] / luminance - 1, "BY": pixels[..., 2] / luminance - 1}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(str(tmp_path / "a.exr"))
    np.testing.assert_allclose(read_photo(tmp_path / "a.exr").pixels, pixels, atol=1e-5)


# crops


def with_aperture(data: bytes, wide: int, high: int, right: tuple[int, int], down: tuple[int, int]) -> bytes:
    """Set the clean aperture of 10clap.avif."""
    at = data.index(b"clap") + 4
    return data[:at] + struct.pack(">IIIIiIiI", wide, 1, high, 1, *right, *down) + data[at + 32 :]


@pytest.mark.parametrize(
    ("aperture", "inside"),
    [
        ((64, 48, (0, 1), (0, 1)), (slice(24, 72), slice(32, 96))),
        ((64, 48, (-32, 1), (24, 1)), (slice(48, 96), slice(0, 64))),
        ((63, 47, (1, 2), (-1, 2)), (slice(24, 71), slice(33, 96))),
        ((128, 96, (0, 1), (0, 1)), (slice(0, 96), slice(0, 128))),
    ],
)
def test_clean_aperture_of_avif(aperture: tuple, inside: tuple[slice, slice], tmp_path: Path) -> None:
    data = (CASES / "10clap.avif").read_bytes()
    whole = imagecodecs.avif_decode(data)
    (tmp_path / "a.avif").write_bytes(with_aperture(data, *aperture))
    photo = read_photo(tmp_path / "a.avif")
    np.testing.assert_array_equal(photo.pixels >> 6, whole[inside])
    header = read_header(tmp_path / "a.avif")
    assert (header.height, header.width) == photo.pixels.shape[:2]
    assert photo.notes == ()


def test_an_aperture_outside_the_picture_is_noted() -> None:
    data = with_aperture((CASES / "10clap.avif").read_bytes(), 64, 48, (60, 1), (0, 1))
    photo = read_photo(io.BytesIO(data))
    assert photo.pixels.shape == (96, 128, 3)
    assert "clean aperture" in photo.notes[0]


def with_property(data: bytes, body: bytes) -> bytes:
    """Add a property to the only picture of an AVIF or HEIF whose `meta` comes before its data."""

    def grown(at: int, by: int) -> None:
        (size,) = struct.unpack_from(">I", out, at)
        struct.pack_into(">I", out, at, size + by)

    out = bytearray(data)
    meta, iprp, ipco, ipma = (out.index(name) - 4 for name in (b"meta", b"iprp", b"ipco", b"ipma"))
    count = 0
    at = ipco + 8
    while at < ipma:
        at, count = at + struct.unpack_from(">I", out, at)[0], count + 1
    number = ipma + 18  # of associations of the first picture
    listed = out[number]
    out.insert(number + 1 + listed, 0x80 | (count + 1))
    out[number] += 1
    out[ipma:ipma] = body
    added = len(body) + 1
    grown(ipma + len(body), 1)
    for place, by in ((ipco, len(body)), (iprp, added), (meta, added)):
        grown(place, by)
    iloc = out.index(b"iloc") + 4
    assert out[iloc] in (0, 1)
    width = out[iloc + 5] >> 4  # of a base offset
    start = iloc + 8 + 2 + (2 if out[iloc] else 0) + 2 + width + 2
    struct.pack_into(">I", out, start, struct.unpack_from(">I", out, start)[0] + added)
    return bytes(out)


def saved_heif(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    write_photo(Photo(pixels), file, format="HEIF", quality=100)
    return file.getvalue()


def test_clean_aperture_and_aspect_of_heif(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    pixels = noise((96, 128, 3))
    data = saved_heif(pixels)
    clap = struct.pack(">I4sIIIIiIiI", 40, b"clap", 64, 1, 48, 1, -32, 1, 0, 1)
    (tmp_path / "a.heic").write_bytes(with_property(data, clap))
    photo = read_photo(tmp_path / "a.heic")
    np.testing.assert_array_equal(photo.pixels, pixels[24:72, :64])
    header = read_header(tmp_path / "a.heic")
    assert (header.width, header.height) == (64, 48)
    pasp = struct.pack(">I4sII", 16, b"pasp", 2, 1)
    photo = read_photo(io.BytesIO(with_property(data, pasp)))
    assert pixel_aspect(photo.metadata) == 2
    turned = with_property(with_property(data, pasp), struct.pack(">I4sB", 9, b"irot", 1))
    photo = read_photo(io.BytesIO(turned))
    assert photo.pixels.shape == (128, 96, 3)
    assert pixel_aspect(photo.metadata) == Fraction(1, 2)


@pytest.mark.parametrize("damage", [b"", b"\0" * 20, b"\0\0\0\x08meta", b"\0\0\0\x14ftypavif"])
def test_broken_properties_say_nothing(damage: bytes) -> None:
    assert read_shape(damage) == HeifShape()


CROPS = {
    "default": ([(50719, "I", 2, (4, 6), True), (50720, "I", 2, (40, 30), True)], (slice(6, 36), slice(4, 44))),
    "rational": (
        [(50719, "2I", 2, (8, 2, 12, 2), True), (50720, "2I", 2, (80, 2, 60, 2), True)],
        (slice(6, 36), slice(4, 44)),
    ),
    "user": ([(51125, "2I", 4, (1, 4, 0, 1, 3, 4, 1, 2), True)], (slice(16, 48), slice(0, 48))),
    "none": ([], (slice(0, 64), slice(0, 96))),
    "outside": (
        [(50719, "I", 2, (80, 60), True), (50720, "I", 2, (40, 30), True)],
        (slice(0, 64), slice(0, 96)),
    ),
}


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_default_crop_of_dng(crop: str, orientation: int, tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    tags, (rows, columns) = CROPS[crop]
    light = smooth(64, 96)
    whole = read_photo(io.BytesIO(dng(light))).pixels
    path = tmp_path / "a.dng"
    path.write_bytes(dng(light, orientation, tags))
    photo = read_photo(path)
    tifffile.imwrite(tmp_path / "a.tif", whole[rows, columns], photometric="rgb", metadata=None)
    upright = oiio.ImageBuf(str(tmp_path / "a.tif"))
    upright.orientation = orientation
    expected = oiio.ImageBufAlgo.reorient(upright).get_pixels(oiio.UINT16)
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels.astype(int) - expected).max() <= 700  # the demosaic differs in places by direction
    header = read_header(path)
    assert (header.height, header.width) == photo.pixels.shape[:2]


ROWS = {
    "10clap.avif": ((48, 64), 1, ["at most 8 bits"]),
    "cfa_crop.dng": ((224, 352), 1, []),
    "par2.exr": ((96, 128), 2, []),
    "crop.exr": ((96, 128), 1, []),
    "multipart_depth_first.exr": ((96, 128), 1, ["number 2 of 2"]),
}


@pytest.mark.parametrize("name", ROWS)
def test_case(command: Command, name: str) -> None:
    (height, width), aspect, notes = ROWS[name]
    suffix = ".tif" if name.endswith(".dng") else Path(name).suffix
    done = command("albedo", *SAME, "-o", f"out{suffix}", CASES / name)
    assert done.code == 0, done.err
    assert len(done.lines) == len(notes)
    assert all(note in line for note, line in zip(notes, done.lines, strict=True))
    if suffix != ".avif":
        spec = oiio.ImageBuf(f"out{suffix}").spec()
        assert (spec.height, spec.width) == (height, width)
        assert seen_aspect(Path(f"out{suffix}")) == aspect
    else:
        assert Image.open("out.avif").size == (width, height)
    if name == "crop.exr":
        assert (spec.x, spec.y, spec.full_width, spec.full_height) == (50, 40, 300, 200)
