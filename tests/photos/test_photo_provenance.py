"""The record in a picture: which tool made it, how, and from what."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_fixtures import exif_block
from PIL import Image, PngImagePlugin

from relight_cli.photos.exif_signature import sign_exif
from relight_cli.photos.header import made_by_relight_cli, recorded_parameters
from relight_cli.photos.metadata import SOFTWARE, Metadata
from relight_cli.photos.photo import Photo
from relight_cli.photos.provenance import Provenance, history, sign, strip_metadata, with_history
from relight_cli.photos.reading import read_photo
from relight_cli.photos.writing import write_photo


def with_software(software: str, suffix: str, folder: Path) -> Path:
    path = folder / f"a{suffix}"
    exif = Image.Exif()
    exif[0x0131] = software
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_outputs_are_recognised_by_their_software_tag(suffix: str, tmp_path: Path) -> None:
    assert made_by_relight_cli(with_software(SOFTWARE, suffix, tmp_path))
    assert made_by_relight_cli(with_software("relight-cli 9.8.7", suffix, tmp_path))
    for other in ("Camera 1.0", "relight-client 2", "made with relight-cli 0.1.0"):
        assert not made_by_relight_cli(with_software(other, suffix, tmp_path))


def test_depth_maps_are_recognised_by_their_text(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Software", SOFTWARE)
    Image.new("I;16", (3, 3)).save(tmp_path / "a.png", pnginfo=texts)
    assert made_by_relight_cli(tmp_path / "a.png")


def test_files_that_cannot_be_read_are_not_outputs(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe1" + b"relight-cli 0.1.0" * 9)
    (tmp_path / "empty.png").touch()
    for path in (tmp_path / "a.jpg", tmp_path / "empty.png", tmp_path, tmp_path / "gone", tmp_path / "nul\0.png"):
        assert not made_by_relight_cli(path)


def block_with_thumbnail(order: str, *, inside_note: bool = False) -> tuple[bytes, bytes]:
    """Return an EXIF block with a second directory and its thumbnail at the end, and the maker note's bytes."""
    first = exif_block(1, order)
    note_at = first.index(b"MAKER")
    picture = b"\xff\xd8old light\xff\xd9"
    second_at = len(first)
    at = note_at + 20 if inside_note else second_at + 2 + 24 + 4
    second = struct.pack(order + "HHHIIHHIII", 2, 0x0201, 4, 1, at, 0x0202, 4, 1, len(picture), 0)
    link = 8 + 2 + 3 * 12
    return first[:link] + struct.pack(order + "I", second_at) + first[link + 4 :] + second + picture, first[note_at:]


@pytest.mark.parametrize("order", "<>")
def test_signing_moves_nothing_and_drops_the_thumbnail(order: str) -> None:
    block, note = block_with_thumbnail(order)
    signed_block = sign_exif(block, SOFTWARE)
    assert signed_block.index(note) == block.index(note)
    assert signed_block[8 : len(block) - 30] == block[8 : len(block) - 30]
    assert b"old light" not in signed_block
    read = Image.Exif()
    read.load(signed_block)
    assert (read[0x0131], read[0x010F], read[0x0112]) == (SOFTWARE, "Camera1", 1)
    assert read.get_ifd(0x8769)[0x927C] == note
    assert not read.get_ifd(1)
    assert sign_exif(signed_block, "relight-cli 2").count(SOFTWARE.encode()) == 1  # the old name stays, unused


def test_a_thumbnail_inside_a_maker_note_is_kept() -> None:
    block, note = block_with_thumbnail("<", inside_note=True)
    assert sign_exif(block, SOFTWARE)[: len(block)][8:] == block[8:]
    assert note in sign_exif(block, SOFTWARE)


def test_signing_makes_a_block_if_there_is_none() -> None:
    read = Image.Exif()
    read.load(sign_exif(None, SOFTWARE))
    assert dict(read) == {0x0131: SOFTWARE}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
    st.sampled_from("<>"),
)
def test_damaged_blocks_are_signed_or_refused(flips: list[tuple[int, int]], cut: int, order: str) -> None:
    block = bytearray(block_with_thumbnail(order)[0][: cut + 1])
    for place, value in flips:
        block[place % len(block)] = value
    try:
        done = sign_exif(bytes(block), SOFTWARE)
    except ValueError:
        return
    assert len(done) < len(block) + 70000


