"""Colours of videos: what their tags say, judged with the program ffmpeg and its zscale (zimg)."""

import io
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from command_line import Command
from ffmpeg import decode, encode, ffmpeg
from PIL import Image, ImageCms, ImageOps

from relight_cli.errors import PhotoUnreadableError
from relight_cli.videos.video import frames_of, open_video

CASES = Path(__file__).parents[1] / "cases"
H264 = ("-c:v", "libx264", "-qp", "0")
FFV1 = ("-c:v", "ffv1")
VP9 = ("-c:v", "libvpx-vp9", "-lossless", "1")
SRGB = "t=iec61966-2-1:p=bt709"
BLOCK = 8  # pixels


def patches(low: float, high: float, *, grey: bool = False) -> np.ndarray:
    """Give 8 x 6 patches, RGB of 16 bits: colours that no conversion to sRGB clips."""
    colours = np.random.default_rng(4).uniform(low, high, (6, 8, 1 if grey else 3))
    colours[0] = np.linspace(low, high, 8)[:, None]
    colours = np.broadcast_to(colours, (6, 8, 3))
    return np.rint(colours.repeat(BLOCK, 0).repeat(BLOCK, 1) * 65535)


def tagged(primaries: str, transfer: str, matrix: str, full: bool = False) -> tuple[str, ...]:
    names = ("-color_primaries", primaries, "-color_trc", transfer, "-colorspace", matrix)
    return (*names, "-color_range", "pc" if full else "tv")


def write(path: Path, picture: np.ndarray, codec: tuple[str, ...], pixels: str, tags: tuple[str, ...]) -> None:
    """Write numbers as they are, with tags."""
    matrix, wide = tags[5], tags[7] == "pc"
    how = f"zscale=min=gbr:rin=pc:m={matrix}:r={'pc' if wide else 'tv'}:pin=bt709:p=bt709:tin=bt709:t=bt709"
    properties = f"setparams=color_primaries={tags[1]}:color_trc={tags[3]}:colorspace={matrix}"
    encode(path, picture, f"{how},format={pixels},{properties}", *codec, *tags)


