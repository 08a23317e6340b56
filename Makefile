PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 1000
JOBS ?= 2

# where the environment forbids it, every process of the tests would compile all that it imports
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test lint check sim crashes kills rehearsals schema bench wheel clean

install: $(VENV)/.installed

demo: install
	$(BIN)/tidegate demo

test: lint check

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	MYPY_NUM_WORKERS=$(JOBS) $(BIN)/mypy
	$(BIN)/lint-imports

# one more for the stories in tests/acceptance, which mostly wait
check: $(VENV)/.installed-dev
	$(BIN)/pytest -n $$(($(JOBS) + 1)) --dist loadfile --no-loadscope-reorder

sim: $(VENV)/.installed
	$(BIN)/python -m tidegate.sim --seeds $(SEEDS) --jobs $(JOBS)

kills: $(VENV)/.installed-dev
	$(BIN)/pytest tests/acceptance -m slow --ignore tests/acceptance/test_rehearsals.py

rehearsals: $(VENV)/.installed-dev
	$(BIN)/pytest tests/acceptance/test_rehearsals.py -m slow

schema: $(VENV)/.installed-dev
	$(BIN)/pytest tests/integration/api -m slow -n $(JOBS)

crashes: $(VENV)/.installed-dev
	$(BIN)/pytest tests/integration/sim -m slow -n $(JOBS)

bench: $(VENV)/.installed-dev
	for file in tests/bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel --outdir dist

clean:
	rm -rf $(VENV) dist build

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tidegate needs Python 3.11 or newer; name one with PYTHON=…")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,postgres]'
	touch $@
