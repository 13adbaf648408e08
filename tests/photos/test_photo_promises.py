"""Commands keep bit depth, formats and metadata; each test is named after its promise."""

import io
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from command_line import Command
from photo_fixtures import cmyk_profile, dng, exif_block, smooth, wide_profile
from PIL import Image, ImageCms

from relight_cli.photos.header import made_by_relight_cli
from relight_cli.photos.metadata import SOFTWARE, Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.provenance import history
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo
from relight_cli.rasters.bit_depth import from_unit

TINY = ("--model", "tiny", "--light", "reference.png", "--reference", "latents")
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="\u00e9 51.5 N"/>'
    "</rdf:RDF></x:xmpmeta>"
).encode()
NOTE = b"MAKER\0" + bytes(range(250))


def at(path: str) -> Photo:
    return read_photo(Path(path), max_pixels=10**6)


def full_exif() -> tuple[bytes, bytes]:
    """Return a turned EXIF block with a maker note, GPS data and a thumbnail; and the thumbnail's bytes."""
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(thumbnail, "JPEG")
    block = bytearray(exif_block(6))
    gps_at = len(block)
    block += struct.pack("<HHHI4sI", 1, 0x001D, 2, 11, struct.pack("<I", gps_at + 18), 0) + b"2026:01:02\0\0"
    second = len(block)
    picture = thumbnail.getvalue()
    places = (0x0201, 4, 1, second + 30, 0x0202, 4, 1, len(picture), 0)
    block += struct.pack("<HHHIIHHIII", 2, *places) + picture
    first = len(block) + len(block) % 2
    block += bytes(len(block) % 2)
    entries = [bytes(block[10 + 12 * n : 22 + 12 * n]) for n in range(3)]
    entries.append(struct.pack("<HHII", 0x8825, 4, 1, gps_at))
    block += struct.pack("<H", 4) + b"".join(entries) + struct.pack("<I", second)
    struct.pack_into("<I", block, 4, first)
    return bytes(block), picture


def write_full(path: str, size: tuple[int, int] = (90, 60)) -> bytes:
    """Write a photo with every kind of metadata; return its thumbnail."""
    exif, thumbnail = full_exif()
    picture = (smooth(size[1], size[0]) * 255).round().astype(np.uint8)
    icc = wide_profile("P3")
    if path.endswith(".avif"):  # Pillow moves its orientation to a box
        Image.fromarray(picture).save(path, exif=exif, xmp=XMP, icc_profile=icc)
    else:
        write_photo(Photo(picture, metadata=Metadata(exif, icc, XMP, (300, 150))), Path(path))
    return thumbnail


@pytest.mark.parametrize(
    ("task", "suffix"),
    [("relight", ".jpg"), ("relight", ".webp"), ("relight", ".avif"), ("deshadow", ".png"), ("albedo", ".jpg")],
)
def test_metadata_comes_through_byte_for_byte(task: str, suffix: str, command: Command, scene: Path) -> None:
    thumbnail = write_full(f"a{suffix}")
    assert suffix == ".avif" or thumbnail in Path(f"a{suffix}").read_bytes()  # Pillow drops it from AVIF
    light = TINY if task == "relight" else TINY[:2]
    assert command(task, f"a{suffix}", *light, "-o", f"b{suffix}", "-q").code == 0
    before, after = at(f"a{suffix}"), at(f"b{suffix}")
    assert after.pixels.shape == (90, 60, 3)  # upright
    exif = after.metadata.exif
    assert thumbnail[-40:] not in Path(f"b{suffix}").read_bytes()
    read = Image.Exif()
    read.load(exif)
    assert (read[0x010F], read.get(0x0112, 1), read[0x0131]) == ("Camera1", 1, SOFTWARE)
    assert read.get_ifd(0x8769)[0x927C] == NOTE
    assert exif.index(NOTE) == before.metadata.exif.index(NOTE)  # so that its offsets stay valid
    assert read.get_ifd(0x8825)[0x001D] == "2026:01:02"
    assert not read.get_ifd(1)
    assert after.metadata.icc == before.metadata.icc == wide_profile("P3")
    assert after.metadata.dpi == before.metadata.dpi  # turned with the picture
    end = XMP.index(b"</rdf:RDF>")
    assert after.metadata.xmp.startswith(XMP[:end])
    assert after.metadata.xmp.endswith(XMP[end:])


