"""Videos in another light keep what they are; ffprobe and ffmpeg, other builds than the library, are the judges."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from ffmpeg import decode, ffmpeg, ffprobe, shown
from forked import run_forked
from threads import real_time_threads

from relight_cli.sequences import video as video_module
from relight_cli.videos.facts import read_facts

TONE = ("-f", "lavfi", "-i", "sine=440:sample_rate=16000")
HD = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
X264 = ("-c:v", "libx264", "-preset", "ultrafast")
SUBTITLES = "1\n00:00:00,000 --> 00:00:00,300\nHello\n\n2\n00:00:00,300 --> 00:00:00,600\nWorld\n"


def pictures(size: str, rate: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}")


def portrait(path: Path) -> None:
    plain = path.with_name("plain.mp4")
    when = ("-metadata", "creation_time=2024-05-01T10:00:00.000000Z", "-metadata", "title=Garden")
    ffmpeg(*pictures("64x48", "25"), *TONE, "-frames:v", 8, "-t", 0.32, *X264, "-vf", HD, *when, plain)
    ffmpeg("-display_rotation:v:0", 90, "-i", plain, "-c", "copy", path)
    plain.unlink()


def subtitled(path: Path) -> None:
    texts = path.with_suffix(".srt")
    texts.write_text(SUBTITLES)
    ffmpeg(
        *pictures("64x48", "24"),
        *TONE,
        "-i",
        texts,
        "-frames:v",
        16,
        "-t",
        0.66,
        *X264,
        "-vf",
        HD,
        "-c:a",
        "flac",
        path,
    )
    texts.unlink()


def simple(path: Path, *options: object, size: str = "64x48", rate: str = "25", sound: bool = True) -> None:
    sources = (*pictures(size, rate), *(TONE if sound else ()))
    ffmpeg(*sources, "-frames:v", 8, *(("-t", 0.32) if sound else ()), *options, path)


HLG = "setparams=range=tv:color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc,format=yuv420p10le"
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-tag:v", "hvc1")
UNEVEN = "setpts='if(gt(N,3),N*2+3,N)/25/TB'"
KINDS = {
    "portrait.mp4": portrait,
    "aspect.mov": lambda path: simple(path, "-vf", f"setsar=8/9,{HD}", *X264),
    "ntsc.mp4": lambda path: simple(path, *X264, "-vf", HD, rate="30000/1001"),
    "uneven.mp4": lambda path: simple(path, "-vf", UNEVEN, "-fps_mode", "vfr", *X264, sound=False),
    "deep.mp4": lambda path: simple(path, *X265, "-vf", HLG),
    "subtitled.mkv": subtitled,
    "silent.webm": lambda path: simple(path, "-c:v", "libvpx-vp9", "-cpu-used", 8, "-vf", HD, sound=False),
    "odd.mkv": lambda path: simple(path, "-vf", "scale=65:49,format=yuv420p", "-c:v", "ffv1"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds of videos, and the same in another light in the folder `out`, made by one call."""
    folder = tmp_path_factory.mktemp("videos")
    for name, make in KINDS.items():
        make(folder / name)
    call = (sys.executable, "-m", "relight_cli", "deshadow", *KINDS, "--model", "tiny", "-o", "out", "--keyframes", "4")
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder


FACTS = {
    "video": "codec_name,pix_fmt,width,height,sample_aspect_ratio,avg_frame_rate,color_range,color_space,"
    "color_transfer,color_primaries,nb_read_frames",
    "audio": "codec_name,sample_rate,channels,nb_read_packets",
    "subtitle": "codec_name,nb_read_packets",
}


def facts(path: Path) -> list[dict[str, object]]:
    """Give what ffprobe says of a file that must survive, in order of streams; at last of the whole."""
    said = ffprobe(path, "-show_streams", "-show_format", "-count_frames", "-count_packets")
    found = []
    for stream in said["streams"]:
        own = {name: stream[name] for name in FACTS[stream["codec_type"]].split(",") if name in stream}
        if own.get("sample_aspect_ratio") in (None, "0:1"):
            own["sample_aspect_ratio"] = "1:1"  # as players take it
        tags = {name: value for name, value in stream.get("tags", {}).items() if name in ("language", "title")}
        turned = [data["rotation"] for data in stream.get("side_data_list", []) if "rotation" in data]
        found.append({**own, **tags, "rotation": turned})
    tags = said["format"].get("tags", {})
    return [*found, {name: tags[name] for name in ("title", "creation_time") if name in tags}]


