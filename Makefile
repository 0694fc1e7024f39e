# Every target makes .venv with .venv/bin/ebb first. Needs Python 3.11 or newer; `make PYTHON=…` names one.

VENV := .venv
RUN := $(VENV)/bin
UV := uv==0.13.8
READY := $(VENV)/.ready
COMPILED := $(VENV)/.compiled
PROCESSES := 3
SEED := 1
MINUTES := 5
LOCK := $(VENV)/lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-cache --fork-strategy fewest

.DEFAULT_GOAL := help
.PHONY: help demo test test-long chaos bench bench-delivery soak lint format lock schemas settings-page dashboards clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(COMPILED) ## the main job on a real history, with an embedded broker and Redis
	$(RUN)/ebb demo

# A file's tests stay together, for what they share; in the order of the files, which begins with those that take longest.
test: $(COMPILED) ## everything this machine can test, with a reason for each test it cannot; PROCESSES=0 runs it in one
	$(RUN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

test-long: $(COMPILED) ## the outages of `make test` once more, half a minute long each
	$(RUN)/python -m pytest -m long -s

bench: $(VENV)/.bench $(COMPILED) ## Ebb beside others on this machine, up to an hour; BENCH="--quick" and other options pass through
	$(RUN)/python -m benchmarks $(BENCH)

bench-delivery: $(VENV)/.bench $(COMPILED) ## takeover, restarts, starts, cost of safety, a second worker: half an hour; BENCH="--rounds 1" passes through
	$(RUN)/python -m benchmarks.delivery $(or $(BENCH),--output benchmarks/results/delivery.json)

soak: $(VENV)/.bench $(COMPILED) ## ten million events through two workers: what grows? Ten minutes or so; SOAK="--events 2000000" passes through
	$(RUN)/python -m benchmarks.soak $(SOAK)

chaos: $(COMPILED) ## random faults against three workers and a learner under load: SEED=1 MINUTES=5
	$(RUN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES)

lint: $(READY) ## style, types and rings
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	@! grep -n "://" requirements.lock requirements-bench.lock deploy/requirements.lock || \
		{ echo "a lock names a host: run make lock"; exit 1; }

format: $(READY) ## bring all Python files into form
	$(RUN)/ruff check --fix --exit-zero .
	$(RUN)/ruff format .

schemas: $(READY) ## write the JSON Schema files from the event types
	$(RUN)/python -m schemas.json_schema

settings-page: $(READY) ## write docs/settings.md from the settings
	$(RUN)/python -m stream.settings.page

dashboards: $(READY) ## write Grafana's dashboards and the tables of docs/operations.md from their code
	$(RUN)/python -m deploy.dashboards

lock: $(READY) ## write all lock files from pyproject.toml
	$(RUN)/python -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet --disable-pip-version-check "$(UV)"
	$(LOCK) --upgrade --extra embedded --extra avro --extra offline --extra dev --output-file requirements.lock
	$(LOCK) --extra bench --constraints requirements.lock --output-file requirements-bench.lock
	$(LOCK) --extra avro --extra build --constraints requirements.lock --output-file deploy/requirements.lock

clean: ## remove .venv and everything that was built or cached
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache deploy/kafka-test/libs deploy/kafka-test/.m2
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first Python that is new enough and can make an environment; 3.12 and 3.11 come first, for which pip has a Redis.
CAN_DO := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON = $(shell for python in python3.12 python3.11 python3 python3.13 python3.14; do \
	$$python -c '$(CAN_DO)' >/dev/null 2>&1 && { echo $$python; break; }; done)

$(READY): requirements.lock pyproject.toml
	@python="$(PYTHON)"; [ -n "$$python" ] && "$$python" -c '$(CAN_DO)' 2>/dev/null || { \
		echo "Ebb needs Python 3.11 or newer with its venv module; $${python:-python3} here is" \
			"$$($${python:-python3} --version 2>/dev/null || echo missing)."; \
		echo "Install one (Debian: python3 python3-venv), or name one: make PYTHON=python3.12"; exit 1; }
	$(RUN)/python -c '$(CAN_DO)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# After an update too: a worker would compile before its first record. Where nothing has changed it takes some seconds.
$(COMPILED): $(READY) $(shell find schemas stream offline ebb -name '*.py')
	$(RUN)/python -m compileall -q schemas stream offline ebb
	$(RUN)/python -m ebb.compose.warming
	$(RUN)/python -m offline.columns.warming
	@touch $@

$(VENV)/.bench: requirements-bench.lock $(READY)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-bench.lock
	@touch $@
