"""Make the pictures of docs/onnx.md anew: python examples/make_onnx.py

They are what ONNX Runtime makes of yard.jpg with the graphs that `relight-cli weights export` writes.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

FOLDER = Path(__file__).parent.resolve()
PAGE = FOLDER.parent / "docs" / "onnx.md"


def main() -> None:
    """Run the example of the page for two tasks."""
    example = PAGE.read_text(encoding="utf-8").partition("```py\n")[2].partition("```")[0]
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("yard.jpg").symlink_to(FOLDER / "yard.jpg")
        for task in ("deshadow", "albedo"):
            export = ["weights", "export", "tiny", "--onnx", "deshadow.onnx", "--task", task, "--overwrite"]
            subprocess.run([sys.executable, "-m", "relight_cli", *export], check=True)
            exec(compile(example, PAGE.name, "exec"), {})
            with Image.open("yard_deshadowed.png") as made:
                made.save(FOLDER / f"onnx_{task}.jpg", quality=86)


if __name__ == "__main__":
    main()
