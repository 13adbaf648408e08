"""Orientation, pixel aspect and times of videos, judged with the program ffmpeg."""

import re
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from ffmpeg import decode, encode, ffmpeg, shown
from PIL import Image

from relight_cli.videos.timing import ticks_of, timing_of
from relight_cli.videos.video import frames_of, open_video

CASES = Path(__file__).parents[1] / "cases"
SIZE = (48, 64)
QUICK = ("--between", 0, "--mode", "image")
QUARTERS = [(angle, flips) for angle in (0, 90, 180, 270) for flips in ((), ("-display_hflip",), ("-display_vflip",))]


def corner() -> np.ndarray:
    """Give a picture with a different colour in each quarter."""
    colours = np.array([[(0.9, 0.1, 0.1), (0.1, 0.9, 0.1)], [(0.1, 0.1, 0.9), (0.8, 0.8, 0.8)]])
    return colours.repeat(SIZE[0] // 2, 0).repeat(SIZE[1] // 2, 1) * 65535


def write(path: Path, *options: str, filters: str = "null", frames: int = 3, rate: float = 10) -> None:
    encode(path, corner(), f"{filters},format=yuv444p", *options, frames=frames, rate=rate)


@pytest.mark.parametrize(("angle", "flips"), QUARTERS)
def test_all_display_matrices(tmp_path: Path, angle: int, flips: tuple[str, ...]) -> None:
    write(tmp_path / "plain.mp4")
    ffmpeg("-display_rotation:v:0", angle, *flips, "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "v.mp4")
    shape = SIZE if angle % 180 == 0 else SIZE[::-1]
    video = open_video(tmp_path / "v.mp4", max_pixels=10**6)
    assert (video.height, video.width, video.notes) == (*shape, ())
    frame = next(frames_of(tmp_path / "v.mp4"))
    assert np.abs(frame / 255 - decode(tmp_path / "v.mp4", shape)[0]).max() < 4 / 255


@pytest.mark.parametrize("orientation", ["rotate=90", "rotate=270:flip=horizontal", "flip=vertical"])
def test_orientation_in_the_bitstream(tmp_path: Path, orientation: str) -> None:
    write(tmp_path / "plain.mp4")
    bitstream = f"h264_metadata=display_orientation=insert:{orientation}"
    ffmpeg("-i", tmp_path / "plain.mp4", "-c", "copy", "-bsf:v", bitstream, tmp_path / "v.mkv")
    shape = SIZE[::-1] if "rotate" in orientation else SIZE
    frame = next(frames_of(tmp_path / "v.mkv"))
    assert np.abs(frame / 255 - decode(tmp_path / "v.mkv", shape)[0]).max() < 4 / 255


def test_an_odd_angle_is_noted(tmp_path: Path) -> None:
    write(tmp_path / "plain.mp4")
    ffmpeg("-display_rotation:v:0", 80, "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "v.mp4")
    video = open_video(tmp_path / "v.mp4", max_pixels=10**6)
    assert (video.height, video.width) == SIZE[::-1]
    assert "nearest" in video.notes[0]


def test_the_case_of_a_mirrored_video(command: Command, tmp_path: Path) -> None:
    assert command("interpolate-timelapse", CASES / "hflip.mp4", *QUICK, "-o", "f").code == 0
    frame = np.asarray(Image.open(tmp_path / "f" / "frame_0001.png")) / 255
    wanted = decode(CASES / "hflip.mp4", (120, 160))[0]
    assert np.abs(frame - wanted).mean() < 6 / 255  # colours between pixels are interpolated differently
    assert np.abs(frame[::-1] - wanted).mean() > 30 / 255


def aspect_of(path: Path) -> str | None:
    found = re.search(r"SAR (\d+:\d+)", ffmpeg("-i", path, "-f", "null", "-", level="info").stderr.decode())
    return found and found[1]


@pytest.mark.parametrize("source", ["v.mp4", "v.mov", "v.mkv", "v.avi", "turned.mp4"])
@pytest.mark.parametrize("kind", [".mp4", ".mov", ".gif", ".webm", ""])
def test_pixel_aspect_is_kept_or_noted(command: Command, tmp_path: Path, source: str, kind: str) -> None:
    plain = f"plain{Path(source).suffix}"
    write(tmp_path / plain, filters="setsar=4/3")
    turn = ("-display_rotation:v:0", 90) if source == "turned.mp4" else ()
    ffmpeg(*turn, "-i", tmp_path / plain, "-c", "copy", tmp_path / source)
    run = command("interpolate-timelapse", source, *QUICK, "-o", f"out{kind}")
    assert run.code == 0
    wanted = "3:4" if source == "turned.mp4" else "4:3"
    assert (f"its pixels are {wanted}" in run.err) == (kind == ".webm") == ("pixels" in run.err)
    if kind == "":
        with Image.open(tmp_path / "out" / "frame_0001.png") as image:
            assert image.info["aspect"] == tuple(int(part) for part in wanted.split(":")[::-1])  # dots per unit
    elif kind != ".webm":
        across, down = (int(part) for part in str(aspect_of(tmp_path / f"out{kind}")).split(":"))
        assert across / down == pytest.approx(4 / 3 if wanted == "4:3" else 3 / 4, abs=0.01)


def test_the_case_of_pixel_aspect(command: Command, tmp_path: Path) -> None:
    assert command("interpolate-timelapse", CASES / "sar2.mp4", *QUICK, "-o", "out.mp4").code == 0
    assert aspect_of(tmp_path / "out.mp4") == "2:1"


@pytest.mark.parametrize("dots", [(1, 2), (3, 4), (5, 4), (1, 1)])
def test_photos_hand_their_pixel_aspect_on_to_a_video_and_back(
    command: Command, tmp_path: Path, dots: tuple[int, int]
) -> None:
    across, down = dots
    for number in (1, 2, 3):
        picture = Image.fromarray((corner() / 257).astype(np.uint8))
        picture.save(tmp_path / f"{number}.tif", x_resolution=across * 100, y_resolution=down * 100, resolution_unit=2)
    run = command("interpolate-timelapse", *(f"{number}.tif" for number in (1, 2, 3)), *QUICK, "-o", "out.mp4")
    assert run.code == 0
    assert "pixels" not in run.err
    square = across == down
    assert aspect_of(tmp_path / "out.mp4") in ([None, "1:1"] if square else [f"{down}:{across}"])
    run = command("interpolate-timelapse", *(f"{number}.tif" for number in (1, 2, 3)), *QUICK, "-o", "out.webm")
    assert (f"its pixels are {down}:{across}" in run.err) is not square


def test_photos_of_several_pixel_aspects_are_noted(command: Command, tmp_path: Path) -> None:
    for number, across in ((1, 100), (2, 100), (3, 200)):
        picture = Image.fromarray((corner() / 257).astype(np.uint8))
        picture.save(tmp_path / f"{number}.tif", x_resolution=across, y_resolution=100, resolution_unit=2)
    run = command("interpolate-timelapse", "1.tif", "2.tif", "3.tif", *QUICK, "-o", "out.mp4")
    assert run.code == 0
    assert "frame 3 has pixels of 1:2, the video has 1:1" in run.err


def add_clean_aperture(path: Path, target: Path, size: tuple[int, int], offset: tuple[int, int]) -> None:
    """Add a clap box to an MP4 whose index is at its end (ISO 14496-12, section 12.1.4)."""
    data = bytearray(path.read_bytes())
    box = struct.pack(">I4s8i", 40, b"clap", size[1], 1, size[0], 1, offset[1], 1, offset[0], 1)
    entry = data.find(b"avc1", data.find(b"stsd")) - 4
    data[entry + 86 : entry + 86] = box
    for name in (b"avc1", b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        start = data.rfind(name, 0, entry + 8) - 4
        struct.pack_into(">I", data, start, struct.unpack_from(">I", data, start)[0] + len(box))
    target.write_bytes(data)


@pytest.mark.parametrize("turn", [0, 90, 180])
@pytest.mark.parametrize("kind", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(("size", "offset"), [((32, 40), (0, 0)), ((20, 30), (-6, 8)), ((48, 63), (0, 0))])
def test_clean_apertures_are_cropped(
    command: Command, tmp_path: Path, turn: int, kind: str, size: tuple[int, int], offset: tuple[int, int]
) -> None:
    write(tmp_path / "plain.mp4")
    add_clean_aperture(tmp_path / "plain.mp4", tmp_path / "clap.mp4", size, offset)
    ffmpeg("-display_rotation:v:0", turn, "-i", tmp_path / "clap.mp4", "-c", "copy", tmp_path / f"v{kind}")
    shape = size if turn % 180 == 0 else size[::-1]
    assert command("interpolate-timelapse", f"v{kind}", *QUICK, "-o", "out").code == 0
    frame = np.asarray(Image.open(tmp_path / "out" / "frame_0001.png"))
    assert frame.shape[:2] == shape
    assert np.abs(frame / 255 - decode(tmp_path / f"v{kind}", shape)[0]).max() < 4 / 255


STEPS = (0, 2, 3, 9, 10, 16)  # tenths of a second; the last frame is shown for one


@pytest.mark.parametrize("source", ["v.mp4", "v.mov", "v.mkv", "v.webm", "v.gif"])
@pytest.mark.parametrize("kind", [".mp4", ".mov", ".webm", ".gif"])
def test_frames_keep_their_own_times(command: Command, tmp_path: Path, source: str, kind: str) -> None:
    chosen = f"select='{'+'.join(f'eq(n,{n})' for n in STEPS)}'"
    fade = "geq=r='r(X,Y)*(1-N/40)':g='g(X,Y)':b='b(X,Y)'"
    vp9 = ("-c:v", "libvpx-vp9") if source == "v.webm" else ()
    write(tmp_path / source, "-fps_mode", "vfr", *vp9, filters=f"format=gbrp,{fade},{chosen}", frames=17)
    run = command("interpolate-timelapse", source, *QUICK, "-o", f"out{kind}")
    assert run.code == 0
    times, end = shown(tmp_path / f"out{kind}")
    assert times == pytest.approx([step / 10 for step in STEPS], abs=0.0051)
    assert end == pytest.approx(1.7, abs=0.011) or source == "v.gif"  # FFmpeg may repeat a GIF's delay at the end


def test_the_case_of_variable_frame_rate(command: Command, tmp_path: Path) -> None:
    own = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 1.5, 2.0, 2.5]
    for options, wanted, length in (
        (("--between", 0), own, 2.6),
        (("--between", 1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5], 5.1),
        (("--fps", 10), [number / 10 for number in range(10)], 1.0),
        (("--frames", 6), [number / 10 for number in range(6)], 0.6),
    ):
        run = command(
            "interpolate-timelapse", CASES / "vfr.mp4", "--mode", "image", *options, "-o", "o.mp4", "--overwrite"
        )
        assert run.code == 0
        times, end = shown(tmp_path / "o.mp4")
        assert times == pytest.approx(wanted, abs=1e-3)
        assert length - 0.25 < end < length + 0.01  # with B-frames FFmpeg reads the end too early


def test_even_frames_of_a_variable_video_are_even_in_time() -> None:
    """--frames are evenly spaced in the video's own time."""
    from relight_cli.timelapse.frames import open_frames

    frames = open_frames(CASES / "vfr.mp4")
    assert frames.times == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 1.5, 2.0, 2.5])


@pytest.mark.parametrize(
    ("times", "variable", "own"),
    [
        ([0.0, 0.033, 0.067, 0.1], False, [0, 1 / 30, 2 / 30, 3 / 30]),  # rounded to milliseconds
        ([5.0, 5.033, 5.067, 5.1], False, [0, 1 / 30, 2 / 30, 3 / 30]),
        ([0.0, 0.033, 0.2, 0.3], True, [0, 0.033, 0.2, 0.3]),
        ([None, None, None], False, [0, 1 / 30, 2 / 30]),
        ([0.0, 0.0, 0.1], True, [0, 0.05, 0.1]),
        ([0.0, None, 0.5], True, [0, 0.25, 0.5]),
        ([0.0, None, 2 / 30], False, [0, 1 / 30, 2 / 30]),
        ([None, 0.1, 9.0, 0.2, 0.4, None], True, [0, 1 / 30, 1 / 12, 4 / 30, 1 / 3, 11 / 30]),
        ([0.0, 0.0, 0.0, 0.0], False, [0, 1 / 30, 2 / 30, 0.1]),
        ([0.3, 0.2, 0.1, 0.0], False, [0, 1 / 30, 2 / 30, 0.1]),
    ],
)
def test_times_of_frames(times: list[float | None], variable: bool, own: list[float]) -> None:
    timing = timing_of(times, 30, 0.001, 0.5)
    assert timing.variable is variable
    assert timing.times == pytest.approx(own)
    assert timing.last == pytest.approx(0.5 if variable else 1 / 30)
    unknown = len(set(times)) < len(times) or None in times or times != sorted(times)
    assert bool(timing.notes) is (unknown and times != [None, None, None])


def fading(path: Path, *options: object, frames: int = 24, rate: str = "25", filters: str = "null") -> None:
    """Write a video whose frames become brighter."""
    drawn = f"trim=end_frame={frames},geq=lum='16+N*8':cb=128:cr=128,{filters}"
    ffmpeg("-f", "lavfi", "-i", f"color=black:s=64x48:r={rate}", "-vf", drawn, *options, path)


@pytest.mark.parametrize("kind", [".mp4", ".mov", ".mkv", ".mts"])
@pytest.mark.parametrize("options", [("-bf", 0), ("-bf", 2)])
@pytest.mark.parametrize("cut", [("-ss", "0.3"), ("-itsoffset", "3.7"), ("-ss", "0.3", "-t", "0.3")])
def test_frames_that_an_edit_list_hides(
    command: Command, tmp_path: Path, kind: str, options: tuple[object, ...], cut: tuple[str, ...]
) -> None:
    fading(tmp_path / "s.mp4", "-c:v", "libx264", *options, rate="30000/1001")
    ffmpeg(*cut, "-i", tmp_path / "s.mp4", "-c", "copy", tmp_path / f"v{kind}")
    judged, _ = shown(tmp_path / f"v{kind}")
    video = open_video(tmp_path / f"v{kind}", max_pixels=10**6)
    assert video.damage is None
    assert video.timing.times == pytest.approx([time - judged[0] for time in judged], abs=2e-3)
    assert bool((np.diff([frame.mean() for frame in frames_of(tmp_path / f"v{kind}")]) > 1).all())
    assert command("interpolate-timelapse", f"v{kind}", *QUICK, "-o", "o.mp4").code == 0


@pytest.mark.parametrize("codec", [("libx264", "-bf", 0), ("mpeg4",), ("mjpeg",)])
@pytest.mark.parametrize("rate", ["25", "30000/1001"])
def test_an_avi_with_empty_packets(tmp_path: Path, codec: tuple[object, ...], rate: str) -> None:
    chosen = (0, 1, 4, 5, 6, 13, 14, 20)
    select = f"select='{'+'.join(f'eq(n,{n})' for n in chosen)}'"
    fading(tmp_path / "v.avi", "-c:v", *codec, "-fps_mode", "vfr", rate=rate, filters=select)
    video = open_video(tmp_path / "v.avi", max_pixels=10**6)
    assert (video.damage, video.notes) == (None, ())
    seconds = 1 / 25 if rate == "25" else 1001 / 30000
    assert video.timing.times == pytest.approx([number * seconds for number in chosen], abs=1e-3)


def test_a_cut_off_avi_is_noticed(tmp_path: Path) -> None:
    fading(tmp_path / "s.avi", "-c:v", "mjpeg", "-q:v", "1")
    data = (tmp_path / "s.avi").read_bytes()
    (tmp_path / "v.avi").write_bytes(data[: len(data) // 2])
    video = open_video(tmp_path / "v.avi", max_pixels=10**6)
    assert 0 < video.count < 24
    assert "copy the video again" in str(video.damage)


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "60000/1001", "12", "15/2", "1", "120"])
@pytest.mark.parametrize("kind", [".mp4", ".mkv", ".webm", ".avi", ".mts"])
def test_an_even_rate_stays_even(tmp_path: Path, rate: str, kind: str) -> None:
    """Matroska and WebM count milliseconds."""
    codec = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(kind, "libx264")
    fading(tmp_path / f"v{kind}", "-c:v", codec, rate=rate, frames=8)
    video = open_video(tmp_path / f"v{kind}", max_pixels=10**6)
    assert (video.count, video.damage, video.notes, video.timing.variable) == (8, None, (), False)
    assert video.rate == pytest.approx(float(Fraction(rate)), rel=1e-3)


def test_every_frame_is_shown_for_a_tick() -> None:
    assert ticks_of([0.0, 0.001, 0.002, 0.5, 1.0], 100) == {0: 1, 1: 1, 2: 48, 50: 50}
