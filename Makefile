# Targets a newcomer needs; `make help` lists them. Only `make setup` installs.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed-$(shell cat requirements/dev.txt pyproject.toml | cksum | cut -d' ' -f1)
ANVIL := tools/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	--python-version 3.11 --only-binary :all: pyproject.toml

.PHONY: help setup run test test-fast check bench bench-plot soak contracts docs images lock anvil browser clean
help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv from the hashed lock, wheels only

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed: sudo apt-get install python3 python3-venv (or PYTHON=python3.12 make setup)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "venv and pip are missing: sudo apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the locked wheels into .venv (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -f .venv/.installed-* && touch $@

run: setup ## sealer and follower on free ports, a sample day, its audit; serves until Ctrl-C
	@$(BIN)/clearance run

# Two at a time, tests that wait for real processes may run out of time on a slow machine: in CI, what failed beside others
# is run once more alone. A fault fails twice; a suite that did not run to its end (any other status) is not asked again.
test: setup ## the whole suite
	@$(BIN)/python -m pytest -n 2 --dist worksteal; status=$$?; \
		[ "$$status$$CI" = 1true ] || exit $$status; \
		$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

test-fast: setup ## without the slow tests
	@$(BIN)/python -m pytest -n 2 -m "not slow"

check: setup ## lint, types, imports, bytecode, documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m contracts.build --check
	$(BIN)/python -m ledger.chain.protocol --check

bench: setup ## entries per second, as a table and bench.json
	@$(BIN)/python -m benchmarks

soak: setup ## kills and troubles under load for SOAK_MINUTES (15) or until KILLS=N
	@$(BIN)/python -m tests.soak $(if $(KILLS),--kills $(KILLS))

bench-plot: setup ## throughput, disk and memory up to two million parcels, into docs/images (an hour, 3 GB)
	@$(BIN)/python -m benchmarks plot

contracts: setup ## compile the contracts and write their artefact
	$(BIN)/python -m contracts.build

docs: setup ## write the documents that are made from tables
	$(BIN)/python -m ledger.chain.protocol

images: setup browser ## pictures of the buyer's pages into docs/images
	@$(BIN)/python -m tests.e2e.images

lock: ## write requirements/*.txt anew (needs uv)
	$(LOCK) --output-file requirements/runtime.txt
	$(LOCK) --group dev --output-file requirements/dev.txt

browser: ## install the browser that the pages are tested with (needs Debian, as root)
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk; } >/dev/null

anvil: ## install the second EVM that the audit compares with (needs npm)
	@test -x $(ANVIL) || npm ci --prefix tools/anvil --no-audit --no-fund --ignore-scripts
	@test -x $(ANVIL) || { echo "npm left no anvil: try npm cache verify"; exit 1; }

clean: ## remove what was made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis tools/anvil/node_modules bench.json
