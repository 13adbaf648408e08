"""BMP, GIF and the Netpbm formats, which are read and become PNG; judged with pyvips and Pillow."""

import io
import struct
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813
import pytest
import pyvips
from command_line import Command
from photo_fixtures import noise, wide_profile
from PIL import Image

from relight_cli.errors import PhotoUnreadableError, UsageError
from relight_cli.photos.header import made_by_relight_cli, read_header
from relight_cli.photos.reading import read_photo
from relight_cli.photos.shape import pixel_aspect
from relight_cli.timelapse.frames import open_frames
from relight_cli.videos.codecs import encoding_of_frames
from relight_cli.videos.writer import VideoOutput, VideoWriter

SAME = ("--model", "tiny", "--strength", "0")
PIXELS = noise((6, 7, 3))


def vips(path: Path) -> np.ndarray:
    """Return the samples that libvips reads; not by name, because it caches files by name."""
    samples = pyvips.Image.new_from_buffer(path.read_bytes(), "").numpy()
    return samples[..., None] if samples.ndim == 2 else samples


def saved(mode: str, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, kind, **options)
    return file.getvalue()


def bmp(pixels: np.ndarray, *, bits: int = 24, masks: tuple[int, ...] = (), top_down: bool = False) -> bytes:
    """Return a BMP with a BITMAPV4HEADER, or without masks a BITMAPINFOHEADER."""
    height, width = pixels.shape[:2]
    order = pixels if top_down else pixels[::-1]
    if bits == 24:
        rows = [row[:, ::-1].tobytes() for row in order]
    elif bits == 32:
        rows = [row[:, [2, 1, 0, 3]].tobytes() for row in order]
    else:
        red, green, blue = np.moveaxis(order.astype(np.uint16), -1, 0)
        rows = [line.astype("<u2").tobytes() for line in (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3]
    data = b"".join(row + bytes(-len(row) % 4) for row in rows)
    size = 108 if masks else 40
    head = struct.pack(
        "<IiiHHIIiiII",
        size,
        width,
        -height if top_down else height,
        1,
        bits,
        3 if masks else 0,
        len(data),
        2835,
        5669,
        0,
        0,
    )
    if masks:
        head += struct.pack("<4I", *masks) + b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + size + len(data), 0, 0, 14 + size) + head + data


