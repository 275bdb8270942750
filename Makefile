# The two entry points on a new machine: `make study` and `make test`. Each sets up what it needs.

PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN = .venv/bin
READY = .venv/.ready
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

.PHONY: study test lock clean

study: $(READY)
	$(BIN)/python -m snakemake --cores $(CORES)

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder

# The environment: rebuilt only when what it is made from changes. Compiled once here, every job starts faster.
$(READY): pyproject.toml envs/uv.txt envs/requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "promptatlas: Python 3.11 or later is needed; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r envs/requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# Pinned versions follow pyproject.toml; envs/environment.yaml is the same list for conda.
lock: $(READY)
	$(COMPILE) --extra test pyproject.toml -o envs/requirements.txt
	echo 'uv==0.13.8' | $(COMPILE) --no-annotate - -o envs/uv.txt
	$(BIN)/python envs/conda.py

# Results are kept: they may have cost days.
clean:
	rm -rf .venv .snakemake .pytest_cache .hypothesis workflow/promptatlas.egg-info
