# Every target sets up its own .venv; nothing needs to be installed first but Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin
export NO_MKDOCS_2_WARNING := 1

.PHONY: setup demo test lint docs man examples blender bench clean

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/relight-cli relight examples/photo.jpg --light examples/reference.jpg --model tiny \
		-o demo/photo_relit.jpg --overwrite
	@echo "examples/photo.jpg in the light of examples/reference.jpg: open demo/photo_relit.jpg"

# A process for each core, each with one thread of its own: most of the suite's work is not the network's.
test: setup
	@command -v ffprobe > /dev/null || echo "no ffprobe: its tests are skipped (apt-get install ffmpeg)"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The site, with the command reference made from the program itself; a broken link is an error.
docs: .venv/docs-ready
	$(BIN)/mkdocs build --strict --quiet

.venv/docs-ready: .venv/ready
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	touch $@

man: setup
	$(BIN)/python docs/generate/man_pages.py build/man
	@echo "man -l build/man/relight-cli.1"

# The pictures of README.md and docs/.
examples: setup
	OMP_NUM_THREADS=1 $(BIN)/python examples/make.py
	OMP_NUM_THREADS=1 $(BIN)/python examples/make_presets.py
	OMP_NUM_THREADS=1 $(BIN)/python examples/make_lit.py
	OMP_NUM_THREADS=1 $(BIN)/python examples/make_sources.py
	OMP_NUM_THREADS=1 $(BIN)/python examples/make_compare.py
	OMP_NUM_THREADS=1 $(BIN)/python examples/make_onnx.py
	OMP_NUM_THREADS=1 $(BIN)/python examples/make_compositing.py

# Blender as a Python module, for one test and one picture, in an environment of its own, because it wants NumPy 1.
blender: .venv-blender/ready

.venv-blender/ready:
	$(PYTHON) -m venv .venv-blender
	.venv-blender/bin/pip install --quiet 'bpy==5.0.*' OpenImageIO 'numpy<2'
	.venv-blender/bin/python -c 'import bpy'
	touch $@

bench: setup
	$(BIN)/python benchmarks/start_up.py
	$(BIN)/python benchmarks/split_blend.py
	$(BIN)/python benchmarks/end_to_end.py
	$(BIN)/python benchmarks/formats.py
	$(BIN)/python benchmarks/encoders.py
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/speed.py --network tiny
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/end_to_end.py --network full --sizes 12
	$(BIN)/python benchmarks/depth_speed.py

clean:
	rm -rf .venv .venv-blender
