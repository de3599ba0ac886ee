# One word per thing a developer does. Every target sets up .venv by itself; only `test` may call apt-get.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check bench bench-surprise tree static servers

# The first Python that is new enough; `make test PYTHON=...` to choose another one.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
# Processes that run the tests: each test of a file by the same one. `make test JOBS=1` on a busy machine.
JOBS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) < 4 ? $$(nproc 2>/dev/null || echo 2) : 4 )))
PYTEST := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP) ## Watch a simulated camera for a minute and a half; leaves the folder demo/
	@$(BIN)/streamspike demo --folder demo

test: $(STAMP) servers static ## What CI runs: format, lint, types, imports and every test
	@$(PYTEST)

check: $(STAMP) static ## The same without the slow tests and without apt-get, for while you work
	@$(PYTEST) -m "not slow"

bench: $(STAMP) ## Measure how well surprise tracks the truth
	@$(BIN)/streamspike bench surprise

bench-surprise: $(STAMP) ## Make the main table anew: 500 simulated clips, every scorer; report in runs/surprise
	@$(BIN)/streamspike bench surprise --clips 500 --out runs/surprise

tree: $(STAMP) ## Write the list of modules in README.md anew
	@$(BIN)/python -m tests.support.tree

static: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

# The tests talk to a real broker, ask a real Prometheus and drive a real browser. Without root those that need one fail
# and say what to install.
servers:
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; missing=(); \
	for name in mosquitto openssl chromium prometheus; do command -v $$name > /dev/null || missing+=($$name); done; \
	command -v systemd-analyze > /dev/null || missing+=(systemd); \
	[ $${#missing[@]} -eq 0 ] || .ci/apt-install "$${missing[@]}" || \
		echo "warning: not installed: $${missing[*]}; the tests that need them will fail" >&2

# pyproject.toml leaves the choice of torch open, and pip then takes a CUDA build of several GB: right where there is a
# GPU, wrong everywhere else.
$(STAMP): pyproject.toml constraints-cpu.txt
	@[ -n "$(PYTHON)" ] || { echo "streamspike needs Python 3.11 or newer, and there is none" >&2; exit 1; }
	@echo "setting up .venv with $$($(PYTHON) --version) (the first time takes a minute or two) ..."
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv > .venv.log 2>&1 || { \
		.ci/apt-install $(notdir $(PYTHON))-venv && $(PYTHON) -m venv --clear .venv; } || { cat .venv.log >&2; exit 1; }
	@rm -f .venv.log
	@if nvidia-smi -L > /dev/null 2>&1; then constraint=(); else constraint=(-c constraints-cpu.txt); fi; \
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/pip install --quiet --no-compile $${constraint[@]+"$${constraint[@]}"} -e '.[dev]'
	@touch $@
