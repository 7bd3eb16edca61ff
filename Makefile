# Every target sets up what it needs: a machine with Python 3.11, git and make is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test check static coverage docs site bench explore faults fuzz gates mutants dist audit lock clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# What writes the bill of materials has an environment of its own (pyproject.toml says why).
RELEASE := $(VENV)/release
$(RELEASE)/.installed: $(STAMP) requirements-release.lock
	test -x $(RELEASE)/bin/python || $(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-release.lock
	touch $@

# A checker of workflows that is written in Go; without Go its test is skipped, and `make check` says so.
$(BIN)/actionlint: $(STAMP) tests/static/tools/go.mod tests/static/tools/go.sum
	cd tests/static/tools && go build -o "$(CURDIR)/$@" github.com/rhysd/actionlint/cmd/actionlint || echo "actionlint was not built: it needs Go and its modules"

demo: setup
	$(BIN)/otactl demo

.PHONY: demo-workers
# PostgreSQL, four workers and 16 environments on loopback; two workers are killed. It needs Debian's package postgresql.
demo-workers: setup
	$(BIN)/python -m tests.support.workers_demo

test: setup $(BIN)/actionlint
	$(BIN)/python -m pytest -q -n auto --dist loadfile

# What continuous integration runs: static checks, then every test with nothing skipped. CI makes Hypothesis draw the
# same examples in each run, so that what is red is what was changed; `make test` draws others each time.
check: static audit site coverage $(BIN)/actionlint $(RELEASE)/.installed
	CI=1 OTACTL_TEST_NO_SKIP=1 OTACTL_TEST_FULL=1 $(BIN)/python -m pytest -q -n auto --dist loadfile --ignore tests/unit

# The unit tests, with the branch coverage of the pure packages by them alone; pyproject.toml holds the floor.
coverage: setup
	CI=1 OTACTL_TEST_NO_SKIP=1 OTACTL_TEST_FULL=1 $(BIN)/python -m pytest -q -n auto --dist loadfile tests/unit --cov --cov-report=term-missing:skip-covered

ENGINE_MODULE := tests/infra/engine
ENGINE_VERSION := $(shell sed -n 's|^[[:space:]]*github.com/pulumi/pulumi/pkg/v3 \(v[0-9.]*\).*|\1|p' $(ENGINE_MODULE)/go.mod)
ENGINE := .engine/$(ENGINE_VERSION)/pulumi

.PHONY: engine engine-binary
check: engine-binary

# The program in infra/ on the real Pulumi engine, with a stand-in for its AWS provider; CONTRIBUTING.md has the numbers.
engine: setup engine-binary
	CI=1 OTACTL_TEST_NO_SKIP=1 OTACTL_TEST_FULL=1 $(BIN)/python -m pytest -q -n auto --dist loadfile tests/infra/engine

# `pulumi` of the pinned minor version from PATH, else built here from its Go modules, once. Without either the tests
# of the engine skip and say so, which `make check` refuses.
engine-binary:
	@if pulumi version 2>/dev/null | grep -q '^$(basename $(ENGINE_VERSION))\.'; then echo "pulumi on PATH is used"; \
	elif test -x $(ENGINE); then echo "$(ENGINE) is used"; \
	elif ! command -v go >/dev/null; then echo "no pulumi $(basename $(ENGINE_VERSION)) on PATH and no Go to build it"; \
	else \
		echo "building pulumi $(ENGINE_VERSION): 7 minutes on 2 cores, 2 GB of memory, once"; \
		mkdir -p $(dir $(ENGINE)) && go -C $(ENGINE_MODULE) build -p 2 -trimpath -mod=readonly \
			-ldflags "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$(ENGINE_VERSION)" \
			-o $(abspath $(ENGINE)) github.com/pulumi/pulumi/pkg/v3/cmd/pulumi; \
	fi

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
	$(BIN)/python -m tests.support.reference_pages
	$(BIN)/python -m tests.support.metrics_page
	$(BIN)/python -m tests.support.simulator_page > docs/simulator.md

# The pages of docs/ as a site in build/site; a broken link fails.
site: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: setup
	$(BIN)/python -m bench

# Every interleaving of small worlds on the product's own code; goes on where it was stopped (docs/reliability.md).
explore: setup
	$(BIN)/python -m tests.support.explore walk

# 200,000 damaged inputs of each kind, and of four kinds as many by the coverage of the code; goes on where it was
# stopped (docs/reliability.md).
fuzz: setup
	nice $(BIN)/python -m tests.support.fuzz run
	nice $(BIN)/python -m tests.support.fuzz cover

# Every fault at every call of every scenario, over HTTP; goes on where it was stopped (docs/reliability.md).
faults: setup
	$(BIN)/python -m tests.support.faults play

# How often gates pass bad firmware and hold good firmware, in 100,000 simulated rollouts (docs/gates.md).
gates: setup
	$(BIN)/python -m tests.support.gates

# A sample of mutants of the pure core, judged by its unit tests and a walk; goes on where it was stopped.
mutants: setup
	$(BIN)/python -m tests.support.mutants run

# Both are built from the working tree, and the same tree gives the same bytes; tests/static shows what the wheel
# installs. Beside them is a bill of materials (CycloneDX) for each lock that a place installs.
dist: setup $(RELEASE)/.installed
	$(BIN)/python -m hatchling build --target sdist --target wheel --directory dist
	$(BIN)/python -m tests.support.release.bill dist

# Known vulnerabilities of what the locks pin; where the service cannot be reached, a line says so.
audit: setup
	$(BIN)/python -m tests.support.release.audit requirements.lock requirements-release.lock

# The second is what a place installs that only runs otactl, with the page of `report`: the container file and the
# GitHub action. The third is that with what the radio's figures of `plan` need, the fourth with what `rehearse` needs, too.
# The fifth is what workers need. The last is what writes the bill of materials.
PIN := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
COMPILE := $(PIN) pyproject.toml

lock:
	$(COMPILE) --all-extras -o requirements.lock
	$(COMPILE) --group build --extra report -o requirements-core.lock
	$(COMPILE) --group build --extra report --extra radio -o requirements-plan.lock
	$(COMPILE) --group build --extra report --extra radio --extra simulator -o requirements-simulator.lock
	$(COMPILE) --group build --extra report --extra workers --extra postgres -o requirements-workers.lock
	$(PIN) --group release --constraint requirements.lock -o requirements-release.lock

clean:
	rm -rf $(VENV) .otactl .engine build dist
