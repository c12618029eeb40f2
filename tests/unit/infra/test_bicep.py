"""What CI deploys, as far as it can be checked without Azure: infra/README.md names what cannot."""

from __future__ import annotations

import re

import pytest

from tests.unit.infra import audit, bicep, promises, sources, typecheck, wiring

SOURCES = sources.read()
TEMPLATES = wiring.templates(SOURCES)


@pytest.mark.parametrize("path", TEMPLATES)
def test_every_file_can_be_parsed(path: str) -> None:
    assert bicep.syntax_errors(TEMPLATES[path]) == []


@pytest.mark.parametrize("path", TEMPLATES)
def test_every_resource_is_as_azures_types_say(path: str) -> None:
    assert typecheck.problems(TEMPLATES[path]) == []


def test_modules_parameters_outputs_and_queries_fit_together() -> None:
    assert wiring.problems(SOURCES) == []


def test_settings_storage_roles_names_and_tags_are_what_code_and_auditors_expect() -> None:
    assert promises.problems(SOURCES) == []


def test_an_auditor_finds_alerts_logs_networks_and_rights_as_they_must_be() -> None:
    assert audit.problems(SOURCES) == []


def test_the_checks_looked_at_every_file_and_at_every_kind_of_resource() -> None:
    assert {"main.bicep", "deployer.bicep", "dev.bicepparam", "prod.bicepparam"} <= TEMPLATES.keys()
    used = {one.type.lower() for template in TEMPLATES.values() for one in template.resources.values()}
    assert used == typecheck.known_types().keys()


def test_the_workflow_finds_the_outputs_that_it_asks_for() -> None:
    workflow = (promises.ROOT / ".github" / "actions" / "deploy" / "action.yml").read_text()
    asked = set(re.findall(r"\.(\w+)\.value", workflow))
    assert asked
    assert asked <= TEMPLATES["main.bicep"].outputs.keys()