P3, BT2020 = "smpte432", "bt2020"
ROWS: list[tuple[str, tuple[str, ...], str, tuple[str, ...], str, tuple[float, float]]] = [
    # name, codec, pixel format, tags, what ffmpeg takes them for, range of the patches
    ("v.mp4", H264, "yuv444p", tagged("bt709", "bt709", "bt709"), "", (0.0, 1.0)),
    ("v.mp4", H264, "yuv444p", tagged("bt709", "bt709", "bt709", full=True), "", (0.0, 1.0)),
    ("v.mkv", FFV1, "yuv444p10le", tagged("bt709", "iec61966-2-1", "bt709"), "", (0.0, 1.0)),
    ("v.mp4", H264, "yuv444p10le", tagged("bt709", "bt709", "bt709", full=True), "", (0.0, 1.0)),
    ("v.mp4", H264, "yuv444p", tagged("smpte170m", "smpte170m", "smpte170m"), "", (0.0, 1.0)),
    ("v.mp4", H264, "yuv444p", tagged("bt709", "smpte240m", "smpte240m"), "", (0.0, 1.0)),
    ("v.mov", H264, "yuv444p10le", tagged(P3, "bt709", "bt709"), "tin=iec61966-2-1", (0.3, 0.6)),
    ("v.mp4", H264, "yuv444p", tagged(P3, "iec61966-2-1", "bt709", full=True), "tin=iec61966-2-1", (0.3, 0.6)),
    ("v.mkv", FFV1, "yuv444p12le", tagged("smpte431", "iec61966-2-1", "bt709"), "tin=iec61966-2-1", (0.3, 0.6)),
    ("v.webm", VP9, "yuv444p10le", tagged(BT2020, "bt2020-10", "bt2020nc"), "tin=iec61966-2-1", (0.4, 0.6)),
    ("v.mkv", FFV1, "yuv444p16le", tagged(BT2020, "bt2020-12", "bt2020nc"), "tin=iec61966-2-1", (0.4, 0.6)),
    ("v.mp4", H264, "yuv444p", tagged("bt709", "bt470m", "bt709"), "tin=bt470m", (0.1, 1.0)),
    ("v.mp4", H264, "yuv444p", tagged("bt470bg", "bt470bg", "bt470bg"), "tin=bt470bg:pin=bt709", (0.1, 1.0)),
    ("v.mkv", FFV1, "yuv444p16le", tagged("bt709", "linear", "bt709"), "tin=linear", (0.0, 1.0)),
    ("v.mp4", H264, "yuv444p10le", tagged(BT2020, "smpte2084", "bt2020nc"), "tin=smpte2084:npl=203", (0.35, 0.5)),
    ("v.mkv", FFV1, "yuv444p10le", tagged(BT2020, "smpte2084", "bt2020nc", True), "tin=smpte2084:npl=203", (0.35, 0.5)),
    ("v.webm", VP9, "yuv444p10le", tagged(P3, "smpte2084", "bt709"), "tin=smpte2084:npl=203", (0.3, 0.5)),
    ("v.mp4", H264, "yuv444p10le", tagged(BT2020, "arib-std-b67", "bt2020nc"), "tin=arib-std-b67:npl=203", (0.05, 0.7)),
]


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{'-'.join(row[3][1:6:2])}-{row[2]}{'-full' * (row[3][7] == 'pc')}"
)
def test_colours_are_those_of_the_tags(tmp_path: Path, row: tuple) -> None:
    name, codec, pixels, tags, taken_for, (low, high) = row
    path = tmp_path / name
    hlg = "arib" in tags[3]  # of whose colours zimg takes each channel's brightness for that of all: greys only
    picture = patches(low, high, grey=hlg)
    write(path, picture, codec, pixels, tags)
    if taken_for:
        linear = f"zscale={taken_for}:t=linear,format=gbrpf32le," if "npl" in taken_for or "linear" in taken_for else ""
        wanted = decode(
            path, picture.shape[:2], f"{linear}zscale={SRGB}{'' if linear else ':' + taken_for},format=gbrp16le"
        )
    else:
        wanted = np.broadcast_to(picture / 65535, (3, *picture.shape))
    video = open_video(path, max_pixels=10**6)
    assert bool(video.notes) == (bool(taken_for) or "smpte170m" in tags[1])
    off = np.stack(list(frames_of(path))) / 255 - wanted
    assert np.abs(off).max() < (2.6 if pixels == "yuv444p" else 1.2) / 255


SIZES = [(720, 1280, 1), (720, 960, 1), (534, 1280, 1), (1280, 720, 1), (576, 720, 5), (480, 640, 5), (700, 800, 5)]


@pytest.mark.parametrize(("height", "width", "matrix"), SIZES)
@pytest.mark.parametrize("kind", [".mp4", ".avi", ".mkv"])
def test_untagged_videos(tmp_path: Path, height: int, width: int, matrix: int, kind: str) -> None:
    picture = np.full((height, width, 3), (0.8 * 65535, 0.2 * 65535, 0.4 * 65535))
    name = {1: "bt709", 5: "bt470bg"}[matrix]
    how = f"zscale=min=gbr:rin=pc:m={name}:r=tv:pin=bt709:p=bt709:tin=bt709:t=bt709,format=yuv420p"
    nothing = "setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown:range=unknown"
    codec = ("-c:v", "mpeg4", "-q:v", "1") if kind == ".avi" else H264
    encode(tmp_path / f"v{kind}", picture, f"{how},{nothing}", *codec, frames=1)
    frame = next(frames_of(tmp_path / f"v{kind}"))
    assert np.abs(frame.astype(float) / 255 - picture / 65535).max() < 3 / 255
    assert open_video(tmp_path / f"v{kind}", max_pixels=10**7).notes == ()


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        (tagged("bt709", "bt709", "ycgco"), "YCgCo"),
        (tagged("bt2020", "bt2020-10", "bt2020c"), "constant luminance"),
        (tagged("bt709", "log100", "bt709"), "transfer characteristics 9"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_line(
    tmp_path: Path, command: Command, tags: tuple[str, ...], named: str
) -> None:
    properties = f"setparams=color_primaries={tags[1]}:color_trc={tags[3]}:colorspace={tags[5]}"
    encode(tmp_path / "v.mp4", patches(0, 1), f"format=yuv444p,{properties}", *H264, *tags)
    with pytest.raises(PhotoUnreadableError, match=named):
        open_video(tmp_path / "v.mp4", max_pixels=10**6)
    run = command("interpolate-timelapse", "v.mp4", "--mode", "image", "-o", "out.mp4")
    assert (run.code, len(run.lines)) == (4, 1)
    assert "v.mp4" in run.err
    assert "convert it to BT.709" in run.err
    assert not (tmp_path / "out.mp4").exists()


def test_hlg_light_is_that_of_the_standard(tmp_path: Path) -> None:
    """BT.2100, table 5: the inverse OETF, and an OOTF of the luminance to the power of 0.2, for 1000 cd/m2."""
    signal = np.array([0.55, 0.42, 0.48])
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    light = 1000 / 203 * (scene @ (0.2627, 0.6780, 0.0593)) ** 0.2 * scene
    to_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])  # BT.2087
    linear = to_709 @ light
    wanted = 1.055 * linear ** (1 / 2.4) - 0.055
    write(
        tmp_path / "v.mp4",
        np.broadcast_to(signal * 65535, (48, 64, 3)),
        H264,
        "yuv444p10le",
        tagged(BT2020, "arib-std-b67", "bt2020nc"),
    )
    assert np.abs(next(frames_of(tmp_path / "v.mp4"))[20, 20] / 255 - wanted).max() < 1.2 / 255


