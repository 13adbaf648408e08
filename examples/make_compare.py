"""Make the picture of a page of --compare anew: python examples/make_compare.py

It needs Chromium, for example Debian's package.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
SIZE = {"width": 1100, "height": 1400}
QUALITY = 82


def main() -> None:
    """Write compare.jpg: photo.jpg at golden hour, as the page shows it."""
    with TemporaryDirectory() as work, sync_playwright() as driver:
        page = Path(work) / "page.html"
        options = ["--light", "golden-hour", "--model", "tiny", "-o", work, "--compare", str(page)]
        run = [sys.executable, "-m", "relight_cli", "relight", "photo.jpg", *options]
        subprocess.run(run, cwd=FOLDER, check=True)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport=SIZE, color_scheme="light")
        tab.goto(page.as_uri())
        tab.wait_for_timeout(500)
        tab.locator(".command").evaluate("section => section.remove()")  # it names a temporary folder
        tab.screenshot(path=FOLDER / "compare.jpg", type="jpeg", quality=QUALITY)
        browser.close()


if __name__ == "__main__":
    main()
