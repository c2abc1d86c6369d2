PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint audit bench docs lock clean
.DEFAULT_GOAL := test

# Plain pip from the locked hashes: no compiler, no other tool. `--no-deps`
# because the locks are complete, and because pyjks asks for a package (twofish)
# that cannot be built any more.
PIP_LOCKED := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all:
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_LOCKED) -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# What is needed besides to test and to write it.
$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.txt
	$(PIP_LOCKED) -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.ready  ## start a vault with sample files in it
	@$(BIN)/python -m sample_certs.demo

test: $(VENV)/.ready-dev  ## the whole suite
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/.ready-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

audit: $(VENV)/.ready-dev  ## known holes in the locks, and what is shipped under which licences
	$(BIN)/python .ci/supply_chain.py

bench: $(VENV)/.ready-dev  ## the vault against two floors, in one run
	$(BIN)/python -m benchmarks.run --rounds $(or $(ROUNDS),1)

docs: $(VENV)/.ready-dev  ## the documents as a site, in dist/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "The site is in dist/site; open dist/site/index.html"

lock:  ## renew the three locks (needs uv)
	$(LOCK) --upgrade --group dev --all-extras --output-file requirements-dev.txt
	$(LOCK) --constraint requirements-dev.txt --group build --group demo --all-extras --output-file requirements-all.txt
	$(LOCK) --constraint requirements-dev.txt --group build --group demo --output-file requirements.txt

clean:
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache
