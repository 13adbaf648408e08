"""Gain maps, depth maps and mattes that belong to the main picture of a HEIC; the boxes are written here."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from command_line import Command
from iso_boxes import box, boxes, shifted
from photo_fixtures import noise
from PIL import Image

pillow_heif = pytest.importorskip("pillow_heif")
SAME = ("--model", "tiny", "--strength", "0")
KINDS = {
    "urn:com:apple:photo:2020:aux:hdrgainmap": "HDR gain map",
    "urn:mpeg:mpegB:cicp:systems:auxiliary:depth": "depth map",
    "urn:mpeg:hevc:2015:auxid:2": "depth map",
    "urn:com:apple:photo:2018:aux:portraiteffectsmatte": "auxiliary picture",
}


def heic_with_auxiliary(kind: str) -> bytes:
    """Return a HEIC whose second picture is auxiliary to the first (ISO 23008-12, section 6.5.8)."""
    file = io.BytesIO()
    heif = pillow_heif.from_pillow(Image.fromarray(noise((64, 64, 3))))
    heif.add_from_pillow(Image.fromarray(noise((64, 64), seed=1)))
    heif.save(file, quality=-1, chroma=444, matrix_coefficients=0)
    top = boxes(file.getvalue())
    meta = boxes(dict(top)[b"meta"][4:])
    properties = boxes(dict(meta)[b"iprp"])
    listed = boxes(dict(properties)[b"ipco"])
    ipma = bytearray(dict(properties)[b"ipma"])
    main = struct.unpack_from(">H", dict(meta)[b"pitm"], 4)[0]
    at, other = 8, 0
    for _ in range(struct.unpack_from(">I", ipma, 4)[0]):
        (item,), count = struct.unpack_from(">H", ipma, at), ipma[at + 2]
        if item != main:
            other = item
            ipma.insert(at + 3 + count, 0x80 | (len(listed) + 1))
            ipma[at + 2] += 1
            break
        at += 3 + count
    listed.append((b"auxC", bytes(4) + kind.encode() + b"\0"))
    new = {b"ipco": b"".join(box(*one) for one in listed), b"ipma": bytes(ipma)}
    iprp = b"".join(box(name, new[name]) for name, _ in properties)
    iref = box(b"iref", bytes(4) + box(b"auxl", struct.pack(">HHH", other, 1, main)))
    added = len(iprp) - len(dict(meta)[b"iprp"]) + len(iref)
    changed = {b"iprp": iprp, b"iloc": shifted(dict(meta)[b"iloc"], added)}
    whole = b"".join(box(name, changed.get(name, body)) for name, body in meta) + iref
    return b"".join(box(name, dict(top)[b"meta"][:4] + whole if name == b"meta" else body) for name, body in top)


@pytest.mark.parametrize("suffix", ["heic", "png"])
@pytest.mark.parametrize("kind", KINDS)
def test_auxiliary_pictures_are_noted(kind: str, suffix: str, command: Command) -> None:
    Path("a.heic").write_bytes(heic_with_auxiliary(kind))
    done = command("deshadow", *SAME, "a.heic", "-o", f"b.{suffix}", "--quality", "100")
    assert done.code == 0, done.err
    assert len(done.lines) == 1
    assert f"its {KINDS[kind]} is dropped" in done.err
    if suffix == "png":
        np.testing.assert_array_equal(np.asarray(Image.open("b.png")), noise((64, 64, 3)))


def test_alpha_is_no_auxiliary_that_is_lost(command: Command) -> None:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(noise((64, 64, 4)))).save(file, quality=-1, chroma=444)
    Path("a.heic").write_bytes(file.getvalue())
    done = command("deshadow", *SAME, "a.heic", "-o", "b.png")
    assert (done.code, done.err) == (0, "")
    with Image.open("b.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[..., 3], noise((64, 64, 4))[..., 3])
