# `make demo` and `make test` do all their own set-up, in .venv, on a machine that has only
# Python 3.11 or newer with venv and pip.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# What `make install` is told. Configuration and state are in /etc and /var/lib whatever the prefix:
# the command line and the units look there.
prefix ?= /usr/local
DESTDIR ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-browser test-cron test-oracle test-year test-install lint format types check coverage bench wheel smoke install uninstall clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt hatch_build.py cronverifyd/wrap.py
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
	  $(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(READY) ## the whole chain for real, in a temporary folder, under a minute
	@$(BIN)/cronverifyd demo

test: $(READY) ## all tests but those that take minutes of their own
	@$(BIN)/python -m pytest -m 'not browser and not cron and not oracle and not year and not install'
	@echo "others take minutes, or a browser: make test-browser test-cron test-oracle test-year test-install"

test-browser: $(READY) ## the pages in a headless Chromium (packages chromium, chromium-driver)
	@$(BIN)/python -m pytest -m browser

test-cron: $(READY) ## jobs under the real Debian cron (package cron, as root; four minutes)
	@$(BIN)/python -m pytest -m cron -s

test-oracle: $(READY) ## slots against the real cron over clock changes (cron, libfaketime, as root)
	@$(BIN)/python -m pytest -m oracle

test-year: $(READY) ## a simulated year of 100 jobs: all that breaks is found, and nothing else
	@$(BIN)/python -m pytest -m year

test-install: $(READY) ## installs into a folder, looks at every file, and uninstalls (two minutes)
	@$(BIN)/python -m pytest -m install

lint: $(READY) ## formatter and linter, changing nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

format: $(READY) ## let the formatter and the linter mend what they can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

types: $(READY) ## mypy --strict over the package
	@$(BIN)/mypy

check: lint types test ## all three

coverage: $(READY) ## tests with branch coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m 'not browser and not cron and not oracle and not year and not install' -q
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

bench: $(READY) ## latency, the wrapper, the verdicts, beside their floors; an idle daemon
	@$(BIN)/python bench/latency.py
	@$(BIN)/python bench/wrapper.py
	@$(BIN)/python bench/verify.py
	@$(BIN)/python bench/idle.py

wheel: $(READY) ## build the wheel into dist/
	@rm -rf dist
	@PIP_CONSTRAINT=constraints.txt $(BIN)/python -m build --wheel .

smoke: wheel ## install the wheel into a clean environment and use it
	@.ci/smoke dist/*.whl

install: ## install for systemd, as root: prefix=/usr/local DESTDIR= (docs/INSTALL.md)
	@packaging/install '$(DESTDIR)' '$(prefix)' '$(PYTHON)'

uninstall: ## remove what was installed; configuration, state and the user stay
	@packaging/uninstall '$(DESTDIR)' '$(prefix)'

clean: ## remove what was made here
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
