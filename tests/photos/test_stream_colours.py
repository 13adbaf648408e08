"""Colours that only the stream of an AVIF or HEIF states, and those that a profile or a name states in code points."""

import sys
from pathlib import Path

import numpy as np
import pytest
from colour_checks import DEEP, read
from command_line import Command
from heif_charts import avif_chart, heif_chart
from photo_fixtures import wide_profile
from stated_colours import cicp_chunk, colours, iccp, png, with_cicp_tag, with_nclx

SAMPLES = colours()
CHARTS = {"AVIF": avif_chart, "HEIF": heif_chart}


@pytest.mark.parametrize("kind", CHARTS)
@pytest.mark.parametrize(
    ("container", "stream", "found"),
    [
        (None, (12, 13), (12, 13)),
        ((2, 2), (12, 13), (12, 13)),
        ((2, 13), (9, 8), (9, 13)),  # what the container says counts
        ((12, 13), (9, 8), (12, 13)),
        (None, (1, 13), None),
        (None, (1, 1), None),
    ],
)
def test_a_stream_says_what_the_container_does_not(kind: str, container, stream, found) -> None:
    data = CHARTS[kind](SAMPLES, 8, codes=stream, in_stream=True)
    if container:
        data = with_nclx(data.replace(b"freenclx", b"colrnclx"), *container)
    photo = read(data)
    assert photo.notes == ()
    assert (photo.metadata.colour and photo.metadata.colour.cicp) == found
    assert (photo.metadata.icc is None) == (found is None)


@pytest.mark.parametrize("kind", CHARTS)
def test_without_av_there_is_a_note(kind: str, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    suffix = {"AVIF": "avif", "HEIF": "heic"}[kind]
    Path(f"a.{suffix}").write_bytes(CHARTS[kind](SAMPLES, 8, codes=(12, 13), in_stream=True))
    Path(f"b.{suffix}").write_bytes(CHARTS[kind](SAMPLES, 8, codes=(12, 13)))
    done = command("deshadow", f"a.{suffix}", f"b.{suffix}", "--model", "tiny", "--strength", 0, "-o", "out/{stem}.png")
    assert done.code == 0
    (note,) = [line for line in done.lines if "relight-cli[video]" in line]
    assert f"a.{suffix}: " in note


def test_only_pq_and_hlg_in_a_cicp_tag_change_what_a_profile_says() -> None:
    plain = wide_profile("P3")
    for codes in ((12, 13), (9, 1), (9, 99), (250, 16)):
        icc = with_cicp_tag(plain, *codes)
        photo = read(png(SAMPLES, iccp(icc)))
        assert (photo.metadata.icc, photo.notes) == (icc, ())
    pq = with_cicp_tag(plain, 9, 16)
    assert "PQ colours are converted" in read(png(SAMPLES, iccp(pq))).notes[0]
    photo = read(png(SAMPLES, cicp_chunk(12, 13), iccp(pq)))
    assert photo.notes == ()
    np.testing.assert_array_equal(photo.pixels, SAMPLES)
    given = read(png(SAMPLES), input_colour=pq)
    assert "PQ colours are converted" in given.notes[0]
    stated = read(png(SAMPLES, cicp_chunk(9, 16)))
    assert np.abs(given.to_srgb() - stated.to_srgb()).max() < DEEP
