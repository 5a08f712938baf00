# Everything there is to do in this repository. Start with: make demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO := runs/demo

# Stamps: nothing is installed again until these inputs change.
CREATED := $(VENV)/.created
BASE := $(VENV)/.base
TEST := $(VENV)/.test

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check unit docs fmt bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(BASE) ## set up, then train and evaluate a VAE on the bundled digits
	rm -rf $(DEMO)
	$(BIN)/vaekit train digits --latent-dim 2 --epochs 30 --seed 0 --out $(DEMO)
	$(BIN)/vaekit evaluate $(DEMO) --samples 100

test: check unit docs ## set up, then run every check and every test

check: $(TEST) ## lint, format and types, changing nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

unit: $(TEST) ## the tests, the doctests and the architecture test
	$(BIN)/pytest -n auto

docs: $(TEST) ## build the documentation into site/, warnings are errors
	$(BIN)/mkdocs build --strict

fmt: $(TEST) ## format the code and apply the safe lint fixes
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(BASE) ## measure speed beside the peers, in one run
	$(PIP) install -c constraints.txt -e '.[peers]'
	$(BIN)/python -m benchmarks.train_mlp

clean: ## remove everything that can be made again, except runs/
	rm -rf $(VENV) build dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo "vaekit needs Python 3.11, 3.12 or 3.13, but '$(PYTHON)' is" \
	    "$$($(PYTHON) --version 2>&1 | head -n 1)." \
	    "Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	touch $@

$(BASE): $(CREATED) pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e .
	touch $@

$(TEST): $(CREATED) pyproject.toml constraints.txt
	$(PIP) install -c constraints.txt -e '.[test,docs]'
	touch $(BASE) $@
