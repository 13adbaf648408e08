# Every target sets up its own .venv; nothing needs to be installed first but Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint bench clean

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
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup
	$(BIN)/python benchmarks/start_up.py
	$(BIN)/python benchmarks/split_blend.py
	$(BIN)/python benchmarks/end_to_end.py
	$(BIN)/python benchmarks/loading.py
	$(BIN)/python benchmarks/speed.py --network tiny
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/end_to_end.py --network full --sizes 12
	$(BIN)/python benchmarks/depth_speed.py

clean:
	rm -rf .venv
