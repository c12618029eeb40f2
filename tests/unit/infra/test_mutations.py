"""Every single line, name, setting, role and queue of the templates, damaged one by one: the checks find each.

``test_damage.py`` has mistakes that a person thought of, and what is said about each; here no one thinks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from tree_sitter import Node

from tests.unit.infra import bicep, inventory, promises, sources, typecheck, wiring
from tests.unit.infra.bicep import Template, said

SOURCES = sources.read()
FILES = wiring.templates(SOURCES)
BICEP = [path for path in FILES if path.endswith(".bicep")]

Check = Callable[[sources.Sources], list[str]]


def types(texts: sources.Sources, path: str) -> list[str]:
    template = wiring.templates(texts)[path]
    return bicep.syntax_errors(template) + typecheck.problems(template)


def replaced(path: str, node: Node, text: str) -> sources.Sources:
    """A copy in which this node says something else."""
    raw = SOURCES[path].encode()
    return {**SOURCES, path: (raw[: node.start_byte] + text.encode() + raw[node.end_byte :]).decode()}


def survivors(mutants: Iterator[tuple[str, sources.Sources]], check: Check) -> tuple[int, list[str]]:
    """How many there were, and those that nobody noticed."""
    count, alive = 0, []
    for what, texts in mutants:
        count += 1
        if not check(texts):
            alive.append(what)
    return count, alive


def test_the_inventory_is_of_today() -> None:
    """When this fails on purpose: ``python -m tests.unit.infra.inventory``, and read the difference."""
    assert inventory.lines(SOURCES) == list(inventory.known())


def test_what_is_damaged_here_is_whole_before() -> None:
    assert inventory.problems(SOURCES) == []
    assert promises.problems(SOURCES) == []
    assert wiring.problems(SOURCES) == []


# ── Azure's types ─────────────────────────────────────────────────────────────────────────────────────────────────

OPEN = ("tags", "userAssignedIdentities", "features")
"""Any name may be in them: tags are ours to choose, a workspace's features Azure's types leave open."""


def keys(template: Template) -> Iterator[tuple[Node, tuple[str, ...]]]:
    """Each property's name in the bodies of resources, with the names above it."""

    def below(node: Node, above: tuple[str, ...]) -> Iterator[tuple[Node, tuple[str, ...]]]:
        for kid in node.named_children:
            if kid.type == "object_property" and kid.named_children[0].type == "identifier":
                key = kid.named_children[0]
                yield key, above
                yield from below(kid.named_children[-1], (*above, said(key)))
            else:
                yield from below(kid, above)

    for one in template.resources.values():
        if not one.existing:
            yield from below(one.body, ())


@pytest.mark.parametrize("path", [path for path in BICEP if FILES[path].resources])
def test_each_property_that_is_misspelt_is_one_that_azure_does_not_know(path: str) -> None:
    mutants = (
        ("/".join((*above, said(key))), replaced(path, key, f"{said(key)}x"))
        for key, above in keys(FILES[path])
        # What a lambda makes, and the text of the workbook, are behind a function: the inventory sees those.
        if not set(above) & set(OPEN) and "serializedData" not in above and not _in_call(key)
    )
    count, alive = survivors(mutants, lambda texts: types(texts, path))
    assert count > 2
    assert alive == []


def _in_call(node: Node) -> bool:
    above: Node | None = node
    while above is not None and above.type != "resource_declaration":
        if above.type == "call_expression" and bicep.called(above)[0] not in ("union", "map"):
            return True
        above = above.parent
    return False


# ── what the code needs ───────────────────────────────────────────────────────────────────────────────────────────


def test_each_setting_that_is_gone_is_missed_and_each_that_is_misspelt_is_read_by_nobody() -> None:
    path = "modules/app.bicep"
    settings = FILES[path].variables["settings"]
    entries = [one for one in settings.named_children if one.type == "object_property"]
    assert len(entries) > 15
    gone = ((said(one), replaced(path, one, "")) for one in entries)
    misspelt = (
        (said(one), replaced(path, one.named_children[0], f"{said(one.named_children[0])}X")) for one in entries
    )
    for mutants in (gone, misspelt):
        assert survivors(mutants, promises.problems)[1] == []


@pytest.mark.parametrize("kind", ["containers", "queues", "tables"])
def test_each_queue_table_and_container_that_is_gone_or_misspelt_is_missed(kind: str) -> None:
    path = "modules/storage.bicep"
    listed = bicep.items(FILES[path].variables[kind])
    assert len(listed) >= 3
    for text in ("''", "'misspelt'"):
        mutants = ((said(one), replaced(path, one, text)) for one in listed)
        assert survivors(mutants, promises.problems)[1] == []


