# Each target does the set-up that it needs, in .venv, and nothing twice.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
LUCENE_VENV ?= .venv-lucene
CACHE ?= .cache
WHEELHOUSE := $(CACHE)/wheelhouse
DEMO_RUNS ?= runs/demo
TARGETS ?= tweets
SEEDS ?= 1
LOCK ?= requirements.lock
BIN := $(VENV)/bin
PORT_SOURCES := $(wildcard shell_scripts/port_allennlp.py shell_scripts/allennlp_port/*.py)

# Real prompted rows for the tests and benchmarks that want them; those skip where the folder is missing.
ifneq ($(wildcard ../shared/data/p3),)
export ATTRIBUTION_SHARED_DATA ?= $(abspath ../shared/data)
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: install install-lucene demo test test-all test-lucene lint types bench bench-lucene clean

install: $(VENV)/installed

$(VENV)/installed: requirements.lock $(LOCK) setup.py $(PORT_SOURCES)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (some minutes the first time)"
	@$(BIN)/python shell_scripts/port_allennlp.py $(WHEELHOUSE)
	@$(BIN)/pip install --quiet --find-links $(WHEELHOUSE) -r $(LOCK)
	@$(BIN)/pip install --quiet --force-reinstall --no-deps --no-index --find-links $(WHEELHOUSE) allennlp
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/pip check
	@touch $@

demo: install
	@$(BIN)/python shell_scripts/demo/prepare.py $(CACHE)/demo
	@PATH="$(abspath $(BIN)):$$PATH" TARGETS="$(TARGETS)" SEEDS=$(SEEDS) \
	  shell_scripts/demo/demo.sh $(CACHE)/demo $(DEMO_RUNS)

# Two workers of one thread each: many tests start processes, which would wait for each other's threads.
test: install
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

test-all: install
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist load $(ARGS)

# In an environment of its own: pyserini brings 60 packages and a Java.
install-lucene:
	@$(MAKE) --no-print-directory install VENV=$(LUCENE_VENV) LOCK=requirements-lucene.lock

test-lucene: install-lucene
	@$(LUCENE_VENV)/bin/python -m pytest tests/retrievers/retriever_test.py tests/retrievers/lucene_test.py $(ARGS)

lint: install
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: install
	@$(BIN)/mypy

bench: install
	@for benchmark in rank_classification reading training embedding retrieval_memory ensemble similarity selection linear_cka sweep task_moe mining rerank; do $(BIN)/python -m benchmarks.$$benchmark || exit 1; done

bench-lucene: install-lucene
	@$(LUCENE_VENV)/bin/python -m benchmarks.bm25

clean:
	rm -rf $(VENV) $(LUCENE_VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
