# Two commands do all set-up on a fresh machine, each alone: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One more than there are cores: tests also wait, for servers, for the database and for commands.
WORKERS = $(shell $(BIN)/python -c 'import os; print(os.cpu_count() + 1)')

.PHONY: demo test check format lint types imports bench fuzz clean

demo: $(STAMP)
	$(BIN)/snapbase demo

test: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

check: format lint types imports test

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# FUZZ='--records 100000 --guided 0' for a short one. atheris has wheels for Linux only.
fuzz: $(STAMP)
	$(BIN)/python -m pip install --quiet 'atheris>=3,<4' || true
	$(BIN)/python -m fuzz.fuzz_audit $(FUZZ)

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --group dev --editable '.[postgres,sandbox]'
	touch $@

clean:
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist
