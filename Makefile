# Two commands for a newcomer: `make demo` and `make test`. Both set themselves up in .venv.
# `make torture` (hours) is the large version of tests/test_torture.py: damaged files, kills, hostile files, sizes.
PYTHON ?= python3
BIN    := .venv/bin
READY  := .venv/.ready

.PHONY: demo test torture lint clean

demo: $(READY)
	$(BIN)/restore demo --out demo

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

torture: $(READY)
	PYTHONPATH=tests $(BIN)/python -m torture

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv demo build *.egg-info

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e ".[dev]"
	touch $(READY)
