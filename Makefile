# Each target does its own set-up; it needs Python 3.11+, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-quick test-slow check format bench docs lock clean

$(VENV)/.run: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Padrón needs Python 3.11 or later")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

$(VENV)/.peers: $(VENV)/.dev requirements-peers.lock  # servers that tests talk to, with packages of their own
	test -x $(VENV)/peers/bin/python || $(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-peers.lock
	touch $@

$(VENV)/.bench: $(VENV)/.dev requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	touch $@

demo: $(VENV)/.run  ## the main job, on sample files
	$(BIN)/python -m admin.demo

test: $(VENV)/.peers  ## every test
	$(BIN)/python -m pytest -n auto --dist loadgroup

test-quick: $(VENV)/.peers  ## without the slow lane; one worker more than processors, as tests wait now and then
	$(BIN)/python -m pytest -n $$($(BIN)/python -c "import os; print(os.cpu_count() + 1)") --dist loadgroup -m "not slow"

test-slow: $(VENV)/.peers
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.dev  ## format, lint, types, import contracts, generated docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.dev  ## write the generated reference
	$(BIN)/python -m docs.generate

bench: $(VENV)/.bench  ## yardsticks and Padrón in turn
	$(BIN)/python -m benchmarks.importing
	$(BIN)/python -m benchmarks.waits
	$(BIN)/python -m benchmarks.endpoint
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.roll
	$(BIN)/python -m benchmarks.exports
	$(BIN)/python -m benchmarks.backups
	$(BIN)/python -m benchmarks.sync
	$(BIN)/python -m benchmarks.hooks

lock:  ## needs uv
	uv pip compile -q pyproject.toml --extra build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.lock
	uv pip compile -q pyproject.toml --extra build --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements.lock -o requirements-dev.lock
	uv pip compile -q pyproject.toml --extra build --extra dev --extra bench --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -c requirements-dev.lock -o requirements-bench.lock
	uv pip compile -q tests/peers.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements-peers.lock

clean:
	rm -rf $(VENV) demo-data
