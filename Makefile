# Two commands do all the set-up: `make report` and `make test`. Both need Python 3.11 or later and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check

NOTEBOOK ?= 90-modernisation-plan
STUDY    ?= data/oberrhein
OUT      ?= reports

.PHONY: help report test lint lab lock bench clean

help:
	@echo "make report   write the modernisation plan for $(STUDY) to $(OUT)/  (NOTEBOOK=, STUDY=, OUT= choose others)"
	@echo "make test     run the tests"
	@echo "make lab      open the notebooks in JupyterLab"
	@echo "make lint     ruff, import contracts, stripped notebooks"
	@echo "make bench    time the engine against its peers"
	@echo "make lock     resolve the two lock files again"

# The environment: made once from the lock file, made anew when the lock file or pyproject.toml changes.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v < (3, 11) and f"gridplan needs Python 3.11 or later; {sys.executable} is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV) (once; a few minutes on a slow line)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.lock pyproject.toml | $(BIN)/python
	@$(PIP) --requirement requirements.lock
	@$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/.ready-test: requirements-test.lock $(VENV)/.ready
	@$(PIP) --requirement requirements-test.lock
	@touch $@

# Compiled code is kept beside its source, and holds what it calls in other files: when one of them changes, all is compiled anew.
$(VENV)/.compiled: $(shell grep -rl numba gridplan --include='*.py') | $(BIN)/python
	@find gridplan -name '*.nb[ci]' -delete
	@touch $@

report: $(VENV)/.ready $(VENV)/.compiled
	@echo "The first report on a study simulates every combination of applications: some minutes. What was simulated is kept."
	@$(BIN)/gridplan report $(NOTEBOOK) --study $(STUDY) --out $(OUT)

test: $(VENV)/.ready-test $(VENV)/.compiled
	@$(BIN)/python -m pytest --numprocesses auto

lint: $(VENV)/.ready-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/nbstripout --verify --keep-id --extra-keys "metadata.papermill cell.metadata.papermill" notebooks/*.ipynb

# JupyterLab asks nothing of the outside: no update check, no news.
lab: $(VENV)/.ready $(VENV)/.compiled
	@$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements"
	@$(BIN)/jupyter lab --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate notebooks

bench: $(VENV)/.ready-test $(VENV)/.compiled
	@for each in benchmarks/*.py; do echo "== $$each"; $(BIN)/python $$each || exit 1; done

# Needs uv; the lock files hold versions and hashes only, for every platform and Python from 3.11 on.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements.lock
	uv pip compile pyproject.toml --extra test --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements-test.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