MADE = Provenance("relit", "tiny", None, "ab12", {"strength": 0.5, "light": 'a "<&>\x1b\udcff.jpg'})
RDF = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
PACKETS = {
    "none": None,
    "plain": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
    + RDF
    + b"<rdf:Description rdf:about='uuid:7' xmlns:dc='d' dc:a='b'/>"
    b"</rdf:RDF></x:xmpmeta>",
    "padded": b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>' + RDF + b"</rdf:RDF>\n"
    b"   \n<?xpacket end='w'?>\0\0",
    "history": RDF + b'<rdf:Description xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" '
    b'xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"><xmpMM:History><rdf:Seq>'
    b'<rdf:li stEvt:action="saved"/></rdf:Seq></xmpMM:History></rdf:Description></rdf:RDF>',
}
UNREADABLE = {
    "utf16": PACKETS["plain"].decode().encode("utf-16"),
    "broken": PACKETS["plain"][:-20] + b"</rdf:RDF>",
    "entities": b'<!DOCTYPE a [<!ENTITY b "c">]>' + PACKETS["plain"],
    "closed": b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
    "emptied": RDF + b'<rdf:Description xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"><xmpMM:History><rdf:Seq/>'
    b"</xmpMM:History></rdf:Description></rdf:RDF>",
}


@pytest.mark.parametrize("name", PACKETS)
def test_history_is_added_and_every_other_byte_stays(name: str) -> None:
    packet = PACKETS[name]
    before = history(packet) if packet else []
    once = with_history(packet, MADE)
    assert [*before, history(once)[-1]] == history(once)
    entry = history(once)[-1]
    assert (entry["action"], entry["softwareAgent"], entry["parameters"]) == ("edited", SOFTWARE, MADE.record())
    assert json.loads(entry["parameters"])["options"] == MADE.options
    assert len(history(with_history(once, MADE))) == len(before) + 2
    if packet:
        cut = next(i for i, (a, b) in enumerate(zip(packet, once, strict=False)) if a != b)
        assert once.endswith(packet[cut:])
    assert with_history(packet, MADE) == once


@pytest.mark.parametrize("name", UNREADABLE)
def test_xmp_that_cannot_be_extended_is_kept_with_a_note(name: str) -> None:
    metadata, notes = sign(Metadata(xmp=UNREADABLE[name]), MADE)
    assert metadata.xmp == UNREADABLE[name]
    assert "history" in notes[0]


def test_broken_exif_is_kept_with_a_note() -> None:
    metadata, notes = sign(Metadata(exif=b"II*\0\xff\xff\0\0"), MADE)
    assert metadata.exif == b"II*\0\xff\xff\0\0"
    assert "Software" in notes[0]


def test_stripping_keeps_only_the_profile() -> None:
    assert strip_metadata(Metadata(exif_block(1), b"icc", b"xmp", (72, 72))) == Metadata(icc=b"icc")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "HEIF", "EXR"])
def test_the_signature_survives_every_format(kind: str, tmp_path: Path) -> None:
    metadata, _ = sign(Metadata(exif_block(1), None, PACKETS["history"]), MADE)
    path = tmp_path / f"a.{kind}"
    write_photo(Photo(np.zeros((4, 6, 3), np.uint8), metadata=metadata), path, format=kind)
    assert made_by_relight_cli(path)
    back = read_photo(path, max_pixels=99).metadata
    assert history(back.xmp)[-1]["softwareAgent"] == SOFTWARE
    assert recorded_parameters(path) == MADE.parameters()
    if kind == "EXR":  # cannot store EXIF data
        return
    read = Image.Exif()
    read.load(back.exif)
    assert read.get_ifd(0x8769)[0x927C] == b"MAKER\0" + bytes(range(250))