def test_the_history_says_how_and_nothing_private(command: Command, scene: Path) -> None:
    folder = Path("secret")
    folder.mkdir()
    Path("reference.png").rename(folder / "reference.png")
    given = (
        "relight",
        "photo.png",
        "--model",
        "tiny",
        "--light",
        "secret/reference.png",
        "--strength",
        "0.5",
        "--reference",
        "latents",
    )
    assert command(*given, "-o", "b.png").code == 0
    entry = history(at("b.png").metadata.xmp)[-1]
    assert entry["softwareAgent"] == SOFTWARE
    facts = json.loads(entry["parameters"])
    assert (facts["model"], facts["options"]["strength"], facts["options"]["light"]) == ("tiny", 0.5, "reference.png")
    assert len(facts["sha256"]) == 64
    assert b"secret" not in Path("b.png").read_bytes()
    assert command(*given, "-o", "c.png").code == 0
    assert Path("b.png").read_bytes() == Path("c.png").read_bytes()


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".jp2"])
def test_strip_takes_all_but_the_colours(suffix: str, command: Command, scene: Path) -> None:
    write_full("a.jpg")
    assert command("relight", "a.jpg", *TINY, "-o", f"b{suffix}", "--strip", "-q").code == 0
    data = Path(f"b{suffix}").read_bytes()
    for word in (b"Camera1", b"MAKER", b"2026:01:02", b"51.5 N", b"relight-cli", b"adobe"):
        assert word not in data
    after = at(f"b{suffix}").metadata
    assert after.icc == wide_profile("P3")
    assert (after.exif, after.xmp) == (None, None)
    assert after.dpi in (None, (1.0, 1.0))  # how a TIFF says that it has none


def test_strip_leaves_no_original_among_the_frames_of_a_timelapse(command: Command, scene: Path) -> None:
    Path("in").mkdir()
    for number in range(2):
        write_full(f"in/{number}.jpg")
    given = ("interpolate-timelapse", "in", "--between", "1", "--mode", "image", "-q")
    assert command(*given, "-o", "out", "--strip").code == 0
    assert command(*given, "-o", "kept").code == 0
    for number in range(1, 4):
        assert b"Camera1" not in Path(f"out/frame_{number:04}.jpg").read_bytes()
        assert b"Camera1" in Path(f"kept/frame_{number:04}.jpg").read_bytes()
        assert made_by_relight_cli(Path(f"kept/frame_{number:04}.jpg"))


def test_broken_metadata_is_a_warning(command: Command, scene: Path) -> None:
    Image.new("RGB", (40, 30), "grey").save(
        "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\0\0", xmp=b"<rdf:RDF", icc_profile=b"?"
    )
    done = command("relight", "a.jpg", *TINY)
    assert done.code == 0
    assert all(word in done.err for word in ("EXIF", "XMP", "profile"))
    assert all(line.startswith("a.jpg: ") for line in done.lines), done.lines
    assert at("a_relit.jpg").metadata.xmp == b"<rdf:RDF"


def sixteen(suffix: str, grey: bool) -> Photo:
    pixels = from_unit(smooth()[..., :1] if grey else smooth(), np.dtype(np.uint16))
    return Photo(pixels, format="TIFF" if suffix == ".tif" else "PNG")


