# Two commands on a fresh machine: `make demo` and `make test`. Both make their own .venv.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo demo-azure test torture check format samples clean help

help:
	@echo "make demo    a good candidate promoted, a bad one rolled back, on this machine (about 2 minutes)"
	@echo "make demo-azure  the same plan on an emulator of Azure ML, by Azure's own SDK"
	@echo "make test    every check and every test"
	@echo "make torture every fault in every place, in one table (about 40 minutes; QUICK=1: a look)"
	@echo "make check   format, lint, types, architecture, Dockerfile"
	@echo "make format  let the tools repair what they can"
	@echo "make clean   stop the local endpoints here; remove .venv, caches and .rollout with its journal"

demo: .venv/.runtime
	@$(BIN)/python scripts/demo.py

demo-azure: .venv/.dev .venv/.node
	@$(BIN)/python scripts/demo_azure.py

test: check .venv/.node .venv/.prometheus
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/unit tests/contracts tests/simulation tests/torture rollout
	$(BIN)/python -m pytest -n 3 --dist loadgroup tests/acceptance --ignore=tests/acceptance/azureml
	$(BIN)/python -m pytest -n 4 --dist loadfile tests/acceptance/azureml

torture: .venv/.dev .venv/.node .venv/.prometheus
	$(BIN)/python -m tests.torture $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

format: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

samples: .venv/.dev
	$(BIN)/python scripts/train_samples.py

# A stamp a set of packages: a second run installs nothing. An editable install compiles nothing by
# itself, and where PYTHONDONTWRITEBYTECODE is set each command would then compile the source anew.
.venv/.runtime: .venv/.made pyproject.toml constraints.txt
	@echo "Installing rollout with its local endpoint into .venv ..."
	@$(PIP) --editable '.[local,samples]'
	@$(BIN)/python -m compileall -q rollout
	@touch $@

.venv/.dev: .venv/.made pyproject.toml constraints.txt
	@echo "Installing rollout with everything its tests need into .venv ..."
	@$(PIP) --editable '.[dev]'
	@$(BIN)/python -m compileall -q rollout
	@touch .venv/.runtime $@

# Azurite takes the uploads of deployments with inline assets to the emulator of Azure ML.
.venv/.node: .venv/.made scripts/azurite/package-lock.json
	@echo "Installing Azurite into .venv/node ..."
	@sh scripts/install-azurite .venv/node
	@touch $@

# Tests read what Prometheus has scraped; nothing else needs it.
.venv/.prometheus: .venv/.made scripts/install-prometheus
	@echo "Installing Prometheus into .venv/prometheus ..."
	@sh scripts/install-prometheus .venv/prometheus
	@touch $@

.venv/.made:
	@sh scripts/make-venv "$(PYTHON)"
	@touch $@

clean:
	@if [ -x $(BIN)/rollout ]; then \
	  for home in .rollout/local .rollout/demo/local; do \
	    if [ -d $$home ]; then $(BIN)/rollout local down --all --home $$home || true; fi; done; fi
	rm -rf .venv .rollout .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
