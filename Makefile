# One command each; every target builds the environment it needs in .venv first (seconds when nothing changed).
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
BOOTSTRAP := .venv-bootstrap
UV := $(BOOTSTRAP)/bin/uv
SPEC ?= reports/latest.toml
PYTEST_ARGS ?=

# Interpreters to try, best first. A name on PATH may be a shim that only prints an error, so each is run
# before it is trusted.
PYENV := $(foreach minor,13 12 14,$(wildcard $(HOME)/.pyenv/versions/3.$(minor).*/bin/python))
CANDIDATES := python3.13 python3.12 python3.14 python3 $(PYENV)
SUITABLE := import sys; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 15))

.PHONY: help install report test quick check format bench mutants notebooks refresh release pictures golden lock clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

install: $(STAMP) ## build the environment

report: $(STAMP) ## run the main analysis and print its headline and where the report is
	$(VENV)/bin/cba run $(SPEC)

test: $(STAMP) ## all tests, doctests and notebooks, slow ones included
	OPENBLAS_NUM_THREADS=1 $(PYTHON) -m pytest --nbmake --nbmake-timeout=1800 -n auto --dist loadfile --no-loadscope-reorder \
	    $(PYTEST_ARGS) tests cba notebooks

quick: $(STAMP) ## the tests that sample nothing
	$(PYTHON) -m pytest -m "not slow" $(PYTEST_ARGS)

check: $(STAMP) ## format, lint, import contracts, types, docstrings
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy
	$(PYTHON) -m pytest --quiet tests/test_public_docstrings.py

format: $(STAMP) ## rewrite files in house format
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(STAMP) ## time what must be fast
	$(PYTHON) -m pytest benchmarks --benchmark-only $(PYTEST_ARGS)

mutants: $(STAMP) ## change the arithmetic in small ways and count what the tests notice (half an hour; MUTANTS_ARGS)
	$(PYTHON) benchmarks/mutants.py $(MUTANTS_ARGS)

notebooks: $(STAMP) ## run the notebooks
	$(PYTHON) -m pytest --nbmake --nbmake-timeout=1800 notebooks $(PYTEST_ARGS)

refresh: $(STAMP) ## make every stale slow result again: panel, backtest, curve, calibration (over an hour; goes on where it stopped)
	$(VENV)/bin/cba refresh all --workers 2

release: refresh golden report ## after a new release of the data: slow results, goldens and the report

pictures: $(STAMP) ## pictures of the pages of the newest report, into build/pictures
	mkdir -p build/pictures
	pdftoppm -r 60 -png "$$($(VENV)/bin/cba report latest --pdf | sed -n 's/^PDF: //p')" build/pictures/page

golden: $(STAMP) ## rewrite the golden appraisal: review the difference and say why in CHANGELOG.md
	$(PYTHON) -m pytest tests -k golden --overwrite-golden

lock: $(UV) ## resolve requirements.lock anew (LOCK_ARGS=--upgrade for newer versions)
	$(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header \
	    --no-emit-index-url --extra dev $(LOCK_ARGS) pyproject.toml --output-file requirements.lock

clean: ## remove caches, never results
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .benchmarks dist
	find cba tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The build tools are in the lock too, so that nothing is installed that has no hash.
$(STAMP): requirements.lock pyproject.toml | $(UV)
	@if ! $(PYTHON) -c '$(SUITABLE)' 2>/dev/null; then \
	    found=""; \
	    for candidate in $(CANDIDATES); do \
	        if "$$candidate" -c '$(SUITABLE)' >/dev/null 2>&1; then found=$$candidate; break; fi; \
	    done; \
	    echo "interpreter: $${found:-none suitable here, uv fetches 3.13}"; \
	    $(UV) venv --quiet --clear --python "$${found:-3.13}" $(VENV); \
	fi
	$(UV) pip sync --quiet --python $(PYTHON) --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable .
	@touch $@

# Any Python 3 with venv and pip will do for this one: it only brings uv.
$(UV):
	@for candidate in python3 $(CANDIDATES) /usr/bin/python3; do \
	    if "$$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1 \
	        && "$$candidate" -m venv --clear $(BOOTSTRAP) >/dev/null 2>&1; then \
	        $(BOOTSTRAP)/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9" && exit 0; \
	    fi; \
	done; \
	echo "no Python 3 with venv and pip found: install one (Debian: python3-venv), or put uv at $(UV)" >&2; exit 2