def middles(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    return frame[height // 2, [int((n + 0.5) * width / 7) for n in range(7)]].astype(float)


def test_the_case_of_hlg(command: Command, tmp_path: Path) -> None:
    run = command("interpolate-timelapse", CASES / "hlg10.mp4", "--between", 0, "--mode", "image", "-o", "out.mp4")
    assert run.code == 0
    assert "HLG" in run.err
    assert "203 cd/m2" in run.err
    white = decode(tmp_path / "out.mp4", (120, 160))[0, 60, 10]
    wanted = decode(
        CASES / "hlg10.mp4", (120, 160), f"zscale=t=linear:npl=203,format=gbrpf32le,zscale={SRGB}:m=gbr,format=gbrp16le"
    )[0, 60, 10]
    assert np.abs(white - wanted).max() < 3 / 255


def test_the_case_of_untagged_hd(command: Command, tmp_path: Path) -> None:
    run = command("interpolate-timelapse", CASES / "bars720_untagged.mp4", "--between", 0, "--mode", "image", "-o", "f")
    assert run.code == 0
    frame = np.asarray(Image.open(tmp_path / "f" / "frame_0001.png"))
    judged = decode(CASES / "bars720_untagged.mp4", (720, 1280), "zscale=min=bt709:rin=tv:m=gbr:r=pc,format=gbrp16le")[
        0
    ]
    assert np.abs(middles(frame) / 255 - middles(judged)).max() < 2 / 255


STREAM_CODECS = {
    "h264": ("-c:v", "libx264"),
    "hevc": ("-c:v", "libx265", "-x265-params", "log-level=0"),
    "av1": ("-c:v", "libaom-av1", "-cpu-used", "8"),
}
STATEMENTS = {"709": tagged("bt709", "bt709", "bt709"), "2020": tagged(BT2020, "smpte2084", "bt2020nc"), "none": ()}


@pytest.mark.parametrize("codec", STREAM_CODECS)
@pytest.mark.parametrize("kind", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("stream", "container", "wanted", "noted"),
    [
        ("2020", "none", "2020", False),
        ("none", "2020", "2020", False),
        ("2020", "709", "2020", True),
        ("709", "2020", "709", True),
        ("709", "709", "709", False),
    ],
)
def test_the_stream_counts_more_than_the_container(
    tmp_path: Path, codec: str, kind: str, stream: str, container: str, wanted: str, noted: bool
) -> None:
    """As FFmpeg decides; the contradiction is noted."""
    tags, other = STATEMENTS[stream], STATEMENTS[container][:6]
    states = f",setparams=color_primaries={tags[1]}:color_trc={tags[3]}:colorspace={tags[5]}" if tags else ""
    encode(tmp_path / "s.mkv", patches(0.2, 0.8), f"format=yuv420p{states}", *STREAM_CODECS[codec], *tags, frames=1)
    ffmpeg("-i", tmp_path / "s.mkv", "-c", "copy", *other, tmp_path / f"v{kind}")
    notes = " ".join(open_video(tmp_path / f"v{kind}", max_pixels=10**6).notes)
    assert ("PQ" in notes) is (wanted == "2020")
    assert ("container states other colours" in notes) is noted


@pytest.mark.parametrize(("form", "noted"), [("yuva444p", True), ("gbrap", True), ("gbrp", False)])
def test_transparency_is_noted(tmp_path: Path, form: str, noted: bool) -> None:
    fade = "geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='X'," if noted else ""
    encode(tmp_path / "v.mkv", patches(0, 1), f"format=gbrap,{fade}format={form}", "-c:v", "ffv1")
    assert any("transparency" in note for note in open_video(tmp_path / "v.mkv", max_pixels=10**6).notes) is noted


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
@pytest.mark.parametrize("kind", [".webm", ".mkv"])
def test_transparency_beside_the_frames_is_noted(tmp_path: Path, codec: str, kind: str) -> None:
    faded = "format=yuva420p,lutyuv=a=100"
    encode(tmp_path / "s.webm", patches(0, 1), faded, "-c:v", codec, "-auto-alt-ref", "0")
    ffmpeg("-i", tmp_path / "s.webm", "-c", "copy", tmp_path / f"v{kind}")
    assert "its transparency is left out" in open_video(tmp_path / f"v{kind}", max_pixels=10**6).notes


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kind", [".mov", ".avi", ".mkv"])
@pytest.mark.parametrize("orientation", [1, 2, 5, 6])
def test_frames_that_are_photos_with_exif_data(tmp_path: Path, suffix: str, kind: str, orientation: int) -> None:
    """Judged with Pillow."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    picture = Image.fromarray((patches(0.1, 0.9) / 257).astype(np.uint8))
    picture.save(tmp_path / f"p{suffix}", exif=exif, quality=100, subsampling=0)
    ffmpeg("-framerate", 10, "-i", tmp_path / f"p{suffix}", "-c:v", "copy", tmp_path / f"v{kind}")
    assert open_video(tmp_path / f"v{kind}", max_pixels=10**6).notes == ()
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / f"p{suffix}")))
    assert np.abs(next(frames_of(tmp_path / f"v{kind}")).astype(int) - wanted).max() <= 2


@pytest.mark.parametrize(("suffix", "codec"), [(".jpg", "copy"), (".png", "copy"), (".png", "png")])
@pytest.mark.parametrize("kind", [".mov", ".avi", ".mkv"])
def test_icc_profiles_of_frames(tmp_path: Path, suffix: str, codec: str, kind: str) -> None:
    """Judged with Pillow. A second process shows that Python ends, which PyAV prevents for named profiles."""
    icc = bytes(imagecodecs.cms_profile("adobergb"))
    picture = Image.fromarray((patches(0.4, 0.6) / 257).round().astype(np.uint8))
    picture.save(tmp_path / f"p{suffix}", icc_profile=icc, quality=100, subsampling=0)
    ffmpeg("-framerate", 10, "-i", tmp_path / f"p{suffix}", "-c:v", codec, tmp_path / f"v{kind}")
    show = f"from pathlib import Path; from relight_cli.videos.video import *; p = Path('v{kind}'); "
    show += "print(open_video(p, max_pixels=10**6).notes, next(frames_of(p)).tobytes().hex())"
    shown = subprocess.run(
        [sys.executable, "-c", show], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "ICC profile" in shown
    frame = np.frombuffer(bytes.fromhex(shown.split()[-1]), np.uint8).reshape(np.asarray(picture).shape)
    profiles = (ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB"))
    wanted = ImageCms.profileToProfile(Image.open(tmp_path / f"p{suffix}"), *profiles, renderingIntent=1)
    assert np.abs(frame.astype(int) - np.asarray(wanted)).max() <= 1
