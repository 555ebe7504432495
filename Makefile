# Everything a user or maintainer does, on a machine with Python 3.11, its venv module and make.
#   make run      the service on 127.0.0.1:8000, with demo data in an embedded store
#   make test     the tests, with the real servers that are here
#   make servers  find or build the real servers for the tests (once; needs Go, a C compiler and Rust)
#   make check    style, types, layers, and the committed API document
#   make mutants  random changes to core files, each held against the tests of its file (minutes to hours)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
HOST ?= 127.0.0.1
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test servers check format openapi lock bench mutants screenshots clean

run: $(VENV)/runtime.done
	$(BIN)/fluxgate serve --host $(HOST) --port $(PORT) --demo

test: $(VENV)/dev.done
	$(BIN)/python -m pytest $(ARGS)

servers:
	tests/servers/build

check: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict service client/fluxgate_client
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/test_repository.py

format: $(VENV)/dev.done
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The API's document, as tests and generated clients have it.
openapi: $(VENV)/runtime.done
	$(BIN)/fluxgate openapi > openapi/openapi.json.part
	mv openapi/openapi.json.part openapi/openapi.json

bench: $(VENV)/dev.done
	$(BIN)/python -m bench.reads $(ARGS)
	$(BIN)/python -m bench.mirror
	$(BIN)/python -m bench.backup
	$(BIN)/python -m bench.cache
	$(BIN)/python -m bench.forward

# In a copy of the tree: ARGS="--seed 7 --sample 40 --files domain/windows.py"
mutants: $(VENV)/dev.done
	PYTHONPATH=.:client $(BIN)/python -m tests.mutants $(ARGS)

# Pictures of the page in docs/pictures: ARGS="explore" makes those of one view.
screenshots: $(VENV)/dev.done
	PYTHONPATH=.:client $(BIN)/python -m tests.browser.screenshots $(ARGS)

# Exact versions with hashes, and without the address of any index.
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-package fluxgate-client
lock: $(VENV)/runtime.done
	$(PIP) uv
	$(COMPILE) pyproject.toml requirements/build.in --extra postgres --extra mysql --extra mssql --extra s3 --extra age -o requirements/runtime.txt
	$(COMPILE) pyproject.toml requirements/build.in --extra postgres --extra mysql --extra mssql --extra s3 --extra age --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) requirements/generator.in -o requirements/generator.txt

clean:
	rm -rf $(VENV) build dist *.egg-info client/build client/dist client/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# A stamp says which lock stands in the environment, so that a second run starts at once. The dev lock
# holds the runtime lock with the same versions: the two may be installed in either order.
$(VENV)/runtime.done: requirements/runtime.txt pyproject.toml client/pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed: apt-get install python3 python3-venv"; exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV) (once, a minute or so) ..."; \
	  $(PYTHON) -m venv $(VENV) || { echo "python3-venv is needed: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }; }
	$(PIP) --require-hashes -r requirements/runtime.txt
	PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation --editable ./client --editable .
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/runtime.done
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
