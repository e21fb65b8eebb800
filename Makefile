# `make` lists the verbs. Set-up happens by itself, once, into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DEMO_CLIP := tests/data/1970-28415-0030.flac

.DEFAULT_GOAL := help
.PHONY: help setup serve dictate demo test test-slow cover check lint types units dockerfile security man dist bench clean

help: ## list the verbs
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.runtime ## install the daemon and its shipped model, without torch

serve: $(VENV)/.runtime ## run the daemon on ws://127.0.0.1:2700/v1/stream
	$(BIN)/streamasr serve $(ARGS)

dictate: $(VENV)/.mic ## type what you say into the window that has the focus
	$(BIN)/streamasr dictate $(ARGS)

demo: $(VENV)/.runtime ## transcribe a bundled clip as if it were live
	$(BIN)/streamasr transcribe --realtime $(DEMO_CLIP)

test: $(VENV)/.dev ## the fast tests: minutes
	$(BIN)/python -m pytest -q $(ARGS)

test-slow: $(VENV)/.dev ## the tests that need a sound server, a browser or a training run
	scripts/system-packages slow
	$(BIN)/python -m pytest -q -m slow $(ARGS)

cover: $(VENV)/.dev ## the fast tests with branch coverage
	$(BIN)/python -m pytest -q --cov --cov-report=term $(ARGS)

check: lint types units dockerfile security ## everything that needs no running

lint: $(VENV)/.dev ## ruff: format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

units: $(VENV)/.dev ## systemd's own checks of the units in systemd/
	scripts/check-units

security: $(VENV)/.dev ## bandit over the code, pip-audit over what is installed
	$(BIN)/bandit --quiet --recursive -c pyproject.toml --confidence-level medium streamasr
	$(BIN)/python scripts/audit

dockerfile: $(VENV)/.dev ## hadolint
	$(BIN)/hadolint Dockerfile

man: $(VENV)/.dev ## write the manual page anew
	COLUMNS=80 $(BIN)/python scripts/man-page > docs/man/streamasr.1

dist: $(VENV)/.dev ## an sdist and a wheel for any Linux of the last years, in dist/
	rm -rf dist
	scripts/dist dist $(BIN)/python

bench: $(VENV)/.dev ## the benchmarks that need no data beyond the bundled clips
	$(BIN)/python bench/rtf.py
	$(BIN)/python bench/engine.py
	$(BIN)/python bench/latency.py
	$(BIN)/python bench/idle.py

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "streamasr needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "no venv module: apt-get install python3-venv"; exit 1; }

$(VENV)/.runtime: pyproject.toml hatch_build.py streamasr/core/search.c | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/.mic: pyproject.toml scripts/system-packages | $(VENV)/.runtime
	scripts/system-packages dictate
	$(PIP) -e '.[mic]'
	@touch $@

$(VENV)/.dev: pyproject.toml scripts/system-packages | $(VENV)/bin/python
	scripts/system-packages fast
	@echo 'installing what the tests need, torch too: 5.5 GB, once'
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.mic $(VENV)/.runtime