@pytest.mark.parametrize(
    ("task", "suffix", "grey"),
    [("relight", ".png", False), ("relight", ".tif", True), ("deshadow", ".tif", False), ("albedo", ".jp2", False)],
)
def test_sixteen_bits_in_are_sixteen_bits_out(
    task: str, suffix: str, grey: bool, command: Command, scene: Path
) -> None:
    write_photo(sixteen(suffix, grey), Path(f"a{suffix}"))
    light = TINY if task == "relight" else TINY[:2]
    assert command(task, f"a{suffix}", *light, "-o", f"b{suffix}", "-q").code == 0
    pixels = at(f"b{suffix}").pixels
    assert (pixels.dtype, pixels.shape) == (np.uint16, (48, 1200, 1 if grey else 3))
    row = pixels[24, :, 0].astype(int)
    assert len(np.unique(row)) > 900
    low_bits = np.unique(pixels % 257)
    assert len(low_bits) > 200  # never through 8 bits, whose values are all multiples of 257


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_tiff_stays_float(dtype: str, command: Command, scene: Path) -> None:
    tifffile.imwrite("a.tif", (smooth(48, 64) * 2).astype(dtype), photometric="rgb")
    done = command("relight", "a.tif", *TINY, "--strength", "0")
    assert (done.code, "64 bits" in done.err) == (0, dtype == "float64")
    after = at("a_relit.tif")
    assert after.pixels.dtype == np.float32
    np.testing.assert_allclose(after.pixels, (smooth(48, 64) * 2).astype(dtype), rtol=1e-6)


@pytest.mark.parametrize(("profile", "suffix"), [("AdobeRGB", ".tif"), ("ProPhoto", ".jp2"), ("P3", ".jpg")])
def test_wide_gamuts_come_out_in_their_own_profile_with_the_right_colours(
    profile: str, suffix: str, command: Command, scene: Path
) -> None:
    """Relight the same colours in sRGB and in a wide profile, and compare the results through Pillow's lcms2."""
    icc = wide_profile(profile)
    inside = Photo(from_unit(smooth(48, 96) * 0.4 + 0.3, np.dtype(np.uint8)))
    wide = Photo(inside.pixels, metadata=Metadata(icc=icc)).with_srgb(inside.to_srgb())
    write_photo(inside, Path("s.png"))
    write_photo(wide, Path(f"w{suffix}"), quality=100)
    for name in ("s.png", f"w{suffix}"):
        assert command("relight", name, *TINY, "--quality", "100", "-q").code == 0
    after = at(f"w_relit{suffix}")
    assert after.metadata.icc == icc
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(Image.fromarray(after.pixels), io.BytesIO(icc), srgb, renderingIntent=1)
    assert np.abs(np.asarray(converted).astype(int) - at("s_relit.png").pixels).mean() < 1.5


def test_colours_outside_srgb_stay_outside(command: Command, scene: Path) -> None:
    pixels = np.zeros((40, 40, 3), np.uint16)
    pixels[..., 1] = 50000
    write_photo(Photo(pixels, metadata=Metadata(icc=wide_profile("ProPhoto"))), Path("a.png"))
    assert command("relight", "a.png", *TINY, "--strength", "0.5", "-q").code == 0
    assert at("a_relit.png").to_srgb().min() < -0.2


KINDS = {
    "palette.png": lambda image, path: image.quantize(64).save(path),
    "bilevel.tif": lambda image, path: image.convert("1").save(path),
    "grey.jpg": lambda image, path: image.convert("L").save(path),
    "la.png": lambda image, path: image.convert("LA").save(path),
    "rgba.webp": lambda image, path: image.convert("RGBA").save(path),
    "cmyk.jpg": lambda image, path: image.convert("CMYK").save(path),
    "cmyk.tif": lambda image, path: image.convert("CMYK").save(path),
    "deep-cmyk.tif": lambda image, path: tifffile.imwrite(
        path,
        np.asarray(image.convert("CMYK")).astype(np.uint16) * 257,
        photometric="separated",
        iccprofile=cmyk_profile(),
    ),
    "mpo.jpg": lambda image, path: image.save(path, "MPO", save_all=True, append_images=[image.rotate(180)]),
    "pages.tif": lambda image, path: image.save(path, save_all=True, append_images=[image.rotate(180)]),
    "plain.jp2": lambda image, path: image.save(path),
    "plain.heic": lambda image, path: write_photo(Photo(np.asarray(image)), path),
    "plain.avif": lambda image, path: image.save(path),
    "plain.webp": lambda image, path: image.save(path),
    "light.exr": lambda image, path: write_photo(Photo(np.asarray(image)), path),
}


