# Undertow's commands. Each is repeatable, prints what it installs, and works from a bare Debian or Ubuntu machine.
PYTHON ?= python3
VENV   := .venv
BENCH  := build/bench-venv
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PIP    := $(BIN)/python -m pip --disable-pip-version-check
LIST   := echo "== installed: $$($(PIP) list --format=freeze | tr '\n' ' ')"

.DEFAULT_GOAL := help
.PHONY: help demo run test lint bench study soak docs image constraints clean system-chromium

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

demo: $(VENV)/.run system-mosquitto ## the whole service on simulated venues, with its own broker
	$(BIN)/undertow demo

run: $(VENV)/.run system-mosquitto ## live venues with configs/default.toml
	$(BIN)/undertow run -c configs/default.toml

test: $(VENV)/.test system-mosquitto system-prometheus system-chromium lint ## the whole suite, with everything it needs
	$(BIN)/python -m pytest -m "not soak and not bench"

lint: $(VENV)/.test ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BENCH)/.ready system-mosquitto ## ours against four other order books on the same frames, and the whole service under load
	$(BENCH)/bin/python -m pytest -q -m bench tests/bench
	$(BENCH)/bin/python -m tests.bench

study: $(VENV)/.test ## the liquidation model against February 2026, out of sample, and against simulated worlds
	$(BIN)/python -m tests.studies.exposure_feb2026
	$(BIN)/python -m tests.studies.simulated_accounts
	$(BIN)/python -m tests.studies.simulated_cascade

soak: $(VENV)/.test system-mosquitto ## long runs
	$(BIN)/python -m pytest -m soak

docs: $(VENV)/.run ## regenerate docs/reference and the deployed dashboards from the code
	$(BIN)/undertow docs --out docs/reference
	$(BIN)/python deploy/grafana/build_dashboard.py

image: ## the container image
	docker build -t undertow .

constraints: ## pin what a fresh environment would install today
	$(PYTHON) -m venv build/pin && build/pin/bin/python -m pip -q install '.[test]' \
	  && build/pin/bin/python -m pip freeze --exclude undertow --exclude pip > constraints.txt && rm -rf build/pin

clean: ## remove what these commands made
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# -- the environment: one stamp per set of extras
$(BIN)/python:
	@echo "== creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Undertow needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { echo "== installing the system package python3-venv"; \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); } \
	  || { rm -rf $(VENV); exit 1; }   # a half-made environment would look ready to the next make

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	@echo "== installing undertow into $(VENV)"
	$(PIP) install -q -c constraints.txt -e .
	@$(LIST)
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "== installing undertow and its test tools into $(VENV)"
	$(PIP) install -q -c constraints.txt -e '.[test]'
	@$(LIST)
	@touch $@ $(VENV)/.run

# The peers bring what the service must not be measured with (another resolver, pandas), so they live in an environment of their own.
$(BENCH)/.ready: pyproject.toml constraints.txt | $(BIN)/python
	@echo "== installing undertow and the order books it is compared with into $(BENCH)"
	@$(BIN)/python -m venv $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt -e '.[test,bench]' || { \
	  $(BENCH)/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt -e '.[test]' && \
	  for peer in sortedcontainers cryptofeed nautilus_trader hftbacktest; do \
	    $(BENCH)/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt $$peer || \
	      echo "== not compared: $$peer cannot be installed here"; done; }
	@$(subst $(VENV)/bin,$(BENCH)/bin,$(LIST))
	@touch $@

# -- system packages: system-NAME installs the Debian package NAME when its command is not there; nothing is started (RUNLEVEL=1)
APT   := $(SUDO) env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends
FOUND  = PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v

system-chromium:
	@$(FOUND) chromium >/dev/null || $(FOUND) chromium-browser >/dev/null || { \
	  echo "== installing the system package chromium"; $(SUDO) apt-get update -qq; \
	  $(APT) chromium >/dev/null || $(APT) chromium-browser >/dev/null; }   # the latter on Ubuntu

system-%:
	@$(FOUND) $* >/dev/null || { echo "== installing the system package $*"; $(SUDO) apt-get update -qq; $(APT) $* >/dev/null; }
