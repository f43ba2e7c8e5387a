# make demo, make test: all set-up included. They need Python 3.11 or newer and nothing else.

PYTHON ?= python3
PY     := .venv/bin/python
ARGS   ?=

# One BLAS thread: bit-for-bit repeatable sums, and workers that don't fight over cores.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export VECLIB_MAXIMUM_THREADS := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: demo test check chaos lock clean help

demo: .venv/run.stamp  ## the spam stream, on files: no Kafka, no Docker, no download
	@.venv/bin/rotwatch demo $(ARGS)

test: check  ## check, then every test and doctest; ARGS="-k words" chooses
	@$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

check: .venv/dev.stamp  ## style, types, layers
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

# What befalls workers under load, and what befalls brokers, networks, topics, disks and checkpoints.
CHAOS = tests/chaos $(patsubst %,tests/consumers/kafka/test_%.py,full_disk hazards load recovery)
chaos: .venv/dev.stamp  ## kill what can be killed, under load, for some 25 minutes; make test does some of it
	@ROTWATCH_CHAOS=long ROTWATCH_REQUIRE_KAFKA=1 $(PY) -m pytest -o timeout=3600 $(CHAOS) $(ARGS)

bench-%: .venv/run.stamp  ## one measurement, e.g. make bench-overhead
	@$(PY) -m bench.$(subst -,_,$*) $(ARGS)

# Existing pins are kept where they still satisfy pyproject.toml; ARGS=--upgrade takes the newest.
# One lock serves every platform, and every Python with the same versions. --no-config, --no-header: nothing of this machine gets in.
COMPILE = .venv/bin/uv pip compile pyproject.toml --quiet --no-config --no-header --no-emit-index-url \
	--no-emit-find-links --no-annotate --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --extra parquet --extra registry --group build
lock: .venv/dev.stamp  ## requirements.lock and requirements-dev.lock, from pyproject.toml
	@$(COMPILE) --output-file requirements.lock $(ARGS)
	@$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock $(ARGS)

clean:  ## forget the environment, caches and build products
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@sed -nE 's/^([a-z%-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# A stamp stands for an environment that equals the lock. dev holds all of run.
.venv/run.stamp: requirements.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $@

.venv/dev.stamp: requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch .venv/run.stamp $@

define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo 'rotwatch needs Python 3.11 or newer, and "$(PYTHON)" is not: name one, as in make PYTHON=python3.12' >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo '"$(PYTHON)" cannot make virtual environments: install its venv package (Debian: apt-get install python3-venv)' >&2; exit 1; }
@echo 'Installing $(1) into .venv'
@$(PYTHON) -m venv .venv
@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1)
@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
endef