def copied(path: Path) -> list[bytes]:
    """Give hashes of the packets of sound and subtitles."""
    hashes = ffmpeg("-i", path, "-map", "0", "-c", "copy", "-f", "streamhash", "-").stdout
    return [line for line in hashes.splitlines() if b",v," not in line]


def times(path: Path) -> list[str]:
    """Give the times of all frames, as ffprobe sees them."""
    frames = ffprobe(path, "-show_frames", "-select_streams", "v")["frames"]
    return [frame["best_effort_timestamp_time"] for frame in frames]


@pytest.mark.parametrize("name", KINDS)
def test_eight_kinds_stay_what_they_are(folder: Path, name: str) -> None:
    source, made = folder / name, folder / "out" / f"{Path(name).stem}_deshadowed{Path(name).suffix}"
    assert facts(made) == facts(source)
    lengths = [float(ffprobe(path, "-show_format")["format"]["duration"]) for path in (source, made)]
    assert lengths[0] == pytest.approx(lengths[1], abs=0.02)
    assert times(made) == times(source)


@pytest.mark.parametrize("name", KINDS)
def test_eight_kinds_show_the_same_with_the_same_sound(folder: Path, name: str) -> None:
    source, made = folder / name, folder / "out" / f"{Path(name).stem}_deshadowed{Path(name).suffix}"
    assert copied(made) == copied(source)
    starts, end = shown(source)
    own_starts, own_end = shown(made)
    assert own_starts == pytest.approx(starts, abs=1e-3)
    assert own_end == pytest.approx(end, abs=0.04)
    shape = (65, 49) if name == "odd.mkv" else (48, 64) if name == "portrait.mp4" else (64, 48)
    before, after = (decode(path, shape[::-1]) for path in (source, made))
    assert before.shape == after.shape
    assert 0 < np.abs(before - after).mean() < 0.2  # in another light, and the same picture


def test_nothing_is_left_next_to_the_outputs(folder: Path) -> None:
    assert len(list((folder / "out").iterdir())) == len(KINDS)


KILLED = """
import os, signal, sys
from relight_cli.cli import main
from relight_cli.sequences import video
video.PART, video.available_cores = 4, lambda: 2
frame, whole, done = int(sys.argv.pop()), video.stored_frame, []
def stored_frame(*arguments):
    done.append(1)
    if len(done) == frame:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*arguments)
video.stored_frame = stored_frame
main()
"""


def test_a_killed_run_goes_on_and_gives_the_same_bytes(
    command: Command, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_module, "PART", 4)
    monkeypatch.setattr(video_module, "available_cores", lambda: 2)
    call = ("albedo", "subtitled.mkv", "--model", "tiny", "--keyframes", 2)
    shutil.copy(folder / "subtitled.mkv", tmp_path)
    made = tmp_path / "subtitled_albedo.mkv"
    assert command(*call).code == 0
    wanted = made.read_bytes()
    whole, done = video_module.stored_frame, []
    monkeypatch.setattr(video_module, "stored_frame", lambda *arguments: done.append(1) or whole(*arguments))
    for frame, least in ((6, 0), (13, 2)):
        made.unlink()
        done.clear()
        assert run_forked(KILLED, [*call, frame], cwd=tmp_path).returncode == -signal.SIGKILL, frame
        assert not made.exists()
        parts = len(list(tmp_path.glob(".relight-cli-*/*.npz")))
        assert parts >= least
        assert command(*call).code == 0
        assert made.read_bytes() == wanted, frame
        assert len(done) == 16 - 4 * parts, "the finished parts are not made again"
        assert {path.name for path in tmp_path.iterdir() if "relight" in path.name} == set()


