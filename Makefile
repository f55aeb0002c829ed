# Two commands for a stranger: `make demo` and `make test`. Everything they make lies in .venv/.

PYTHON ?= python3
UV     ?= uv
STORE  ?=
TIER   ?=
PYTEST_ARGS ?=
# Most of the suite waits for real machines to start and to die: two at a time halve it on two cores.
WORKERS     ?= 2

V     := .venv
STEP  := $(V)/done
PIP   := $(V)/bin/python -m pip --quiet --disable-pip-version-check
export TIER
export PIP_USER = 0
unexport PYTHONPATH PYTHONHOME

# A moved checkout, or a Python that is gone, makes the whole environment anew.
ifneq ($(shell $(V)/bin/python -c 'print(open("$(STEP)/venv").read(), end="")' 2>/dev/null),$(CURDIR))
AGAIN := again
endif

.PHONY: help demo install test check guards simulate bench faults lock clean picture again
help:
	@echo 'make demo            the whole job on this machine: no root, no account, no Debian package'
	@echo 'make demo STORE=s3   the same, against an S3 server of its own'
	@echo 'make install         into .venv, for a node'
	@echo 'make test            make check, and the whole suite; TIER=full makes a skipped tier a failure'
	@echo 'make check           ruff, mypy --strict, the floors'
	@echo 'make guards          take each guard out, one by one, in a copy: a test must fail each time'
	@echo 'make simulate        100,000 seeds of whole nodes under faults; SEEDS=1000 fewer; a failing one prints its trace'
	@echo 'make bench           what it costs, as ratios measured here, into docs/speed.md'
	@echo 'make faults          what breaks, what is promised and what was measured (root), into docs/faults.md'
	@echo 'make lock            compile requirements/*.txt anew (wants uv)'
	@echo 'make picture         the demo, drawn as docs/demo.svg'
	@echo 'make clean           remove .venv and the caches'

demo: $(STEP)/product $(if $(filter s3,$(STORE)),$(STEP)/dev)
	@$(V)/bin/autoscaler demo $(if $(STORE),--store $(STORE))

install: $(STEP)/product

test: check
	@tests/debian-packages
	@$(V)/bin/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

check: $(STEP)/dev $(STEP)/product
	@$(V)/bin/ruff check .
	@$(V)/bin/mypy
	@$(V)/bin/lint-imports --no-logo

guards: $(STEP)/dev $(STEP)/product
	@$(V)/bin/python -m tests.guards.guards

SEEDS ?= 100000
simulate: $(STEP)/dev $(STEP)/product
	@$(V)/bin/python -m tests.simulation --seeds $(SEEDS) --workers $(WORKERS)

bench: $(STEP)/dev $(STEP)/product
	@$(V)/bin/python -m tests.bench.report

faults: $(STEP)/dev $(STEP)/product
	@tests/debian-packages
	@$(V)/bin/python -m tests.lab.faults_table

# Which Python: $(PYTHON) if it is 3.11 or newer, else the first of the others that is.
$(STEP)/venv: $(AGAIN)
	@new() { command -v $$1 >/dev/null && $$1 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
	for python in $(PYTHON) python3.11 python3.12 python3.13 python3.14 none; do if new $$python; then break; fi; done; \
	if [ $$python = none ]; then \
	    echo 'autoscaler needs Python 3.11 or newer, and none is here: name one with make PYTHON=/path/to/python3.' >&2; exit 2; fi; \
	if ! $$python -c 'import venv, ensurepip' 2>/dev/null; then \
	    of=$$([ $$python = python3 ] && echo python3 || $$python -c 'import sys; print("python%d.%d" % sys.version_info[:2])'); \
	    echo "$$python has no venv. Install it, then run make again:  sudo apt install $$of-venv" >&2; exit 2; fi; \
	echo "Making $(V) with $$python ..."; \
	$$python -m venv --clear $(V)
	@mkdir -p $(STEP) && printf %s '$(CURDIR)' >$@

$(STEP)/run: requirements/run.txt $(STEP)/venv
	@echo 'Installing what it runs on (requirements/run.txt) ...'
	@$(PIP) install --require-hashes -r $<
	@touch $@

# dev.txt holds all of run.txt, in the same versions.
$(STEP)/dev: requirements/dev.txt $(STEP)/venv
	@echo 'Installing what proves it (requirements/dev.txt) ...'
	@$(PIP) install --require-hashes -r $<
	@touch $@ $(STEP)/run

$(STEP)/product: pyproject.toml $(STEP)/venv | $(STEP)/run
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# The versions in use, with their hashes, for every platform and every Python from 3.11 on.
# Newest versions of everything: make lock LOCK_ARGS=--upgrade
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command 'make lock' $(LOCK_ARGS)
lock:
	@command -v $(UV) >/dev/null || { echo 'make lock needs uv: pip install uv, or make lock UV=/path/to/uv.' >&2; exit 2; }
	$(COMPILE) --extra tty --group build --output-file requirements/run.txt pyproject.toml
	$(COMPILE) --extra tty --group dev --constraint requirements/run.txt --output-file requirements/dev.txt pyproject.toml

clean:
	rm -rf $(V) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

picture: $(STEP)/dev $(STEP)/product
	@$(V)/bin/python -m helperscripts.demo.picture docs/demo.svg