def test_every_kind_comes_out_as_its_own_kind(command: Command, scene: Path) -> None:
    """Relight with strength 0, so that outputs have to look like inputs."""
    Path("in").mkdir()
    for name, save in KINDS.items():
        save(Image.open("photo.png").convert("RGB").copy(), Path("in") / name)
    done = command("relight", "in", *TINY, "--strength", "0", "-o", "out", "--report", "report.jsonl")
    assert done.code == 0
    assert len(list(Path("out").iterdir())) == len(KINDS)
    for name in KINDS:
        path = Path(name)
        before, after = at(f"in/{name}"), at(f"out/{path.stem}_relit{path.suffix}")
        assert (after.format, after.pixels.shape, after.pixels.dtype) == (
            before.format,
            before.pixels.shape,
            before.pixels.dtype,
        )
        assert np.abs(after.to_srgb() - before.to_srgb()).mean() < 0.02, name
        assert made_by_relight_cli(Path(f"out/{path.stem}_relit{path.suffix}")), name
    for name in ("mpo.jpg", "pages.tif"):
        assert f"{name}: only the first of 2 pictures is used" in done.err
    again = command("relight", "out", *TINY, "-o", "again")
    assert (again.code, Path("again").exists()) == (2, False)  # all of them are outputs of the tool


def test_a_raw_file_becomes_a_linear_sixteen_bit_tiff_or_a_jpeg(command: Command, scene: Path) -> None:
    light = smooth(64, 96)
    Path("a.dng").write_bytes(dng(light / light.max()))
    assert command("relight", "a.dng", *TINY, "--strength", "0", "-q").code == 0
    assert command("relight", "a.dng", *TINY, "--strength", "0", "-q", "-o", "a.jpg").code == 0
    developed, jpeg = at("a_relit.tif"), at("a.jpg")
    np.testing.assert_array_equal(developed.pixels, at("a.dng").pixels)
    assert (developed.pixels.dtype, jpeg.metadata.icc) == (np.uint16, None)
    assert np.abs(developed.to_srgb() - jpeg.to_srgb()).max() < 0.04
    assert command("relight", "a.dng", *TINY, "-o", "b.dng").code == 2


def test_a_description_of_another_shape_is_left_behind(command: Command, scene: Path) -> None:
    pixels = (smooth(32, 48) * 255).astype(np.uint8)
    tifffile.imwrite("a.tif", pixels, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    with tifffile.TiffFile("a.tif") as tiff:
        assert "shape" in tiff.pages.first.description
    assert command("relight", "a.tif", *TINY, "-q").code == 0
    with tifffile.TiffFile("a_relit.tif") as tiff:
        assert tiff.pages.first.description == ""
        assert tiff.series[0].shape == (48, 32, 3)


@pytest.mark.parametrize(("name", "extra"), [("b.heic", "heif"), ("b.exr", "exr")])
def test_a_missing_extra_is_exit_3_before_any_work(
    name: str, extra: str, command: Command, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, {"heif": "pillow_heif", "exr": "OpenEXR"}[extra], None)
    monkeypatch.setattr("relight_cli.checkpoints.models.load_tiny", lambda **_: pytest.fail("a model was loaded"))
    done = command("relight", "photo.png", *TINY, "-o", name)
    assert done.code == 3
    assert f"pip install 'relight-cli[{extra}]'" in done.err
    assert len(done.lines) == 1


def test_one_photo_without_its_extra_costs_only_itself(
    command: Command, scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.dng").write_bytes(dng(smooth(64, 96)))
    monkeypatch.setitem(sys.modules, "rawpy", None)
    done = command("relight", "a.dng", "photo.png", *TINY, "-o", "out")
    assert done.code == 23
    assert "a.dng: camera raw files need an extra: pip install 'relight-cli[raw]'" in done.err
    assert [path.name for path in Path("out").iterdir()] == ["photo_relit.png"]
