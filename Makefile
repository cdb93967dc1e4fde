# Each target makes its virtual environment itself, and makes it again where the dependencies changed: what runs notebooks
# first, the tools of who works on the workbench when they are needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
LAB := $(VENV)/.lab
READY := $(VENV)/.ready
INFRA := $(VENV)/.infra
DOCS := $(VENV)/.docs
BENCH := $(VENV)/.bench

PIP := $(BIN)/python -m pip --disable-pip-version-check
UV ?= $(or $(shell command -v uv),$(BIN)/uv)

.DEFAULT_GOAL := help
.PHONY: help demo test-fast test test-deep test-infra test-trino engines lab lint docs pictures bench synth constraints hooks wheel clean

help:           ## what can be made
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

, := ,
# Installs the extras $(1), and says what and how long: by uv, the one there is or else one brought along, which does it in a
# tenth of pip's time and is told where pip looks. As pip does, it compiles: else each start would, where Python may not
# keep what it compiled. The stamp is there only where all went well: a pipe would not tell.
define install
	@rm -f $@; began=$$(date +%s); \
	echo "Installing [$(1)] into $(VENV), at the versions of constraints.txt; this is done once"; \
	test -x "$(UV)" || $(PIP) install --quiet --no-deps -c constraints.txt uv; \
	mirror="$${PIP_INDEX_URL:-$$($(PIP) config get global.index-url 2>/dev/null)}"; test -z "$$mirror" || \
		export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$mirror}"; \
	export UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" UV_SYSTEM_CERTS="$${UV_SYSTEM_CERTS:-true}"; \
	{ test -x "$(UV)" && "$(UV)" pip install --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[$(1)]' 2>&1 && touch $@; } \
		| grep -v '^ [-+~] \|^ Downloaded'; \
	test -e $@ || { echo "uv did not manage; pip tries, which takes some minutes"; \
		$(PIP) install -c constraints.txt -e '.[$(1)]' && touch $@; } | grep -v '^Requirement already'; \
	test -e $@ || { echo "Nothing is installed: see above; once a package index is reached, the same again goes on"; exit 1; }; \
	echo "Installed in $$(( $$(date +%s) - began )) s"
endef

$(LAB): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; name it: make PYTHON=…"; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -c '' 2>/dev/null || \
		{ echo "Making $(VENV), a Python of this folder's own"; $(PYTHON) -m venv --clear $(VENV); }
	$(call install,lab)

$(READY): $(LAB)
	$(call install,lab$(,)dev)

$(INFRA): $(READY)
	$(call install,lab$(,)dev$(,)infra)

$(DOCS): $(READY)
	$(call install,lab$(,)dev$(,)docs)

$(BENCH): $(READY)
	$(call install,lab$(,)dev$(,)bench)

demo: $(LAB)    ## three generated tables, eight reports: what this is, in two minutes
	@$(BIN)/workbench demo

# Jupyter starts a notebook in its own folder, and the lake is here. It refuses to be run by root, as in a container,
# unless it is told to, and would rather take another Python's kernel of that name than that of .venv. Nobody is asked
# whether they want news, and nothing is asked of the network.
ROOT = $(shell test "$$(id -u)" != 0 || echo --allow-root)
QUIET = "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}
lab: $(LAB)     ## JupyterLab on the notebooks
	@mkdir -p $(VENV)/share/jupyter/lab/settings; test -e $(VENV)/share/jupyter/lab/settings/overrides.json || \
		echo '{$(QUIET)}' > $(VENV)/share/jupyter/lab/settings/overrides.json
	@WORKBENCH_HOME="$(CURDIR)/.workbench" JUPYTER_PATH= JUPYTER_PREFER_ENV_PATH=1 \
		$(BIN)/jupyter lab --ip=127.0.0.1 --notebook-dir=. $(ROOT) $(LABFLAGS) notebooks/02_latest_state.ipynb

# Tests start the program some 200 times: let Python keep what it compiled, even where it is told not to.
test-fast test test-deep test-infra test-trino engines: export PYTHONDONTWRITEBYTECODE =

test-fast: $(READY) ## the tests that need this process only, each law tried less often: two minutes
	@$(BIN)/python -m pytest workbench tests -m 'not slow and not server and not process' --hypothesis-profile=fast \
		$(addprefix --ignore=tests/,engines/athena helpers/aws infra notebooks docs project trino) -n auto --dist worksteal -q

test: $(INFRA) $(DOCS) $(BENCH) ## every test
	@$(BIN)/python -m pytest workbench tests --ignore=tests/trino -n auto --dist loadfile --no-loadscope-reorder

test-deep: $(INFRA) $(DOCS) $(BENCH) ## every test, and every question on every layout of a log: an hour
	@$(BIN)/python -m pytest workbench tests --deep --ignore=tests/trino -n auto --dist loadfile --no-loadscope-reorder

test-infra: $(INFRA) ## the tests of infra_cdk
	@$(BIN)/python -m pytest tests/infra

test-trino: $(READY) ## the SQL on a real Trino server, as Athena is: Java and Maven needed
	@$(BIN)/python -m pytest tests/trino $(TRINOFLAGS)

engines: $(READY) ## question by layout by engine: DuckDB, Athena's path, Trino
	@$(BIN)/python -m pytest --deep tests/engines/athena/test_questions.py tests/trino -q

synth: $(INFRA) ## the CDK app in every variant
	@$(BIN)/python -m infra_cdk.synth

lint: $(INFRA)  ## ruff, the rooms (import-linter) and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy

hooks: $(INFRA) ## have git run linters and strip notebooks before every commit
	@$(BIN)/pre-commit install

docs: $(DOCS)   ## the documentation, build/docs/index.html; a warning is an error
	@$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/doctrees docs build/docs && echo build/docs/index.html

pictures: $(READY) ## the pictures of README and the documentation, by Debian's chromium
	@$(BIN)/python -m docs.pictures

bench: $(BENCH) ## how fast, beside what: BENCHFLAGS='--changes 1M 5M 20M --rounds 3 --write'
	@$(BIN)/python -m benchmarks $(BENCHFLAGS)

wheel: $(READY) ## dist/: the wheel and the source archive
	@$(BIN)/hatchling build

constraints: $(READY) ## pin anew, without the address of any package index
	@$(BIN)/uv pip compile --quiet --no-emit-index-url --no-header --no-annotate --universal --python-version 3.11 \
		--all-extras pyproject.toml -o constraints.txt --upgrade

clean:          ## everything made here, but not the data in .workbench
	@rm -rf $(VENV) reports build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
