"""JPEGs without an end marker: whole scan data is a whole photo, whatever follows; cut data is refused or noted."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from photo_fixtures import noise
from PIL import Image

SAME = ("--model", "tiny", "--strength", "0")
KINDS = {"baseline": {}, "progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 2}}


def jpeg(kind: str, seed: int = 0) -> bytes:
    file = io.BytesIO()
    small = Image.fromarray(noise((6, 6, 3), seed=seed))
    small.resize((64, 48), Image.Resampling.BICUBIC).save(file, "JPEG", quality=95, subsampling=0, **KINDS[kind])
    return file.getvalue()


TRAILERS = {
    "nothing": b"",
    "zeros": bytes(2000),
    "text": b"some text " * 200,
    "fill": b"\xff" * 500,
    "video": struct.pack(">I4s4sI", 24, b"ftyp", b"mp42", 0) + b"mp42isom" + bytes(3000),
    "picture": jpeg("baseline", 1),
}


@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("kind", KINDS)
def test_whole_scan_data_is_a_whole_photo(kind: str, trailer: str, command: Command) -> None:
    whole = jpeg(kind)
    Path("a.jpg").write_bytes(whole[:-2] + TRAILERS[trailer])
    done = command("deshadow", *SAME, "a.jpg", "-o", "b.png")
    assert (done.code, "end marker" in done.err) == (0, False), done.err
    with Image.open(io.BytesIO(whole)) as image, Image.open("b.png") as ours:
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(image))


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("kind", KINDS)
def test_cut_scan_data_is_refused_or_noted(kind: str, trailer: str, share: float, command: Command) -> None:
    data = jpeg(kind)
    Path("a.jpg").write_bytes(data[: int(share * len(data))] + TRAILERS[trailer])
    done = command("deshadow", *SAME, "a.jpg", "-o", "b.png")
    assert done.code == 4 or (done.code == 0 and "it has no end marker, and its last part may be missing" in done.err)
    assert "Traceback" not in done.err