def test_options_of_outputs_hold_for_videos(command: Command, tmp_path: Path, folder: Path) -> None:
    shutil.copy(folder / "silent.webm", tmp_path)
    call = ("deshadow", "silent.webm", "--model", "tiny", "--keyframes", 8, "--report", "r.jsonl")
    planned = command(*call, "--dry-run")
    assert planned.code == 0
    assert b"8 frames of 64 x 48, vp9" in planned.out
    assert not (tmp_path / "silent_deshadowed.webm").exists()
    events = command(*call, "--progress", "json")
    assert events.code == 0
    assert any(json.loads(line).get("event") for line in events.lines)
    written = (tmp_path / "silent_deshadowed.webm").stat()
    assert command(*call).code == 5
    assert command(*call, "--skip-existing").code == 0
    assert (tmp_path / "silent_deshadowed.webm").stat().st_mtime_ns == written.st_mtime_ns
    assert command(*call, "--overwrite", "--crf", 40).code == 0
    assert (tmp_path / "silent_deshadowed.webm").stat().st_size < written.st_size
    reported = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [line["status"] for line in reported] == ["done", "skipped", "done"]  # a refused run has no line


@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("h265", ".mov"), ("av1", ".mkv"), ("prores", ".mov")])
def test_codecs(command: Command, tmp_path: Path, folder: Path, codec: str, suffix: str) -> None:
    call = ("deshadow", folder / "deep.mp4", "--model", "tiny", "--strength", 0, "--codec", codec)
    assert command(*call, "-o", f"o{suffix}").code == 0
    assert real_time_threads() == []  # SVT-AV1 makes some, as root
    found = read_facts(tmp_path / f"o{suffix}", max_pixels=10**6)
    assert found.codec.replace("hevc", "h265").replace("libdav1d", "av1") == codec
    assert (found.stored.bits, found.colour.transfer) == (10, 18)
    before, after = (decode(path, (48, 64)) for path in (folder / "deep.mp4", tmp_path / f"o{suffix}"))
    assert np.abs(before - after).mean() < 0.02


def test_a_mask_holds_for_all_frames_upright(command: Command, tmp_path: Path, folder: Path) -> None:
    mask = np.zeros((64, 48), np.uint8)
    mask[:32] = 255
    from PIL import Image

    Image.fromarray(mask).save(tmp_path / "mask.png")
    call = ("relight", folder / "portrait.mp4", "--light", "golden-hour", "--model", "tiny", "--mask", "mask.png")
    assert command(*call, "-o", "o.mp4", "--crf", 1).code == 0
    before, after = (decode(path, (64, 48)) for path in (folder / "portrait.mp4", tmp_path / "o.mp4"))
    changed = np.abs(before - after).mean((0, 2, 3))
    assert changed[:28].mean() > 5 * changed[36:].mean()


def test_the_light_of_a_reference(command: Command, tmp_path: Path, folder: Path) -> None:
    ffmpeg("-i", folder / "ntsc.mp4", "-frames:v", 1, "-vf", "eq=brightness=-0.2", tmp_path / "dusk.png")
    done = command("relight", folder / "ntsc.mp4", "--light", "dusk.png", "--model", "tiny", "-o", "o.mp4")
    assert done.code == 0
    before, after = (decode(path, (48, 64)) for path in (folder / "ntsc.mp4", tmp_path / "o.mp4"))
    assert after.mean() < 0.9 * before.mean()


def test_damaged_frames_are_counted(command: Command, tmp_path: Path) -> None:
    ffmpeg(*pictures("64x48", "25"), "-frames:v", 25, *X264, "-g", 5, tmp_path / "a.mp4")
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    middle = data.find(b"mdat") + int.from_bytes(data[data.find(b"mdat") - 4 : data.find(b"mdat")], "big") // 2
    data[middle : middle + 200] = b"\xff" * 200
    (tmp_path / "a.mp4").write_bytes(data)
    for call in (("deshadow", "a.mp4", "--model", "tiny", "--keyframes", 25), ("interpolate-timelapse", "a.mp4")):
        done = command(*call, *(() if call[0] == "deshadow" else ("--mode", "image", "-o", "t.mp4")))
        assert done.code == 0
        assert "frames that are damaged and show what the decoder guessed: " in done.err


MASTERED = (
    "hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
)


