"""The fingerprint of an output's pixels: kept by what changes metadata alone, lost by what changes the picture."""

import io
from dataclasses import replace
from pathlib import Path

import exiv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_fixtures import noise
from PIL import Image

from relight_cli.photos.coded_pixels import coded_pixels
from relight_cli.photos.fingerprints import PENDING, fingerprint_of, is_untouched, sealed, split_record
from relight_cli.photos.header import read_header, read_record, recorded_parameters
from relight_cli.photos.photo import Photo
from relight_cli.photos.provenance import Provenance, sign
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo

MADE = Provenance("relit", "tiny", None, "ab12", {"strength": 0.5})
KINDS = (".jpg", ".png", ".webp", ".tif", ".avif", ".jp2", ".heic", ".exr")
EXTRAS = {".heic": "pillow_heif", ".exr": "OpenEXR"}


def signed(photo: Photo) -> Photo:
    return replace(photo, metadata=sign(photo.metadata, MADE)[0])


def written(path: Path, photo: Photo) -> str:
    """Write a photo with a record; return its fingerprint."""
    if extra := EXTRAS.get(path.suffix):
        pytest.importorskip(extra)
    write_photo(signed(photo), path, overwrite=True)
    parameters, fingerprint = split_record(read_record(path) or "")
    assert parameters == MADE.parameters() == recorded_parameters(path)
    assert fingerprint is not None
    return fingerprint


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(30, 41, 3), (17, 9, 1), (24, 20, 4)])
def test_an_output_records_its_own_pixels(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / f"x{kind}"
    fingerprint = written(path, Photo.from_array(noise(shape)))
    assert is_untouched(path, fingerprint)
    assert b"".join(coded_pixels(memoryview(path.read_bytes())))
    assert read_photo(path).notes == ()
    other = tmp_path / f"y{kind}"
    assert written(other, Photo.from_array(noise(shape, seed=1))) != fingerprint
    assert written(other, Photo.from_array(noise(shape))) == fingerprint
    assert not is_untouched(other, None)


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp", ".tif", ".jp2"])
def test_what_changes_metadata_alone_leaves_the_fingerprint(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x{kind}"
    fingerprint, before = written(path, Photo(noise((60, 50, 3)))), path.read_bytes()
    image = exiv2.ImageFactory.open(str(path))
    image.readMetadata()
    xmp, exif = image.xmpData(), image.exifData()
    xmp["Xmp.xmp.Rating"], exif["Exif.Image.Artist"] = "5", "someone " * 300
    image.writeMetadata()
    assert path.read_bytes() != before
    assert is_untouched(path, fingerprint)
    assert split_record(read_record(path) or "")[1] == fingerprint


@pytest.mark.parametrize("kind", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_what_paints_on_a_picture_changes_the_fingerprint(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x{kind}"
    fingerprint = written(path, Photo(noise((60, 50, 3))))
    with Image.open(path) as image:
        exif, xmp = image.getexif(), read_header(path).xmp
        image.paste((255, 0, 0), (10, 10, 14, 14))
        image.save(path, exif=exif, **({} if kind == ".tif" else {"xmp": xmp}))
    assert not is_untouched(path, fingerprint)


@pytest.mark.parametrize("kind", [".jpg", ".tif"])
def test_a_picture_turned_by_its_tag_is_changed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x{kind}"
    fingerprint = written(path, Photo(noise((60, 50, 3))))
    image = exiv2.ImageFactory.open(str(path))
    image.readMetadata()
    image.exifData()["Exif.Image.Orientation"] = 6
    image.writeMetadata()
    assert not is_untouched(path, fingerprint)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.sampled_from([kind for kind in KINDS if kind not in EXTRAS]))
def test_damaged_files_are_changed_ones_and_never_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"x{kind}"
    fingerprint, whole = written(path, Photo(noise((20, 30, 3)))), path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) // 2))])
    assert not is_untouched(path, fingerprint)
    garbage = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        garbage[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(garbage)
    is_untouched(path, fingerprint)


def test_a_pipe_gets_the_fingerprint_too() -> None:
    file = io.BytesIO()
    write_photo(signed(Photo(noise((20, 30, 3)))), file, format="PNG")
    data = file.getvalue()
    assert PENDING.encode() not in data
    assert fingerprint_of(data).encode() in data


def test_a_file_without_a_record_stays_as_it_is() -> None:
    file = io.BytesIO()
    write_photo(Photo(noise((20, 30, 3))), file, format="JPEG")
    assert sealed(file.getvalue()) == file.getvalue()
    assert sealed(b"no picture " + PENDING.encode()) == b"no picture " + PENDING.encode()


@pytest.mark.parametrize("kind", [".mp4", ".webm", ".gif"])
def test_videos_record_their_own_pictures(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("av")
    from relight_cli.videos.codecs import encoding_of_frames
    from relight_cli.videos.video import open_video, recorded_recipe
    from relight_cli.videos.writer import VideoOutput, VideoWriter

    path = tmp_path / f"x{kind}"
    found = []
    for seed in (0, 1):
        writer = VideoWriter(path, VideoOutput(kind, 40, 60, 10.0, encoding_of_frames(kind)), MADE.record())
        for number in range(3):
            writer.add(np.ascontiguousarray(noise((40, 60, 3), seed=seed + number)))
        writer.close()
        parameters, fingerprint = split_record(recorded_recipe(path) or "")
        assert parameters == MADE.parameters()
        assert is_untouched(path, fingerprint)
        found.append(fingerprint)
    assert not is_untouched(path, found[0])
    assert open_video(path, max_pixels=10**6).count == 3
