import shutil
from pathlib import Path

import pytest
from documents import ROOT


@pytest.fixture
def example_photos(tmp_path: Path) -> Path:
    """The inputs among the example pictures, in the folder where `command` runs."""
    for name in ("photo.jpg", "reference.jpg", "yard.jpg"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    shutil.copytree(ROOT / "examples" / "frames", tmp_path / "frames")
    return tmp_path
