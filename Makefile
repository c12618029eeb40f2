# make run: the app with a demo mailbox on this machine.  make test: every check.  Needs Python 3.11+ and Node 18+.
PYTHON ?= python3
VENV := .venv/bin
AZURITE := infra/local/node_modules/.installed

.PHONY: venv run test check bench referee clean
.SILENT:

venv: .venv/.installed

run: .venv/.installed $(AZURITE)
	exec $(VENV)/python -m infra.local.run

# Four at once on two cores: much of it waits for servers.
test: .venv/.installed $(AZURITE) referee check
	infra/local/test_needs.sh
	$(VENV)/python -m pytest -n 4 --dist loadgroup

check: .venv/.installed
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/lint-imports

# An environment with Microsoft's worker library, where there is a Python 3.13 for it.
referee:
	infra/local/make_referee.sh

bench: .venv/.installed $(AZURITE)
	$(VENV)/python -m tests.bench

clean:
	rm -rf .venv .venv-referee .local infra/local/node_modules tests/support/*/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.installed: requirements.txt requirements-dev.txt
	infra/local/make_venv.sh $(PYTHON)
	touch $@

$(AZURITE): infra/local/package.json infra/local/package-lock.json
	infra/local/install_azurite.sh
	touch $@
