# Everything a developer or an operator does here, as one word each: `make help`.
#
# Needs Python >= 3.11, make and a C compiler; everything else comes from the two lock files, by hash.
# The stamps in .venv say what is installed: a target runs again only when a file it was made from is newer.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-input
TEST_JOBS ?= 2
ARGS ?=

.PHONY: help setup serve test eval bench bench-cache bench-replay bench-faults bench-routing lint soak lock clean

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(VENV)/.runtime ## Make .venv with the command .venv/bin/tierwise; does nothing when nothing changed

serve: $(VENV)/.runtime ## Set up, then serve; without a key against the bundled stand-in
	@exec $(BIN)/tierwise serve $(ARGS)

test: $(VENV)/.dev ## Set up, then run every test (ARGS="tests/wire -k sse" narrows it)
	@$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile --quiet $(ARGS)

eval: $(VENV)/.evals ## Measure tiers with what only that needs installed too (ARGS="run --rehearse")
	@$(BIN)/tierwise eval $(or $(ARGS),list)

bench: $(VENV)/.runtime ## Measure speed, CPU and memory against the stand-in (ARGS=--quick for a look)
	@$(BIN)/python -m tests.bench $(ARGS)

bench-cache: $(VENV)/.runtime ## Measure what the cache marks cost against hindsight (ARGS="--seed 3")
	@$(BIN)/python -m tests.bench.cache $(ARGS)

bench-replay: $(VENV)/.runtime ## Measure how many decisions a second a replay makes (ARGS="--requests 1000000")
	@$(BIN)/python -m tests.bench.replay $(ARGS)

bench-faults: $(VENV)/.runtime ## Measure what callers see while the API fails (ARGS="--quick --without-litellm")
	@$(BIN)/python -m tests.bench.faults $(ARGS)

DATA ?= ../shared/data
bench-routing: $(VENV)/.evals ## Measure how well tiers are picked and the gate keeps its bound (DATA=..., ARGS=--quick)
	@$(BIN)/python -m evals.replay --data $(DATA) $(ARGS)

lint: $(VENV)/.dev ## Check style, types and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

soak: $(VENV)/.dev ## Run the tests that take minutes, with new random examples on every run
	@$(BIN)/python -m pytest -m soak --hypothesis-profile=default --timeout=3600 $(ARGS)

lock: ## Pin every dependency by hash, anew with ARGS=--upgrade (the only target that needs uv)
	@command -v uv >/dev/null || { echo "make lock needs the command uv on PATH" >&2; exit 1; }
	@uv pip compile pyproject.toml $(SERVICE_EXTRAS) --extra evals --extra dev $(LOCK_OPTIONS) --output-file requirements-dev.lock
	@uv pip compile pyproject.toml $(SERVICE_EXTRAS) --extra evals --constraint requirements-dev.lock $(LOCK_OPTIONS) --output-file requirements-evals.lock
	@uv pip compile pyproject.toml $(SERVICE_EXTRAS) --constraint requirements-dev.lock $(LOCK_OPTIONS) --output-file requirements.lock

SERVICE_EXTRAS := --extra build --extra language --extra redis --extra postgres
LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links $(ARGS)

clean: ## Remove the environment and caches; never the data in var/
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first interpreter that is new enough; PYTHON=/path/to/python overrules the search.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "Tierwise needs Python 3.11 or newer (on Debian with python3-venv); set PYTHON=..." >&2; exit 1; }
	@echo "Setting up $(VENV) (once; the first time takes about a minute) ..."
	@$(PYTHON) -m venv $(VENV)

# setuptools is pinned in requirements.lock, so the package itself is built without fetching anything.
$(VENV)/.runtime: requirements.lock pyproject.toml $(VENV)/pyvenv.cfg
	@$(PIP_INSTALL) --require-hashes --requirement requirements.lock
	@$(PIP_INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.evals: requirements-evals.lock $(VENV)/.runtime
	@$(PIP_INSTALL) --require-hashes --requirement requirements-evals.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@$(PIP_INSTALL) --require-hashes --requirement requirements-dev.lock
	@touch $@