RGBA_MASKS = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
RGB565 = (0xF800, 0x7E0, 0x1F, 0)
FILES: dict[str, tuple[bytes, str]] = {
    **{f"bmp-{mode}": (saved(mode, "BMP"), ".bmp") for mode in ("1", "L", "P", "RGB")},
    "bmp-top-down": (bmp(PIXELS, top_down=True), ".bmp"),
    "bmp-565": (bmp(PIXELS, bits=16, masks=RGB565), ".bmp"),
    "bmp-alpha": (bmp(noise((6, 7, 4)), bits=32, masks=RGBA_MASKS), ".bmp"),
    **{f"gif-{mode}": (saved(mode, "GIF"), ".gif") for mode in ("1", "L", "P", "RGB")},
    "gif-transparent": (saved("P", "GIF", transparency=3), ".gif"),
    **{f"pnm-{mode}": (saved(mode, "PPM"), ".pnm") for mode in ("1", "L", "RGB")},
    "ppm-16": (b"P6 7 6 65535\n" + noise((6, 7, 3), "uint16").astype(">u2").tobytes(), ".ppm"),
    "pgm-16": (b"P5\n# a comment\n7 6\n65535\n" + noise((6, 7), "uint16").astype(">u2").tobytes(), ".pgm"),
    "pgm-text": (b"P2 3 2 255\n0 1 2\n3 4 255\n", ".pgm"),
    "ppm-text": (b"P3 1 2 255 0 1 2 3 4 255\n", ".ppm"),
    "pbm-text": (b"P1\n3 2\n1 0 1\n0 1 0\n", ".pbm"),
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_come_through(name: str, command: Command) -> None:
    data, suffix = FILES[name]
    Path(f"a{suffix}").write_bytes(data)
    done = command("albedo", *SAME, f"a{suffix}")
    assert (done.code, done.err) == (0, "")
    ours = vips(Path("a_albedo.png"))
    with Image.open(io.BytesIO(data)) as image:
        grey = image.mode in ("1", "L")
        if "16" in name:
            expected = oiio.ImageBuf(str(Path(f"a{suffix}").absolute())).get_pixels(oiio.UINT16)
            assert ours.dtype == np.uint16
        else:
            alpha = "A" if image.mode == "RGBA" or "transparency" in image.info else ""
            expected = np.asarray(image.convert(("L" if grey else "RGB") + alpha))
    np.testing.assert_array_equal(ours, expected.reshape(ours.shape))
    header = read_header(Path(f"a{suffix}"))
    assert (header.height, header.width) == ours.shape[:2]


@pytest.mark.parametrize("largest", [1, 7, 15, 100, 255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("magic", [b"P2", b"P5", b"P6", b"P7"])
def test_the_largest_value_is_white(magic: bytes, largest: int) -> None:
    values = np.array([[0, largest, largest // 2]] * (3 if magic in (b"P6", b"P7") else 1)).T.reshape(1, 3, -1)
    values = values.astype(">u2" if largest > 255 else "u1")
    head = b"%b\n3 1\n%d\n" % (magic, largest)
    if magic == b"P7":
        head = b"P7\nWIDTH 3\nHEIGHT 1\nDEPTH 3\nMAXVAL %d\nTUPLTYPE RGB\nENDHDR\n" % largest
    data = head + (b" ".join(b"%d" % v for v in values.ravel()) if magic == b"P2" else values.tobytes())
    photo = read_photo(io.BytesIO(data))
    full = 255 if largest < 256 else 65535
    assert photo.pixels.dtype == (np.uint8 if largest < 256 else np.uint16)
    np.testing.assert_array_equal(photo.pixels[0, :, 0], np.rint(values[0, :, 0] * (full / largest)))


@pytest.mark.parametrize("depth", [2, 4])
@pytest.mark.parametrize("largest", [255, 65535])
def test_pam_has_alpha(depth: int, largest: int) -> None:
    samples = noise((3, 4, depth), "uint8" if largest == 255 else "uint16")
    kind = {2: b"GRAYSCALE_ALPHA", 4: b"RGB_ALPHA"}[depth]
    head = b"P7\nWIDTH 4\nHEIGHT 3\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %b\nENDHDR\n" % (depth, largest, kind)
    photo = read_photo(io.BytesIO(head + samples.astype(samples.dtype.newbyteorder(">")).tobytes()))
    np.testing.assert_array_equal(photo.to_array(), samples)


def test_pam_of_other_channels_is_refused() -> None:
    data = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\nabcd"
    with pytest.raises(PhotoUnreadableError, match=r"a PAM with 4 channels \(CMYK\)"):
        read_photo(io.BytesIO(data))


@pytest.mark.parametrize("magic", [b"PF", b"Pf"])
@pytest.mark.parametrize("order", "<>")
def test_pfm_is_linear_light_from_the_bottom_up(magic: bytes, order: str, command: Command) -> None:
    light = np.linspace(0, 1, 4 * 5 * 3, dtype=np.float32).reshape(4, 5, 3)
    light = light if magic == b"PF" else light[..., :1]
    body = light[::-1].astype(f"{order}f4").tobytes()
    Path("a.pfm").write_bytes(b"%b\n5 4\n%b\n" % (magic, b"-1.0" if order == "<" else b"1.0") + body)
    assert command("albedo", *SAME, "-o", "b.exr", "a.pfm").code == 0
    seen = oiio.ImageBuf(str(Path("b.exr").absolute())).get_pixels(oiio.FLOAT)
    np.testing.assert_allclose(seen, light, atol=1e-6)


@pytest.mark.parametrize("kind", ["BMP", "GIF", "P5", "P6"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_file_is_refused(kind: str, share: float) -> None:
    noisy = Image.fromarray(noise((40, 40, 3)))
    file = io.BytesIO()
    (noisy.convert("L") if kind == "P5" else noisy).save(file, "PPM" if kind[0] == "P" else kind)
    data = file.getvalue()
    with pytest.raises(PhotoUnreadableError):
        read_photo(io.BytesIO(data[: int(len(data) * share)]))


@pytest.mark.parametrize("head", [b"P6\n60000 60000\n255\n", b"P5 60000 60000 65535\n", b"GIF89a" + b"\x60\xea" * 2])
def test_the_size_is_checked_first(head: bytes) -> None:
    with pytest.raises(PhotoUnreadableError, match=r"60000 x 60000 .* --max-pixels|cannot be decoded|known format"):
        read_photo(io.BytesIO(head + bytes(100)), max_pixels=10**8)


def test_the_first_frame_of_a_gif_is_read(tmp_path: Path) -> None:
    first, second = (Image.fromarray(noise((6, 7, 3), seed=n)) for n in range(2))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    photo = read_photo(tmp_path / "a.gif")
    expected = pyvips.Image.new_from_buffer((tmp_path / "a.gif").read_bytes(), "", page=0).numpy()[..., :3]
    np.testing.assert_array_equal(photo.pixels, expected)
    assert photo.notes == ("only the first of 2 pictures is used",)


def test_the_aspect_of_a_gif() -> None:
    data = bytearray(saved("P", "GIF"))
    data[12] = 113  # (113 + 15) / 64
    assert pixel_aspect(read_photo(io.BytesIO(bytes(data))).metadata) == 2


def test_the_resolution_of_a_bmp_says_the_aspect(command: Command) -> None:
    Path("a.bmp").write_bytes(bmp(PIXELS))
    assert command("albedo", *SAME, "a.bmp").code == 0
    across, down = Image.open("a_albedo.png").info["dpi"]
    assert (across, down) == (pytest.approx(72, abs=0.1), pytest.approx(144, abs=0.1))


@pytest.mark.parametrize("kind", ["embedded", "srgb"])
def test_colours_of_a_bmp(kind: str, command: Command) -> None:
    data = bytearray(bmp(PIXELS))
    icc = wide_profile("P3")
    head = bytearray(124)
    head[:40] = data[14:54]
    code = {"embedded": 0x4D424544, "srgb": 0x73524742}[kind]
    struct.pack_into("<I", head, 0, 124)
    struct.pack_into("<I", head, 56, code)
    pixels = bytes(data[54:])
    if kind == "embedded":
        struct.pack_into("<II", head, 112, 124 + len(pixels), len(icc))
    file = b"BM" + struct.pack("<IHHI", 138 + len(pixels) + len(icc), 0, 0, 138) + bytes(head) + pixels
    Path("a.bmp").write_bytes(file + (icc if kind == "embedded" else b""))
    done = command("albedo", *SAME, "a.bmp")
    assert (done.code, done.err) == (0, "")
    assert Image.open("a_albedo.png").info.get("icc_profile") == (icc if kind == "embedded" else None)


def test_folders_bring_them_along(command: Command) -> None:
    Path("in").mkdir()
    for number, (name, (data, suffix)) in enumerate(FILES.items()):
        Path(f"in/{number}{name}{suffix}").write_bytes(data)
    assert command("albedo", *SAME, "in", "-o", "out").code == 0
    assert len(list(Path("out").glob("*.png"))) == len(FILES)


def test_a_gif_beside_photos_is_no_frame(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(noise((16, 16, 3), seed=number)).save(tmp_path / f"{number}.png")
    (tmp_path / "b.gif").write_bytes(saved("P", "GIF"))
    assert len(open_frames(tmp_path).times) == 3
    with pytest.raises(UsageError, match="is a video, but there are other inputs"):
        open_frames([tmp_path / "0.png", tmp_path / "b.gif"])


def test_own_gifs_are_known(tmp_path: Path) -> None:
    pytest.importorskip("av")
    writer = VideoWriter(tmp_path / "a.gif", VideoOutput(".gif", 16, 16, 10, encoding_of_frames(".gif")), "{}")
    for number in range(3):
        writer.add(noise((16, 16, 3), seed=number))
    writer.close()
    assert made_by_relight_cli(tmp_path / "a.gif")
    (tmp_path / "b.gif").write_bytes(saved("P", "GIF"))
    assert not made_by_relight_cli(tmp_path / "b.gif")
