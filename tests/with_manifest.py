"""Run the command line with another manifest: python tests/with_manifest.py MANIFEST ARGUMENT..."""

import sys
from pathlib import Path

from relight_cli.checkpoints import manifest
from relight_cli.cli import main

manifest._PLACES = (Path(sys.argv[1]),)
sys.argv = ["relight-cli", *sys.argv[2:]]
main()
