PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench lock clean
.DEFAULT_GOAL := test

# Plain pip from the locked hashes: no compiler, no other tool. `--no-deps`
# because the lock is complete, and because pyjks asks for a package (twofish)
# that cannot be built any more.
$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/.ready  ## start a vault with sample files in it
	@$(BIN)/python -m sample_certs.demo

test: $(VENV)/.ready  ## the whole suite
	$(BIN)/python -m pytest

lint: $(VENV)/.ready  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.ready  ## the vault against two floors, in one run
	$(BIN)/python -m benchmarks.run --rounds $(or $(ROUNDS),1)

lock:  ## renew requirements.txt (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-header --no-annotate --no-emit-index-url --output-file requirements.txt

clean:
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache
