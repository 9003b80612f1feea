# Ulak's commands for people. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test check format messages storm fuzz bench bench-scale bench-panel bench-growth bench-overload \
	bench-profile bench-plots screenshots lock clean

help: ## list these targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## install everything into .venv

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ulak needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; exit 1; }
	@echo "Setting up $(VENV) (a minute, once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## send real messages through a simulated carrier, and look at them
	@exec $(BIN)/ulak demo

test: $(READY) ## the whole test suite
	@command -v tshark >/dev/null || echo "tshark is missing: its tests are skipped (apt-get install tshark)"
	@command -v chromium >/dev/null || echo "chromium is missing: the panel's tests in a browser are skipped (apt-get install chromium)"
	@command -v nginx >/dev/null || echo "nginx is missing: its tests are skipped (apt-get install nginx-light)"
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup

check: $(READY) ## format, lint, weaknesses, types, layers and the fast tests
	@$(BIN)/ruff format --check -q . || { echo "Run: make format"; exit 1; }
	@$(BIN)/ruff check -q .
	@$(BIN)/bandit -q -c pyproject.toml -r src
	@$(BIN)/python -m tests.tidy.advisories
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not slow"

format: $(READY) ## write the code the way `make check` wants it
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

messages: $(READY) ## bring the panel's translations up to date, and list what is missing
	@$(BIN)/python -m tests.edge.panel.catalogue

storm: $(READY) ## break everything that can break, from a seed, and ask the laws (SEED=7 FAULTS=200 SECONDS=1800)
	@exec $(BIN)/python -m tests.storm $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

fuzz: $(READY) ## send what nobody means well to every operation, field and page, from a seed (SEED=7 SECONDS=900)
	@exec $(BIN)/python -m tests.fuzz $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

bench: $(READY) ## measure this machine: accepted and delivered a second, CPU, memory
	@exec $(BIN)/python -m bench $(ARGS)

bench-scale: $(READY) ## measure lists of ten million sendings (ARGS="--rows N --grow")
	@exec $(BIN)/python -m bench.scale $(ARGS)

bench-panel: $(READY) ## measure the panel's pages over a million sendings (ARGS="--rows N")
	@exec $(BIN)/python -m bench.panel $(ARGS)

bench-growth: $(READY) ## measure 1 to 4 processes, 1 to 1,000 tenants (ARGS="--only tenants")
	@exec $(BIN)/python -m bench.growth $(ARGS)

bench-overload: $(READY) ## ten times more than it can take (ARGS="--seconds 120 --slow-ms 50")
	@exec $(BIN)/python -m bench.overload $(ARGS)

bench-profile: $(READY) ## where a message's microseconds go (ARGS="singles", "accepted" or "bulk")
	@exec $(BIN)/python -m bench.profiles $(ARGS)

bench-plots: $(READY) ## draw docs/performance/*.svg from the newest figures in bench-results
	@exec $(BIN)/python -m bench.plots $(ARGS)

screenshots: $(READY) ## take docs/screenshots/*.png anew, from the demo (needs chromium)
	@$(BIN)/python docs/screenshots/make.py

lock: ## write requirements/*.lock anew from pyproject.toml (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml --extra traces --group dev -o requirements/dev.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml -c requirements/dev.lock -o requirements/run.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml --extra traces -c requirements/dev.lock -o requirements/traces.lock

clean: ## remove what the targets above made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis .pytest_cache bench-results
