# From a fresh clone: `make up` runs Pillarbox, `make test` proves it. All that is installed goes
# into .venv; delete it to begin again.

PYTHON := $(or $(wildcard /usr/bin/python3.11),python3.11)
BIN := .venv/bin
UV := $(BIN)/uv
INSTALLED := .venv/installed
INSTALLED_DEV := .venv/installed-dev
EXIM := $(CURDIR)/.venv/exim
PROMTOOL := $(CURDIR)/.venv/promtool

export UV_CACHE_DIR ?= $(CURDIR)/.venv/cache
export UV_PYTHON_DOWNLOADS := never
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= 1
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SYNC = $(UV) pip sync --quiet --python $(BIN)/python --require-hashes
COMPILE = $(UV) pip compile pyproject.toml --all-extras --group build --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet

.DELETE_ON_ERROR:
.PHONY: help up test check fmt fuzz-api smtp-clients soak-log screenshots lock clean chromium promtool

help: ## this list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z%-]+):.*## /\1\t/' \
		| sed 's/%/NAME/' | expand -t 14

up: $(INSTALLED) ## run everything here; ARGS="--data DIR --web HOST:PORT --smtp HOST:PORT"
	@$(BIN)/pillarbox up $(ARGS)

test: check chromium ## everything that proves it; ARGS go to pytest
	@$(BIN)/pytest $(ARGS)

check: $(INSTALLED_DEV) ## style, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: $(INSTALLED_DEV) ## write the code in the one style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench-%: $(INSTALLED_DEV) ## measure tests/benchmarks/NAME.py; ARGS go to it
	@$(BIN)/python -m tests.benchmarks.$(subst -,_,$*) $(ARGS)

smtp-clients: $(INSTALLED_DEV) $(EXIM)/usr/sbin/exim4 ## mail by real clients and relays, none left out; wants root and npm
	@missing=; for name in swaks msmtp curl postfix; do \
		command -v $$name >/dev/null || missing="$$missing $$name"; done; \
	perl -MNet::SSLeay -e 1 2>/dev/null || missing="$$missing libnet-ssleay-perl"; \
	[ -z "$$missing" ] || { \
		echo "Installing$$missing."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -qq -y --no-install-recommends $$missing >/dev/null; }; \
	case "$$missing" in *postfix*) postfix stop 2>/dev/null || true;; esac
	@SMTP_CLIENTS=all PATH="$$PATH:/usr/sbin:$(EXIM)/usr/sbin" \
		LD_LIBRARY_PATH="$$(echo $(EXIM)/usr/lib/*-linux-gnu)" \
		$(BIN)/pytest tests/flows/test_smtp_clients.py $(ARGS)

# Debian has either Postfix or Exim installed, so this one is only unpacked.
$(EXIM)/usr/sbin/exim4:
	@echo "Unpacking Exim."
	@rm -rf $(EXIM) && mkdir -p $(EXIM)
	@apt-get update -qq
	@cd $(EXIM) && apt-get download -qq -o APT::Sandbox::User=root exim4-daemon-light libidn12 \
		&& for package in *.deb; do dpkg -x $$package .; done

promtool: $(PROMTOOL)/usr/bin/promtool ## what the tests try the alert rules with, unpacked into .venv

# Of Debian's package, which would start a server, the one program is taken.
$(PROMTOOL)/usr/bin/promtool: | $(UV)
	@echo "Unpacking promtool."
	@rm -rf $(PROMTOOL) && mkdir -p $(PROMTOOL)
	@[ "$$(id -u)" != 0 ] || apt-get update -qq
	@cd $(PROMTOOL) && apt-get download -qq -o APT::Sandbox::User=root prometheus \
		&& dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool && rm prometheus_*.deb

fuzz-api: $(INSTALLED_DEV) ## send the API a hundred times what the tests send; ARGS go to pytest
	@API_FUZZ_EXAMPLES=600 $(BIN)/pytest tests/web/api/test_api_fuzz.py $(ARGS)

soak-log: $(INSTALLED_DEV) ## kill writers and readers of the event log for two minutes; ARGS="--seconds N"
	@$(BIN)/python -m tests.benchmarks.log_chaos $(ARGS)

screenshots: $(INSTALLED_DEV) chromium ## pictures of every page into docs/screenshots
	@PYTHONPATH=tests $(BIN)/python tests/flows/screenshots.py

lock: $(UV) ## choose versions anew and write both lock files
	@$(COMPILE) --group dev --upgrade -o requirements-dev.lock
	@$(COMPILE) -c requirements-dev.lock --upgrade -o requirements.lock

clean: ## remove the environment and all caches, not the data
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(UV): .ci/uv.lock.txt
	@command -v $(PYTHON) >/dev/null || { \
		echo "Python 3.11 is missing: apt-get install python3.11 python3.11-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv is missing: apt-get install python3.11-venv"; exit 1; }
	@echo "Making .venv."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --no-cache-dir --require-hashes -r .ci/uv.lock.txt
	@touch $(UV)

# An environment with the development packages has all that running needs: it is kept as it is.
$(INSTALLED): $(UV) requirements.lock pyproject.toml
	@echo "Installing what is locked."
	@$(SYNC) $(if $(wildcard $(INSTALLED_DEV)),requirements-dev.lock,requirements.lock)
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(INSTALLED) $(wildcard $(INSTALLED_DEV))

$(INSTALLED_DEV): $(UV) requirements-dev.lock pyproject.toml
	@echo "Installing what is locked, with what development needs."
	@$(SYNC) requirements-dev.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(INSTALLED) $(INSTALLED_DEV)

# The browser is Debian's; without it, leave it out with ARGS='-m "not browser"'.
chromium:
	@case '$(ARGS)' in *'not browser'*) exit 0;; esac; \
	command -v chromium-headless-shell >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -qq -y --no-install-recommends chromium-headless-shell >/dev/null; \
	else \
		echo "Chromium is missing: apt-get install chromium-headless-shell"; exit 1; \
	fi
