# improve: make run · make test · make check · make slow · make format · make bench · make case-study
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# processes of tests; those of a file, which share their runs, stay in one. Those of experiments wait a lot: first, and
# beside two others
TWO := -n 2 --dist loadfile --no-loadscope-reorder
THREE := $(TWO:2=3)
DEV := ruff mypy pytest pytest-xdist hypothesis jsonschema statsmodels types-PyYAML types-jsonschema

.PHONY: run test check lint types slow format bench case-study clean
.DEFAULT_GOAL := run

# the stamp is made anew when the dependencies change
$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable . $(DEV)
	touch $@

# what only the tests of trackers, exports and searches need
$(VENV)/.extras: $(VENV)/.ready
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[tensorboard,mlflow,onnx,litert,sweep,ray]'
	touch $@

run: $(VENV)/.ready  ## set up, train on real digits, say what is wrong
	$(BIN)/improve train configs/quickstart.yaml
	$(BIN)/improve diagnose "$$(ls -td runs/quickstart* | head -n 1)"

test: $(VENV)/.extras  ## set up, quick tests and short trainings
	$(BIN)/python -m pytest -m "not trains and not slow and not browser and not gpu" $(TWO)
	$(BIN)/python -m pytest -m "trains and not slow and not browser and not gpu" $(THREE) tests/experiments tests

check: lint types test  ## what CI asks for

lint: $(VENV)/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.ready
	$(BIN)/mypy

# the accessibility checker that the browser tests run in the page; without npm these tests say why they are left out
.browser: Makefile
	npm install --prefix $@ --no-save --no-audit --no-fund --silent axe-core@4.14.1
	touch $@

slow: $(VENV)/.extras  ## the long ones
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory .browser; fi
	$(BIN)/python -m pytest -m "slow or browser"

format: $(VENV)/.ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.ready  ## about half an hour; writes benchmarks/RESULTS.md (benchmarks/folder.py wants a folder)
	$(BIN)/python benchmarks/runner_tax.py
	$(BIN)/python benchmarks/augmentation.py
	$(BIN)/python benchmarks/evidence.py
	$(BIN)/python benchmarks/ensembles.py

case-study: $(VENV)/.ready  ## minutes; writes runs/case_study/ and its page
	$(BIN)/python benchmarks/case_study.py

clean:
	rm -rf $(VENV) .venv-* .browser .pytest_cache .mypy_cache .ruff_cache
