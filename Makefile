# Every target sets up what it needs: a machine with Python 3.11, git and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test check static coverage docs bench dist lock clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/otactl demo

test: setup
	$(BIN)/python -m pytest -q -n auto --dist loadfile

# What continuous integration runs: static checks, then every test with nothing skipped. CI makes Hypothesis draw the
# same examples in each run, so that what is red is what was changed; `make test` draws others each time.
check: static coverage
	CI=1 OTACTL_TEST_NO_SKIP=1 $(BIN)/python -m pytest -q -n auto --dist loadfile --ignore tests/unit

# The unit tests, with the branch coverage of the pure packages by them alone; pyproject.toml holds the floor.
coverage: setup
	CI=1 OTACTL_TEST_NO_SKIP=1 $(BIN)/python -m pytest -q -n auto --dist loadfile tests/unit --cov --cov-report=term-missing:skip-covered

static: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pyright infra

docs: setup
	$(BIN)/python -m tests.support.permissions.fuota_matrix > docs/permissions.md
	$(BIN)/python -m tests.support.lifecycle_page > docs/lifecycle.md
	$(BIN)/python -m tests.support.output_schemas

bench: setup
	$(BIN)/python -m bench

# Both are built from the working tree; tests/static shows what the wheel installs.
dist: setup
	$(BIN)/python -m hatchling build --target sdist --target wheel --directory dist

# The second is what a place that only runs otactl installs: the container file and the GitHub action.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml

lock:
	$(COMPILE) --all-extras -o requirements.lock
	$(COMPILE) --group build -o requirements-core.lock

clean:
	rm -rf $(VENV) .otactl dist
