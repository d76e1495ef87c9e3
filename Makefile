# Shortcuts for contributors; each line can be run by hand as well.
PYTHON = .venv-tests/bin/python
TEMPLATES = git ls-files -z 'templates/*.html'

.PHONY: help run test lint messages docs lock templates

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: ## start the panel
	deploy/run

test: ## run all checks and tests
	tests/run

lint: ## check style, types and migrations
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	MAILADMIN_TEST_DATABASE=sqlite $(PYTHON) -m mypy
	MAILADMIN_TEST_DATABASE=sqlite DJANGO_SETTINGS_MODULE=tests.settings \
		$(PYTHON) manage.py makemigrations --check --dry-run

messages: ## collect the texts to translate, and compile the translations
	$(PYTHON) manage.py makemessages -l de -l ru --no-location --no-obsolete -i tests
	$(PYTHON) manage.py compilemessages -i ".venv*"

docs: ## write docs/settings.md anew and build the site in site/
	$(PYTHON) -m mailadmin.conf docs/settings.md
	$(PYTHON) -m mkdocs build --strict

lock: ## write the lock files anew; needs uv
	deploy/lock

templates: ## format the templates
	$(TEMPLATES) | xargs -0 $(dir $(PYTHON))djade --target-version 5.2