def test_each_role_that_is_gone_or_another_is_missed() -> None:
    found = 0
    for path in BICEP:
        for name, node in FILES[path].variables.items():
            if name.lower().endswith("roles"):
                for one in (kid for kid in node.named_children if kid.type == "object_property"):
                    found += 1
                    other = "'b24988ac-6180-42a0-ab88-20f7382dd24c'"  # Contributor
                    for texts in (replaced(path, one, ""), replaced(path, one.named_children[-1], other)):
                        assert promises.problems(texts), said(one)
    may_give = bicep.items(FILES["deployer.bicep"].variables["mayGive"])
    assert found == len(may_give) == len(promises.ROLES)
    for one in may_give:
        assert promises.problems(replaced("deployer.bicep", one, "'00000000-0000-0000-0000-000000000000'"))


# ── how files fit together ────────────────────────────────────────────────────────────────────────────────────────


def declared(path: str) -> Iterator[tuple[str, Node]]:
    """The names that a template declares, where they are declared."""
    for node in FILES[path].root.named_children:
        if node.type.endswith("_declaration") and node.named_children[0].type == "identifier":
            yield node.type, node.named_children[0]


OF_THE_DEPLOYMENT = {"main.bicep", "deployer.bicep"}
"""Their outputs are asked for by people and workflows: other tests compare those."""


@pytest.mark.parametrize("path", BICEP)
def test_each_parameter_variable_resource_module_and_output_that_is_renamed_does_not_fit(path: str) -> None:
    mutants = (
        (f"{kind} {said(name)}", replaced(path, name, f"{said(name)}x"))
        for kind, name in declared(path)
        if not (kind == "output_declaration" and path in OF_THE_DEPLOYMENT)
    )

    def check(texts: sources.Sources) -> list[str]:
        # A resource nobody refers to may be called anything: only the inventory knows its name.
        return wiring.problems(texts) or inventory.problems(texts)

    count, alive = survivors(mutants, check)
    assert count > 2
    assert alive == []


def test_each_parameter_that_a_module_is_given_under_another_name_does_not_fit() -> None:
    given = [
        one.named_children[0]
        for module in FILES["main.bicep"].modules.values()
        for one in _params(module.body)
        if one.type == "object_property"
    ]
    assert len(given) > 50
    mutants = ((said(key), replaced("main.bicep", key, f"{said(key)}x")) for key in given)
    assert survivors(mutants, wiring.problems)[1] == []


def _params(body: Node) -> list[Node]:
    params = bicep.at(body, "params")
    assert params is not None
    return params.named_children


def test_each_name_that_a_parameter_file_gives_and_main_does_not_know_is_found() -> None:
    for path in (path for path in FILES if path.endswith(".bicepparam")):
        for name in FILES[path].variables:
            text = re.sub(rf"(?m)^param {name} =", f"param {name}x =", SOURCES[path])
            assert wiring.problems({**SOURCES, path: text}), f"{path} {name}"


# ── everything ────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = ("@description(",)
"""Lines for people: Azure reads nothing of them."""


@pytest.mark.parametrize("path", list(FILES))
def test_each_line_that_is_gone_is_missed(path: str) -> None:
    lines = SOURCES[path].split("\n")

    def mutants() -> Iterator[tuple[str, sources.Sources]]:
        for number, line in enumerate(lines):
            if line.strip() and not line.strip().startswith(("//", *WORDS)):
                yield f"{number + 1}: {line}", {**SOURCES, path: "\n".join(lines[:number] + lines[number + 1 :])}

    count, alive = survivors(mutants(), lambda texts: _all(texts, path))
    assert count > 2
    assert alive == []


@pytest.mark.parametrize("path", list(FILES))
def test_each_switch_that_is_turned_round_is_noticed(path: str) -> None:
    found = [
        node for node in bicep.walk(FILES[path].root) if said(node) in ("true", "false") and not node.named_children
    ]
    mutants = ((f"line {node.start_point[0] + 1}", replaced(path, node, _turned(node))) for node in found)
    assert survivors(mutants, lambda texts: _all(texts, path))[1] == []


def _turned(node: Node) -> str:
    return "false" if said(node) == "true" else "true"


def _all(texts: sources.Sources, path: str) -> list[str]:
    """Quickest first: one problem is enough."""
    return bicep.syntax_errors(wiring.templates(texts)[path]) or inventory.problems(texts) or wiring.problems(texts)
