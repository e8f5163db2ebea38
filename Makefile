# Twinwire. `make help` lists the targets; each sets up what it needs, once.

VENV    := .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip --quiet --disable-pip-version-check
# The first Python that is new enough; name another one with `make PYTHON=... run`.
PYTHON  ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
             $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
# More arguments for the command behind a target: `make run ARGS="--port 9000"`, `make test ARGS="-k replay"`.
ARGS    ?=
INSTALLED := $(VENV)/.installed
DEV       := $(VENV)/.dev
NODE      := $(shell command -v node >/dev/null && command -v npm >/dev/null && echo node)
NODE_DEV  := $(if $(NODE),node_modules/.installed)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# A script of package.json; without Node it is skipped, but never in CI, where that would hide all of them.
define script
	@if [ -n "$(NODE)" ]; then npm run --silent $(1); \
	elif [ -n "$${CI:-}" ]; then echo "no node and npm: static/ can't be checked" >&2; exit 1; \
	else echo "skipped: \`$(1)\` of static/ needs node, 20.19 or newer, and npm" >&2; fi
endef

.PHONY: help
help: ## List the targets.
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | \
	  while IFS='|' read -r name text; do printf '  %-15s%s\n' "$$name" "$$text"; done

# Who reaches loopback is whoever started this: what agents wrote is run. With others, that is for the environment to say.
BEYOND := $(findstring --host,$(ARGS))$(filter-out 127.0.0.1 localhost ::1,$(TWINWIRE_HOST))$(TWINWIRE_OPEN)$(TWINWIRE_TRUSTED_HOPS)
HERE   := TWINWIRE_GENERATION_PACE="$${TWINWIRE_GENERATION_PACE-0.2}" \
          $(if $(BEYOND),,TWINWIRE_RUN_APPS="$${TWINWIRE_RUN_APPS-1}")

.PHONY: run
run: $(INSTALLED) ## Set up, migrate the database and serve; prints the URL. Ctrl-C drains and stops.
	@$(HERE) exec $(BIN)/twinwire serve $(ARGS)

.PHONY: test
test: $(DEV) $(NODE_DEV) ## Run all tests, in groups side by side; with ARGS, pytest with those.
	@chromium="$$(.ci/chromium $(BIN)/python)"; export TWINWIRE_CHROMIUM="$$chromium"; \
	if [ -n "$(ARGS)" ]; then $(BIN)/pytest $(ARGS); else .ci/test $(BIN)/python; fi

.PHONY: coverage
coverage: $(DEV) ## Measure branch coverage of the inside tests, by room.
	@COVERAGE=1 .ci/test $(BIN)/python inside
	@.ci/coverage $(BIN)/python

.PHONY: bench
bench: $(DEV) ## Measure the speed beside its references; docs/performance.md explains the table.
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-compare
bench-compare: $(DEV) ## Tell whether this tree is slower than REF=<commit>; ROUNDS, BOUND, and groups in ARGS.
	@[ -n "$(REF)" ] || { echo "usage: make bench-compare REF=<commit> [ROUNDS=9] [BOUND=5] [ARGS=\"fanout replay\"]" >&2; exit 2; }
	@$(BIN)/python -m tests.bench.compare $(REF) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(BOUND),--bound $(BOUND)) $(ARGS)

.PHONY: bench-beside
bench-beside: $(DEV) ## Tell the same of some rows more finely, burst by burst; REF, and groups or --pairs in ARGS.
	@[ -n "$(REF)" ] || { echo "usage: make bench-beside REF=<commit> [ARGS=\"fanout --pairs 48\"]" >&2; exit 2; }
	@$(BIN)/python -m tests.bench.beside $(REF) $(ARGS)

.PHONY: pictures
pictures: $(DEV) ## Take pictures of the pages' states, to be looked at: tests/browser/screenshots; a quarter of an hour.
	@$(BIN)/pytest -q -m pictures tests/browser

.PHONY: hostile
hostile: $(DEV) ## Let one stranger do his worst to a server, in every way known; an hour and a half.
	@$(BIN)/python -m tests.hostile $(if $(ARGS),$(ARGS),--all)

.PHONY: faults
faults: $(DEV) ## Measure what faults of the disk do to the others; some minutes.
	@$(BIN)/python -m tests.faults $(ARGS)

.PHONY: fuzz
fuzz: $(DEV) ## Ask the service a million things that nobody should; half an hour.
	@$(BIN)/python -W ignore -m tests.fuzz $(if $(ARGS),$(ARGS),--count 1000000)

.PHONY: kills
kills: $(DEV) ## Kill -9 a busy server a thousand times, and count what is lost: nothing; half an hour.
	@$(BIN)/python -m tests.kills $(ARGS)

.PHONY: soak
soak: $(DEV) ## Use a server for twenty minutes, and plot what it holds: no more than at first.
	@$(BIN)/python -m tests.soak $(ARGS)

.PHONY: restart
restart: $(DEV) ## Restart a server behind HAProxy under a thousand clients, and plot how they come back.
	@$(BIN)/python -m tests.restart $(ARGS)

.PHONY: lint
lint: $(DEV) $(NODE_DEV) ## Check style and formatting, of JavaScript too.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	$(call script,lint)

.PHONY: fix
fix: $(DEV) $(NODE_DEV) ## Mend style and formatting, as far as a machine can.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	$(call script,fix)

.PHONY: types
types: $(DEV) $(NODE_DEV) ## Check types, strictly, of JavaScript too.
	@$(BIN)/mypy
	$(call script,types)

.PHONY: clean
clean: ## Remove the virtual environment, caches and build results; databases stay.
	@rm -rf $(VENV) node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage tests/bench/results
	@find service twinwire examples tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Twinwire needs Python 3.11 or newer" >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "no virtual environment: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }

$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo "installing Twinwire into $(VENV)"
	@$(PIP) install --editable '.[server]'
	@touch $@

# Dependency groups (PEP 735) are read by pip from 25.1 on; Debian 12 brings 23.
$(DEV): pyproject.toml $(INSTALLED)
	@echo "installing the development tools"
	@$(PIP) install --upgrade 'pip>=25.1,<27'
	@$(PIP) install --group dev
	@touch $@

# Exactly what the lock says, from whichever registry is configured.
node_modules/.installed: package.json package-lock.json .npmrc
	@echo "installing the development tools of static/"
	@npm ci --silent
	@touch $@
