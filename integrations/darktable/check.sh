#!/bin/bash
# Install relight.lua by README.md in a new home, and run all tasks in a real darktable on a screen in memory:
#     integrations/darktable/check.sh [PICTURE.png]
# Needs darktable, xvfb and imagemagick (apt-get install darktable xvfb imagemagick), and relight-cli in the PATH.
# Takes about a minute. Prints what was done, and ends with 1 if anything is not as it should be.
set -euo pipefail
cd "$(dirname "$0")/../.."
picture=$(realpath -m "${1:-build/darktable.png}")
mkdir -p "$(dirname "$picture")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"; kill "$screen" 2>/dev/null || true' EXIT

# The commands of README.md, word for word, in a home that is empty.
export HOME=$folder/home
unset XDG_CONFIG_HOME XDG_CACHE_HOME
mkdir -p "$HOME"
bash -euo pipefail <(sed -n '/^```sh$/,/^```$/{/^```/d;p}' integrations/darktable/README.md)

mkdir "$folder/photos"
cp examples/yard.jpg "$folder/photos/it's a \"yard\" \$HOME %PATH% \`ls\` {1} ü.jpg"
cp examples/photo.jpg "$folder/photos/"

display=:$((100 + RANDOM % 100))
Xvfb "$display" -screen 0 1280x800x24 </dev/null >/dev/null 2>&1 &
screen=$!
sleep 2
CHECK_FOLDER=$folder CHECK_PICTURE=$picture DISPLAY=$display OMP_NUM_THREADS=1 timeout -s KILL 300 \
    darktable --library :memory: --disable-opencl --conf write_sidecar_files=never \
    --conf ui_last/window_w=1280 --conf ui_last/window_h=800 --conf ui_last/maximized=FALSE \
    --conf plugins/lighttable/relight/expanded=TRUE \
    --luacmd "dofile('$PWD/integrations/darktable/check.lua')" </dev/null >"$folder/log" 2>&1 || true
cat "$folder/result"
python3 - "$folder/photos" <<'PYTHON'
import sys, tifffile
from pathlib import Path
made = sorted(Path(sys.argv[1]).glob("*.tif"))
assert len(made) == 7, made
for path in made:
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert page.dtype == "uint16", path
        assert b"R\0e\0c\0002\0000\0002\0000" in page.tags[34675].value, path
print("7 results, 16 bits, linear Rec2020")
PYTHON
tail -n 1 "$folder/result" | grep -q '^all as it should be$'
