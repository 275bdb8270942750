# The entry points on a new machine: `make study`, `make test`, `make test-fast`, `make lint`, `make docs` and `make bench`. Each sets up what it
# needs.

PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN = .venv/bin
READY = .venv/.ready
TOOLS = .venv/.tools
PAGES = .venv/.pages
# oneDNN keeps a megabyte of code for each shape of a product, 1,024 of them unless told otherwise; tests have thousands of shapes.
KERNELS = LRU_CACHE_CAPACITY=256 ONEDNN_PRIMITIVE_CACHE_CAPACITY=256
PYTEST = OMP_NUM_THREADS=1 $(KERNELS) $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header

.PHONY: study test test-fast lint docs bench lock clean

study: $(READY)
	$(BIN)/python -m snakemake --cores $(CORES)

# One process more than there are cores: where a test waits, for a queue or for Snakemake, another computes.
test: $(READY)
	$(PYTEST) --numprocesses $$(($(CORES) + 1))

# Without whole studies, clusters, browsers, fresh interpreters and long computations. Nobody waits, and tests stay compiled for next time.
test-fast: $(READY)
	PYTHONDONTWRITEBYTECODE= $(PYTEST) --numprocesses $(CORES) -m "not (study or cluster or browser or imports or slow)"

lint: $(TOOLS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow/Snakefile workflow/rules
	$(BIN)/mypy
	$(BIN)/python -m snakemake --dry-run --lint

# Pages and a schema that are written from the code, which tests compare; then the site, where any warning or dead link is an error.
docs: $(PAGES)
	$(BIN)/promptatlas settings > docs/settings.md
	$(BIN)/promptatlas settings --schema > workflow/schemas/methods.schema.json
	$(BIN)/python -m promptatlas.study.manual > docs/configuration.md
	$(BIN)/python -m promptatlas.cli.manual > docs/command-line.md
	$(BIN)/python -m promptatlas.backbone.served > docs/models.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# The published way beside ours, on a machine that does nothing else.
bench: $(READY)
	$(BIN)/python benchmarks/bench.py --out results/bench.json --docs docs

# The environment: rebuilt only when what it is made from changes. Compiled once here, every job starts faster.
$(READY): pyproject.toml envs/uv.txt envs/requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "promptatlas: Python 3.11 or later is needed; try make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r envs/uv.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r envs/requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# What checks the code stands beside the libraries, whose types mypy reads; pins that both have are the same (`make lock`).
$(TOOLS): envs/lint.txt $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r envs/lint.txt
	touch $@

# What builds the site, likewise.
$(PAGES): envs/docs.txt $(READY)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r envs/docs.txt
	touch $@

# Pinned versions follow pyproject.toml; envs/environment.yaml is the same list for conda.
lock: $(READY)
	$(COMPILE) --extra test pyproject.toml -o envs/requirements.txt
	$(COMPILE) --group lint --constraint envs/requirements.txt -o envs/lint.txt
	$(COMPILE) --group docs --constraint envs/requirements.txt --constraint envs/lint.txt -o envs/docs.txt
	echo 'uv==0.13.8' | $(COMPILE) --no-annotate - -o envs/uv.txt
	$(BIN)/python envs/conda.py

# Results are kept: they may have cost days.
clean:
	rm -rf .venv .snakemake .pytest_cache .hypothesis .ruff_cache .mypy_cache site
