# Everything from a fresh clone: `make demo` to see it live, `make test` to check it. Needs Python 3.11+ and make.
.PHONY: help setup demo demo-down test check checkov spark dialect bench constraints pins reference clean
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
DEMO := .demo
# As seen from $(DEMO).
RETAILOPS := ../$(VENV)/bin/retailops

help:
	@echo "make setup        make $(VENV) with everything for development"
	@echo "make demo         from synthetic data to a live API, in $(DEMO)/"
	@echo "make demo-down    take the demo away again"
	@echo "make test         all tests; on real rows and a real cluster too, where .ci/run or tests/clusters say how"
	@echo "make check        ruff, mypy, import contracts"
	@echo "make checkov      look over the Terraform; in an environment of its own, since it pins boto3"
	@echo "make spark        pyspark for the tests of the ETL on Spark; in an environment of its own, 0.3 GB; needs Java 17"
	@echo "make dialect      write the ETL's SQL in Spark's dialect anew, after a change of rules, features or SQL"
	@echo "make bench        the benchmarks, written to docs/benchmarks.md"
	@echo "make constraints  resolve all dependencies anew into constraints.txt"
	@echo "make pins         resolve what images hold anew, after a change of constraints.txt"
	@echo "make reference    write the command table into README.md, docs/promises.md and docs/manifests.md"
	@echo "make clean        remove $(VENV), the demo and all caches"

setup: $(VENV)/.dev

# A virtual environment that was begun and not finished, or whose Python went away, is made anew.
$(VENV)/.made:
	@if $(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then touch $@; exit 0; fi; found=; \
	for python in $(PYTHON) python3.11 python3.12 python3.13 python3 python3.14 python; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11 or newer on the PATH. Install one (Debian: apt install python3 python3-venv; macOS: brew install python@3.12)," >&2; \
	  echo "or name it: make PYTHON=/path/to/python3.12 …" >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import venv, ensurepip' >/dev/null 2>&1; then \
	  echo "$$found has no venv module. Debian: apt install python3-venv" >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version)" >&2; \
	"$$found" -m venv --clear $(VENV) && touch $@

$(VENV)/.base: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing retailops into $(VENV); the first time this takes a minute or two" >&2
	@$(PIP) install -c constraints.txt -e . && touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing retailops and its tools into $(VENV); the first time this takes a minute or two" >&2
	@$(PIP) install -c constraints.txt -e '.[dev]' && touch $(VENV)/.base $@

demo: $(VENV)/.base
	@mkdir -p $(DEMO)
	@cd $(DEMO) && { [ -f retail.yaml ] || $(RETAILOPS) init --quiet; } && $(RETAILOPS) run --yes
	@echo "take it away again: make demo-down"

demo-down: $(VENV)/.base
	@if [ -f $(DEMO)/retail.yaml ]; then cd $(DEMO) && $(RETAILOPS) teardown --yes; fi
	@rm -rf $(DEMO)

# A process a core, each with whole files (tests/shares.py). In one: make test ARGS="-n 0".
test: $(VENV)/.dev
	@$(PY) -m pytest -q -n logical --maxprocesses 4 --dist loadfile $(ARGS)

check: $(VENV)/.dev
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-cache

checkov: $(VENV)/checkov/.made
	@$(VENV)/checkov/bin/checkov --directory templates/aws/infra --framework terraform --skip-download --compact --quiet

$(VENV)/checkov/.made: $(VENV)/.made constraints-checkov.txt
	@echo "Installing checkov into $(VENV)/checkov; this takes a minute" >&2
	@$(PY) -m venv --clear $(VENV)/checkov
	@$(VENV)/checkov/bin/python -m pip --disable-pip-version-check --quiet install -c constraints-checkov.txt checkov && touch $@

spark: $(VENV)/spark/.made

# The version of Glue 5.0, whose Python is 3.11 too.
$(VENV)/spark/.made: $(VENV)/.made constraints-spark.txt
	@echo "Installing pyspark into $(VENV)/spark; this takes a minute or two" >&2
	@$(PY) -m venv --clear $(VENV)/spark
	@$(VENV)/spark/bin/python -m pip --disable-pip-version-check --quiet install -c constraints-spark.txt pyspark && touch $@

dialect: $(VENV)/.dev
	@$(PY) -m retailops.retail.spark.dialect

bench: $(VENV)/.dev
	@$(PY) -m benchmarks $(ARGS)

# In an environment of its own, so that what happens to be installed here doesn't leak in.
constraints: $(VENV)/.made
	@rm -rf $(VENV)/resolve && $(PY) -m venv $(VENV)/resolve
	@$(VENV)/resolve/bin/python -m pip --disable-pip-version-check --quiet install -e '.[dev]'
	@{ $(VENV)/resolve/bin/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ ]+$$'; \
	   $(VENV)/resolve/bin/python -m pip freeze | sed -n 's/^xgboost-cpu==/xgboost==/p; s/^xgboost==/xgboost-cpu==/p'; \
	 } | LC_ALL=C sort -f -u > constraints.txt
	@rm -rf $(VENV)/resolve
	@touch $(VENV)/.base $(VENV)/.dev
	@wc -l < constraints.txt | xargs printf 'constraints.txt: %s lines\n'

pins: $(VENV)/.dev
	@$(PY) -m retailops.images.pins constraints.txt

reference: $(VENV)/.base
	@$(PY) -m retailops.cli.reference README.md
	@$(PY) tests/promises.py docs/promises.md
	@$(PY) tests/broken_manifests.py docs/manifests.md

clean: demo-down
	@rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
