# Every target sets up what it needs: see coursebuild/bootstrap.py.
PYTHON ?= python3
TORCH_INDEX ?=
LAB_ARGS ?=
TEST_ARGS ?=
# What shares a lecture's run, or stands in one file, stays on one worker (tests/groups.py). One thread each: on two cores,
# two processes that wait for each other's threads take longer than one.
TEST_WORKERS ?= 2
PYTEST = OMP_NUM_THREADS=1 "$(PY)" -m pytest -n $(TEST_WORKERS) --dist loadgroup
DEST ?=
NEW := $(filter new-lecture new-homework,$(MAKECMDGOALS))
PY := .venv/bin/python
MIN_PYTHON := 3.11

export TORCH_INDEX
export DEST
export PYTHONNOUSERSITE := 1

.DEFAULT_GOAL := help
.PHONY: help setup lab test test-slow verify receipts build new-lecture new-homework bench grade publish constraints clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  PYTHON=python3.12       the interpreter to make .venv from ($(MIN_PYTHON) or newer)"
	@echo "  TORCH_INDEX=ADDRESS     take torch from this package index, for one with CPU builds"
	@echo "  LAB_ARGS='--port 9999'  passed on to jupyter lab;  TEST_ARGS='-k text' to pytest"
	@echo "  TEST_WORKERS=4          processes that run the tests; 0 for none but pytest's own, as a debugger needs"

setup: ## make or refresh .venv (the other targets do it themselves)
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "No '$(PYTHON)' here. Install Python $(MIN_PYTHON) or newer, or name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@if found=$$("$(PYTHON)" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3]); sys.exit(sys.version_info < tuple(map(int, "$(MIN_PYTHON)".split("."))))' 2>/dev/null); then :; \
	elif [ -n "$$found" ]; then \
	  echo "'$(PYTHON)' is Python $$found, and the course needs Python $(MIN_PYTHON) or newer. Install one, or name one that is here: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	else \
	  echo "'$(PYTHON)' is here and does not run as Python (pyenv has such commands for versions that are not switched on: pyenv versions). Name another: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; \
	fi
	@"$(PYTHON)" -I coursebuild/bootstrap.py

lab: setup ## open the lectures in JupyterLab
	@"$(PY)" -m coursebuild lab $(LAB_ARGS)

test: setup ## run the tests (under 20 minutes on 2 cores)
	@$(PYTEST) -m "not slow" $(TEST_ARGS)

test-slow: setup ## run the tests that are marked slow, but those with a good receipt (tests/receipts.py)
	@$(PYTEST) -m slow --receipts=keep $(TEST_ARGS)

verify: setup ## run all tests that are marked slow, and write their receipts
	@$(PYTEST) -m slow --receipts=write $(TEST_ARGS)

receipts: setup ## run the slow tests whose receipts are old or missing, and write those
	@$(PYTEST) -m slow --receipts=renew $(TEST_ARGS)

build: setup ## make the notebooks and the week table from their sources
	@"$(PY)" -m coursebuild build

new-lecture new-homework: export NAME = $(filter-out $(NEW),$(MAKECMDGOALS))

new-lecture: setup ## write a lecture to start from: make new-lecture 31_topic
	@"$(PY)" -m coursebuild new-lecture $(if $(NAME),"$$NAME")

new-homework: setup ## write a homework to start from: make new-homework hw2_topic
	@"$(PY)" -m coursebuild new-homework $(if $(NAME),"$$NAME")

bench: setup ## measure, and write build/bench.json
	@"$(PY)" -m benchmarks

grade: setup ## grade a sample class of 40, and check what each gets (Linux; 3 minutes on 2 cores)
	@"$(PY)" -m coursebuild build
	@"$(PY)" -m tests.sample_class

publish: setup ## write the public repository: make publish DEST=../public-course
	@"$(PY)" -m coursebuild publish "$$DEST"

constraints: setup ## write constraints.txt anew from the newest versions
	@"$(PY)" -I coursebuild/bootstrap.py --constraints

clean: ## remove .venv and build/
	rm -rf .venv build

# In `make new-lecture 31_topic` make takes the name for one more thing to make: nothing is to be done for it.
ifneq ($(NEW),)
%:
	@:
endif
