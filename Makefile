# One command for each habit; CI runs the same. Needs make and Python 3.11 or newer, nothing else by hand.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# Overridable: make devnet PORT=9000 DIR=/data/devnet ARGS="--exit"
PORT ?= 8400
DIR ?= .devnet
SEEDS ?= 50
RUNS ?= 2000
WORKERS ?= 2
ARGS ?=

# The newest first would meet a Python for which plyvel has no wheel yet; so the one that is tested goes first.
PYTHONS ?= python3.11 python3.12 python3 python3.13
PYTHON ?=

.PHONY: help setup devnet test check bench simulate model lock format clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */\1\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## make .venv from the hash-locked dependencies (does nothing when it is up to date)

$(STAMP): requirements/dev.txt pyproject.toml
	@set -euo pipefail; \
	usable() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }; \
	if ! usable $(BIN)/python; then \
	  found=; \
	  for candidate in $(if $(PYTHON),$(PYTHON),$(PYTHONS)); do \
	    if usable "$$candidate"; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "setup: no Python 3.11 or newer among: $(if $(PYTHON),$(PYTHON),$(PYTHONS)). Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; \
	  fi; \
	  if ! "$$found" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
	    echo "setup: $$found has no venv or ensurepip module. On Debian or Ubuntu: apt-get install python3-venv (or python3.11-venv)." >&2; exit 1; \
	  fi; \
	  echo "setup: making $(VENV) with $$("$$found" --version)"; \
	  "$$found" -m venv --clear $(VENV); \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then $(BIN)/python -m ensurepip --upgrade >/dev/null; fi
	@echo "setup: installing the locked dependencies"
	@$(PIP) install --quiet --require-hashes --requirement requirements/dev.txt || { \
	  echo "setup: not installed. Offline? A Python without ready-made wheels? plyvel has them for 3.11 and 3.12 on Linux x86-64;" \
	    "elsewhere it is built, which needs a C++ compiler and the headers of LevelDB (libleveldb-dev)." >&2; exit 1; }
	@PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@echo "setup: done"
	@touch $@

devnet: setup  ## four validators on loopback, the demo, a status line; Ctrl-C stops it (PORT=8400 DIR=.devnet ARGS=...)
	@exec $(BIN)/gongji devnet --demo --dir $(DIR) --port $(PORT) $(ARGS)

# End-to-end tests start whole networks of processes: they run last and alone, so that nothing competes for the cores.
test: setup  ## all tests: unit, property, simulator and end to end
	$(BIN)/python -m pytest -n $(WORKERS) -m "not e2e" $(ARGS)
	$(BIN)/python -m pytest -m e2e $(ARGS)

check: setup  ## format, lint, types, imports, fast tests (under two minutes)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not e2e" $(ARGS)

bench: setup  ## start four nodes and measure them (ARGS=...)
	@exec $(BIN)/python -m bench $(ARGS)

simulate: setup  ## run the seeded simulator (SEEDS=50)
	@exec $(BIN)/python -m tests.simulator --seeds $(SEEDS) $(ARGS)

model: setup  ## run the reference models of the contract at depth (RUNS=2000)
	@exec $(BIN)/python -m tests.model --runs $(RUNS) $(ARGS)

# --upgrade is not given: a version moves when somebody asks for it, e.g. make lock ARGS="--upgrade-package fastapi".
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/python -m piptools compile --quiet --generate-hashes --strip-extras \
  --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(ARGS)

lock: setup  ## resolve the dependencies of pyproject.toml into requirements/*.txt, with hashes
	$(COMPILE) --output-file requirements/run.txt pyproject.toml
	$(COMPILE) --extra dev --constraint requirements/run.txt --output-file requirements/dev.txt pyproject.toml
	$(COMPILE) --build-deps-for wheel --only-build-deps --constraint requirements/dev.txt --output-file requirements/build.txt pyproject.toml

format: setup  ## write the format and the safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove caches, build products and the devnet's data (keeps .venv)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache build dist *.egg-info .devnet
	find chain consensus p2p explorer node tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
