"""What the tool says of itself in a picture: who made it, how, and from what."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from relight_cli.imaging.photo_metadata import SOFTWARE, made_by_relight_cli


def with_software(software: str, suffix: str, folder: Path) -> Path:
    path = folder / f"a{suffix}"
    exif = Image.Exif()
    exif[0x0131] = software
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_what_the_tool_made_is_known_by_its_software_tag(suffix: str, tmp_path: Path) -> None:
    assert made_by_relight_cli(with_software(SOFTWARE, suffix, tmp_path))
    assert made_by_relight_cli(with_software("relight-cli 9.8.7", suffix, tmp_path))
    for other in ("Camera 1.0", "relight-client 2", "made with relight-cli 0.1.0"):
        assert not made_by_relight_cli(with_software(other, suffix, tmp_path))


def test_depth_maps_are_known_by_their_text(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Software", SOFTWARE)
    Image.new("I;16", (3, 3)).save(tmp_path / "a.png", pnginfo=texts)
    assert made_by_relight_cli(tmp_path / "a.png")


def test_what_cannot_be_read_was_not_made_by_the_tool(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe1" + b"relight-cli 0.1.0" * 9)
    (tmp_path / "empty.png").touch()
    for path in (tmp_path / "a.jpg", tmp_path / "empty.png", tmp_path, tmp_path / "gone", tmp_path / "nul\0.png"):
        assert not made_by_relight_cli(path)