def test_mastering_data_of_hdr10(command: Command, tmp_path: Path) -> None:
    curve = HLG.replace("arib-std-b67", "smpte2084")
    coded = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"log-level=none:{MASTERED}", "-tag:v", "hvc1")
    ffmpeg(*pictures("64x48", "25"), "-frames:v", 3, "-vf", curve, *coded, tmp_path / "a.mp4")
    assert command("deshadow", "a.mp4", "--model", "tiny").code == 0
    done = command("deshadow", "a.mp4", "--model", "tiny", "--codec", "prores", "-o", "o.mov")
    assert "mastering data of HDR10 is left out" in done.err
    sides = [
        ffprobe(tmp_path / name, "-show_frames", "-read_intervals", "%+#1")["frames"][0]["side_data_list"][:2]
        for name in ("a.mp4", "a_deshadowed.mp4")
    ]
    assert sides[0] == sides[1]
    assert sides[0][1]["max_content"] == 1000


UNFIT = [
    (("text.mp4",), 4, "cannot be read"),
    (("empty.mp4",), 4, "the file is empty"),
    (("cut.mp4",), 4, "copy the video again"),
    (("sound.mp4",), 4, "no moving picture"),
    (("gone.mp4",), 4, "no such file"),
    (("a.mp4", "photo.png"), 2, "one after the other"),
    (("a.mp4", "--codec", "prores"), 2, "does not fit into .mp4"),
    (("a.mp4", "--codec", "ffv1", "--crf", 3, "-o", "o.mkv"), 2, "--crf does not apply"),
    (("a.mp4", "--crf", 60, "--codec", "h264"), 2, "out of range"),
    (("a.mp4", "--save-mask"), 2, "--save-mask is for photos"),
    (("a.mp4", "--no-detail"), 2, "--no-detail is for photos"),
    (("a.mp4", "--max-pixels", 100), 4, "raise --max-pixels"),
    (("photo.png", "--codec", "h264"), 2, "is for videos"),
]


@pytest.mark.parametrize(("arguments", "code", "reason"), UNFIT)
def test_what_does_not_fit_gives_one_line(
    command: Command, tmp_path: Path, folder: Path, arguments: tuple[object, ...], code: int, reason: str
) -> None:
    shutil.copy(folder / "ntsc.mp4", tmp_path / "a.mp4")
    (tmp_path / "text.mp4").write_text("no video\n" * 20)
    (tmp_path / "empty.mp4").touch()
    ffmpeg("-i", folder / "ntsc.mp4", "-c", "copy", "-movflags", "faststart", tmp_path / "fast.mp4")
    data = (tmp_path / "fast.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    if "sound.mp4" in arguments:
        ffmpeg(*TONE, "-t", 0.1, tmp_path / "sound.mp4")
    ffmpeg("-i", folder / "ntsc.mp4", "-frames:v", 1, tmp_path / "photo.png")
    done = command("deshadow", *arguments, "--model", "tiny")
    assert (done.code, len(done.lines)) == (code, 1), done.err
    assert reason in done.err
    assert not [path for path in tmp_path.iterdir() if "deshadowed" in path.name or "relight" in path.name]


def test_a_missing_extra_is_named(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    done = command("deshadow", folder / "ntsc.mp4", "--model", "tiny")
    assert (done.code, len(done.lines)) == (3, 1)
    assert "pip install 'relight-cli[video]'" in done.err


@pytest.mark.parametrize("form", ["bgr0", "gbrp10le", "gray", "gray16le"])
def test_rgb_and_grey_of_a_lossless_codec_stay_as_they_are(command: Command, tmp_path: Path, form: str) -> None:
    simple(tmp_path / "v.mkv", "-vf", f"format={form}", "-c:v", "ffv1", sound=False)
    assert command("deshadow", "v.mkv", "--model", "tiny", "--strength", 0, "-o", "o.mkv").code == 0
    before, after = (ffprobe(tmp_path / name, "-show_streams")["streams"][0] for name in ("v.mkv", "o.mkv"))
    for name in ("pix_fmt", "color_range", "color_space"):
        assert after.get(name) == before.get(name), name
    assert np.array_equal(decode(tmp_path / "o.mkv", (48, 64)), decode(tmp_path / "v.mkv", (48, 64)))
