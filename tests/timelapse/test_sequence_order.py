"""The order of a sequence: capture times in UTC, folders, counters that begin again, and the order as given."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from PIL import Image

from relight_cli.jobs.inputs import Source
from relight_cli.photos.capture_time import read_header
from relight_cli.timelapse.name_order import name_order

CASES = Path(__file__).parents[1] / "cases" / "tl"
QUICK = ("--between", 0, "--mode", "image", "--redo-keyframes", "-o", "out", "--overwrite")


def brightness(folder: Path) -> list[float]:
    return [float(np.asarray(Image.open(path)).mean()) for path in sorted(folder.iterdir())]


def is_rising(folder: Path) -> bool:
    return bool((np.diff(brightness(folder)) > 1).all())


def write(path: Path, light: int, taken: str = "", offset: str = "", **more: str) -> None:
    """Write a small photo of a brightness, and its time as `2025-10-26 02:00:30.5`."""
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    if taken:
        whole, _, fraction = taken.replace("-", ":").partition(".")
        details[0x9003] = whole
        if fraction:
            details[0x9291] = fraction
    if offset:
        details[0x9011] = offset
    for name, value in more.items():
        (exif if name == "changed" else details)[{"changed": 0x0132, "changed_offset": 0x9010}[name]] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (light, light, light)).save(path, exif=exif, quality=95)


@pytest.mark.parametrize(
    ("arguments", "order", "note"),
    [
        (["dst_end"], "capture time", ""),
        (["zone"], "capture time", ""),
        (["folders", "-r"], "folders and file names", ""),
        (["folders/101MEDIA", "folders/100MEDIA"], "folders and file names", ""),
        (["folders/*/*"], "folders and file names", ""),
        (["wrap"], "file names", "DSC_9999.jpg is followed by DSC_0001.jpg"),
        (["wrap/*.jpg"], "file names", "DSC_9999.jpg is followed by DSC_0001.jpg"),
        (["apple"], "file names", ""),
        (["apple/*"], "file names", ""),
    ],
)
def test_the_cases(command: Command, tmp_path: Path, arguments: list[str], order: str, note: str) -> None:
    named = [str(CASES / argument) if "/" in argument or argument[0] != "-" else argument for argument in arguments]
    run = command("interpolate-timelapse", *named, *QUICK)
    assert run.code == 0
    assert f"in order of {order}" in run.err
    assert note in run.err
    assert bool(note) == ("begin again" in run.err)
    assert is_rising(tmp_path / "out")


TIMES = [
    # in the right order: time by the camera's clock, its offset from UTC, more tags
    [("2025-10-26 02:50:00", "+02:00", {}), ("2025-10-26 02:10:00", "+01:00", {})],
    [("2025-03-30 01:59:59", "+01:00", {}), ("2025-03-30 03:00:00", "+02:00", {})],
    [("2025-06-01 23:30:00", "+09:30", {}), ("2025-06-01 14:10:00", "Z", {}), ("2025-06-01 07:20:00", "-07:00", {})],
    [("2025-06-01 12:00:00.25", "+05:45", {}), ("2025-06-01 06:15:00.5", "-00:00", {})],
    [("2025-06-01 12:00:00", "+0200", {}), ("2025-06-01 11:30:00", "+0100", {})],
    [  # some without an offset: all by their clocks
        ("2025-06-01 09:00:00", "", {}),
        ("2025-06-01 10:00:00", "+02:00", {}),
        ("2025-06-01 11:00:00", "-05:00", {}),
    ],
    [("2025-06-01 10:00:00", "??:??", {}), ("2025-06-01 10:30:00", "+99:00", {})],  # broken offsets
    [  # OffsetTime counts where it belongs to the same time
        ("2025-10-26 02:50:00", "", {"changed": "2025:10:26 02:50:00", "changed_offset": "+02:00"}),
        ("2025-10-26 02:10:00", "", {"changed": "2025:10:26 02:10:00", "changed_offset": "+01:00"}),
    ],
    [  # and not where a photo was changed elsewhere
        ("2025-10-26 02:10:00", "", {"changed": "2025:11:01 12:00:00", "changed_offset": "-01:00"}),
        ("2025-10-26 02:50:00", "", {"changed": "2025:11:01 12:00:00", "changed_offset": "+12:00"}),
    ],
]


@pytest.mark.parametrize("photos", TIMES, ids=range(len(TIMES)))
def test_capture_times(command: Command, tmp_path: Path, photos: list[tuple[str, str, dict[str, str]]]) -> None:
    for number, (taken, offset, more) in enumerate(photos):
        write(tmp_path / "in" / f"{9 - number}.jpg", 40 + 30 * number, taken, offset, **more)
    run = command("interpolate-timelapse", "in", *QUICK)
    assert run.code == 0
    assert "in order of capture time" in run.err
    assert is_rising(tmp_path / "out")
    some = 0 < sum(bool(offset) and "?" not in offset and "99" not in offset for _, offset, _ in photos) < len(photos)
    assert ("do not say their time zone" in run.err) is some


def moment(path: Path) -> datetime:
    """Give the capture time as Pillow finds it."""
    details = Image.open(path).getexif().get_ifd(0x8769)
    return datetime.strptime(details[0x9003] + details[0x9011], "%Y:%m:%d %H:%M:%S%z")


def test_new_frames_are_dated_by_the_clock_of_their_keyframe(command: Command, tmp_path: Path) -> None:
    """Half an hour before the clock goes back, and half an hour after."""
    write(tmp_path / "in" / "1.jpg", 60, "2025-10-26 02:30:00", "+02:00")
    write(tmp_path / "in" / "2.jpg", 90, "2025-10-26 02:30:00", "+01:00")
    write(tmp_path / "in" / "3.jpg", 120, "2025-10-26 03:30:00", "+01:00")
    assert command("interpolate-timelapse", "in", "--between", 1, "--mode", "image", "-o", "out").code == 0
    found = [moment(path) for path in sorted((tmp_path / "out").iterdir())]
    assert found == [datetime(2025, 10, 26, 0, 30, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(5)]


@pytest.mark.parametrize("form", [' exif:DateTimeOriginal="{}">', "><exif:DateTimeOriginal>{}</exif:DateTimeOriginal>"])
@pytest.mark.parametrize(
    ("text", "offset"),
    [("2025-06-01T10:00:00.25+02:00", 7200.0), ("2025-06-01T10:00:00Z", 0.0), ("2025-06-01T10:00:00", None)],
)
def test_capture_times_in_xmp(tmp_path: Path, form: str, text: str, offset: float | None) -> None:
    spaces = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    packet = f"<rdf:RDF {spaces}><rdf:Description{form.format(text)}</rdf:Description></rdf:RDF>"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.webp", xmp=packet.encode())
    found = read_header(tmp_path / "a.webp")
    assert found.offset == offset
    assert found.taken is not None
    assert found.taken % 86400 == 36000 + (0.25 if "." in text else 0)


TEN = datetime(2025, 6, 1, 10, tzinfo=UTC).timestamp()  # by the camera's clock
ORIGINAL, DIGITIZED, CHANGED, FRACTION = 0x9003, 0x9004, 0x0132, 0x9291
OFFSETS = {ORIGINAL: 0x9011, DIGITIZED: 0x9012, CHANGED: 0x9010}
SAME, OTHER = "2025:06:01 10:00:00", "2025:06:02 09:00:00"
STATEMENTS = [
    # tags, exif:DateTimeOriginal in XMP, time of GPS in hours: seconds after TEN (None: no time), offset in hours
    ({ORIGINAL: SAME}, "", None, 0, None),
    *(({ORIGINAL: SAME, FRACTION: "123456"[:n]}, "", None, float(f"0.{'123456'[:n]}"), None) for n in range(1, 7)),
    ({ORIGINAL: SAME, FRACTION: "5 "}, "", None, 0.5, None),
    *(
        ({ORIGINAL: text}, "", None, None, None)
        for text in (
            "0000:00:00 00:00:00",
            "    :  :     :  :  ",
            " " * 19,
            "2025:02:30 10:00:00",
            "2025:06:01 24:00:00",
        )
    ),
    *(({ORIGINAL: text}, "", None, 0, None) for text in ("2025-06-01 10:00:00", "2025:06:01T10:00:00")),
    ({ORIGINAL: "2025-06-01T10:00:00+02:00"}, "", None, 0, 2),
    ({ORIGINAL: SAME, OFFSETS[ORIGINAL]: "+02:00", OFFSETS[DIGITIZED]: "+05:00"}, "", None, 0, 2),
    ({ORIGINAL: SAME, DIGITIZED: SAME, OFFSETS[DIGITIZED]: "+02:00"}, "", None, 0, 2),
    ({ORIGINAL: SAME, DIGITIZED: OTHER, OFFSETS[DIGITIZED]: "+02:00"}, "", None, 0, None),
    ({ORIGINAL: SAME, CHANGED: SAME, OFFSETS[CHANGED]: "+02"}, "", None, 0, 2),
    ({ORIGINAL: SAME, CHANGED: OTHER, OFFSETS[CHANGED]: "+02:00"}, "", None, 0, None),
    ({ORIGINAL: SAME, OFFSETS[ORIGINAL]: "   :  "}, "", None, 0, None),
    ({DIGITIZED: SAME, OFFSETS[DIGITIZED]: "-03:00"}, "", None, 0, -3),
    ({CHANGED: SAME}, "", None, None, None),
    ({ORIGINAL: SAME}, "2025-06-01T10:00:00+02:00", None, 0, 2),
    ({ORIGINAL: SAME}, "2025-06-02T10:00:00+02:00", None, 0, None),
    ({ORIGINAL: "0000:00:00 00:00:00"}, "2025-06-01T10:00:00+02:00", None, 0, 2),
    ({}, "2025-06-01T10:00Z", None, 0, 0),
    ({ORIGINAL: SAME}, "", 8.0, 0, 2),
    ({ORIGINAL: SAME}, "", 8 + 10 / 3600, 0, 2),  # a clock is not exact
    ({ORIGINAL: SAME}, "", 7.9, 0, None),  # an old position
    ({ORIGINAL: SAME, OFFSETS[ORIGINAL]: "+01:00"}, "", 8.0, 0, 1),
]


@pytest.mark.parametrize(("tags", "xmp", "gps", "seconds", "hours"), STATEMENTS, ids=range(len(STATEMENTS)))
def test_statements_of_the_capture_time(
    tmp_path: Path, tags: dict[int, str], xmp: str, gps: float | None, seconds: float | None, hours: float | None
) -> None:
    exif = Image.Exif()
    for tag, value in tags.items():
        (exif if tag == CHANGED else exif.get_ifd(0x8769))[tag] = value
    if gps is not None:
        exif.get_ifd(0x8825).update({29: "2025:06:01", 7: (float(int(gps)), gps % 1 * 60, 0.0)})
    spaces = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:exif="http://ns.adobe.com/exif/1.0/"'
    packet = f'<rdf:RDF {spaces}><rdf:Description exif:DateTimeOriginal="{xmp}"/></rdf:RDF>'.encode()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif, **({"xmp": packet} if xmp else {}))
    found = read_header(tmp_path / "a.jpg")
    assert found.taken == (None if seconds is None else pytest.approx(TEN + seconds, abs=1e-6))
    assert found.offset == (None if hours is None else 3600 * hours)


def test_folders_as_given_are_said(command: Command, tmp_path: Path) -> None:
    for light, name in enumerate(("y/1", "y/2", "x/1", "x/2")):
        write(tmp_path / f"{name}.jpg", 40 + 40 * light)
    run = command("interpolate-timelapse", "y", "x", *QUICK)
    assert "in the order of folders as they are given, then of file names" in run.err
    assert is_rising(tmp_path / "out")


ORDERS = [
    # names as given (a trailing / is a folder of what follows it), their right order, the part of a note
    ("img_2 img_10 img_1", "img_1 img_2 img_10", ""),
    ("noon dawn dusk", "noon dawn dusk", ""),
    ("dawn dusk noon", "dawn dusk noon", ""),
    ("Dawn dusk Noon", "Dawn dusk Noon", ""),
    ("b_2 a_1", "b_2 a_1", ""),
    ("a_1 b_2 a_10 a_9", "a_1 b_2 a_10 a_9", ""),
    ("a_1 a_10 a_9 b", "a_1 a_9 a_10 b", ""),
    ("y/noon x/noon", "y/noon x/noon", ""),
    ("y/1 y/2 x/1 x/2", "y/1 y/2 x/1 x/2", ""),
    ("day2/1 day2/2 day1/1 day1/2", "day1/1 day1/2 day2/1 day2/2", ""),
    ("100A/1 101A/1 100A/2", "100A/1 100A/2 101A/1", ""),
    ("99A/5 100A/1", "99A/5 100A/1", ""),
    ("DSC_0001 DSC_9999", "DSC_9999 DSC_0001", "DSC_9999.jpg is followed by DSC_0001.jpg"),
    ("DSC00001 DSC09998 DSC09999", "DSC09998 DSC09999 DSC00001", "DSC09999.jpg is followed by DSC00001.jpg"),
    ("i000 i001 i998", "i998 i000 i001", "i998.jpg is followed by i000.jpg"),
    ("i0002 i0003 i9996 i9997", "i9996 i9997 i0002 i0003", "i9997.jpg is followed by i0002.jpg"),
    ("i0001 i5000 i9999", "i0001 i5000 i9999", ""),
    ("i0001 i0003 i9000 i9010 i9990 i9999", "i9000 i9010 i9990 i9999 i0001 i0003", "i9999.jpg is followed by"),
    ("i01 i99", "i01 i99", ""),
    ("i1 i9999", "i1 i9999", ""),
    ("i0001 i8000 i9000", "i0001 i8000 i9000", ""),
    ("a/i0001 a/i9999 b/i0001 b/i0002", "a/i9999 a/i0001 b/i0001 b/i0002", "a: the numbers begin again"),
    ("20250101_9999 20250102_0001", "20250101_9999 20250102_0001", ""),
]


@pytest.mark.parametrize(("given", "wanted", "note"), ORDERS)
def test_order_of_names(given: str, wanted: str, note: str) -> None:
    found = name_order([Source(Path(f"{name}.jpg"), named=True) for name in given.split()])
    assert [path.with_suffix("").as_posix() for path in found.paths] == wanted.split()
    assert bool(found.notes) == bool(note)
    assert note in "".join(found.notes)


def test_a_folder_without_numbers_is_in_order_of_names_and_lists_as_given(command: Command, tmp_path: Path) -> None:
    for light, name in enumerate(("noon", "dawn", "dusk")):
        write(tmp_path / "in" / f"{name}.jpg", 40 + 40 * light)
    (tmp_path / "list").write_text("in/noon.jpg\nin/dawn.jpg\nin/dusk.jpg\n")
    for argument in (["@list"], [f"in/{name}.jpg" for name in ("noon", "dawn", "dusk")]):
        run = command("interpolate-timelapse", *argument, *QUICK)
        assert "in the order in which they are given" in run.err
        assert is_rising(tmp_path / "out")
    run = command("interpolate-timelapse", "in", *QUICK)
    assert "file names" in run.err
    assert brightness(tmp_path / "out") == pytest.approx([80, 120, 40], abs=2)


def test_folders_are_in_the_given_order_if_their_names_have_no_numbers(command: Command, tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / ("second" if number > 2 else "zero") / f"{number % 3 + 1}.jpg", 40 + 30 * number)
    assert command("interpolate-timelapse", "zero", "second", *QUICK).code == 0
    assert is_rising(tmp_path / "out")
