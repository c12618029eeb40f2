"""How the files fit together: parameters, outputs, names that nobody uses, parameter files, queries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tree_sitter import Node

from tests.unit.infra import bicep, typecheck
from tests.unit.infra.bicep import Param, Template, at, called, literal, place, properties, said
from tests.unit.infra.sources import Sources

ENTRIES = ("main.bicep", "deployer.bicep")
"""What a person or the workflow deploys; everything else is a module of one of them."""


BUILT_IN = frozenset(
    {
        *("bool", "concat", "empty", "environment", "filter", "guid", "items", "join", "loadTextContent", "map"),
        *("readEnvironmentVariable", "replace", "resourceGroup", "split", "string", "subscription"),
        *("subscriptionResourceId", "tenant", "toObject", "union", "uniqueString"),
    }
)
"""Bicep's functions that are used here; another one is to be added with its meaning looked up."""


def templates(sources: Sources) -> dict[str, Template]:
    """Every template and parameter file, parsed."""
    return {path: bicep.parse(path, text) for path, text in sources.items() if not path.endswith(".kql")}


def problems(sources: Sources) -> list[str]:
    """What does not fit."""
    files = templates(sources)
    found: list[str] = []
    for template in files.values():
        found += _unused(template)
        found += _undeclared(template)
        found += _modules(template, files)
        found += _queries(template, sources)
        if template.path.endswith(".bicepparam"):
            found += _parameter_file(template, files["main.bicep"])
    used = {_beside(one, module.type) for one in files.values() for module in one.modules.values()}
    loaded = {query for template in files.values() for query in _loaded(template)}
    found += [f"{path}: no template uses it" for path in files if path.startswith("modules/") and path not in used]
    found += [f"{path}: no template loads it" for path in sources if path.endswith(".kql") and path not in loaded]
    return found


def _unused(template: Template) -> Iterator[str]:
    if template.path.endswith(".bicepparam"):
        return
    uses: list[str] = []
    for node in template.root.named_children:
        declared = node.named_children[0] if node.type.endswith("_declaration") else None
        uses += [name for kid in node.named_children if kid != declared for name in bicep.identifiers(kid)]
    for name in (*template.params, *template.variables):
        if name not in uses:
            yield f"{template.path}: {name!r} is never used"


def _undeclared(template: Template) -> Iterator[str]:
    if template.path.endswith(".bicepparam"):
        return
    known = {*template.params, *template.variables, *template.resources, *template.modules, *BUILT_IN}
    for node in template.root.named_children:
        if node.type in ("resource_declaration", "module_declaration", "variable_declaration", "output_declaration"):
            value = node.named_children[-1]
            bound = {name for inner in bicep.walk(node) for name in _bound(inner)}
            for name in sorted(set(bicep.identifiers(value)) - known - bound):
                yield f"{place(template, node)}: nothing is called {name!r}"


def _bound(node: Node) -> Iterator[str]:
    """The names that a lambda or a loop gives to what goes through it."""
    if node.type == "lambda_expression":
        yield said(node.named_children[0])
    elif node.type == "for_statement":
        yield from re.findall(r"\w+", said(node).partition(" in ")[0].partition("for ")[2])


def _modules(template: Template, files: dict[str, Template]) -> Iterator[str]:
    for module in template.modules.values():
        where = place(template, module.node)
        inner = files.get(_beside(template, module.type))
        if inner is None:
            yield f"{where}: there is no file {module.type}"
            continue
        passed = properties(at(module.body, "params"))
        for name in passed.keys() - inner.params.keys():
            yield f"{where}: {inner.path} has no parameter {name!r}"
        for name, param in inner.params.items():
            if name not in passed:
                if param.value is None:
                    yield f"{where}: {inner.path} needs parameter {name!r}"
                continue
            want, got = typecheck.kind_of_declaration(param.type), typecheck.kind_of(passed[name], template)
            if got is not None and got != want:
                yield f"{where}: parameter {name!r} is {got}, must be {want}"
        asked = {name for symbol, name in outputs_used(template) if symbol == module.symbol}
        for name in asked - inner.outputs.keys():
            yield f"{where}: {inner.path} has no output {name!r}"
        for name in inner.outputs.keys() - asked:
            yield f"{where}: nobody uses output {name!r} of {inner.path}"


def outputs_used(template: Template) -> Iterator[tuple[str, str]]:
    """(module, output) of each ``module.outputs.output``."""
    yield from re.findall(r"\b(\w+)!?\.outputs\.(\w+)", said(template.root))


def _queries(template: Template, sources: Sources) -> Iterator[str]:
    for path in _loaded(template):
        if path not in sources:
            yield f"{template.path}: there is no file {path}"


def _loaded(template: Template) -> Iterator[str]:
    for node in bicep.walk(template.root):
        name, arguments = called(node)
        if name == "loadTextContent":
            yield _beside(template, literal(arguments[0]) or "")


def _beside(template: Template, path: str) -> str:
    return str(PurePosixPath(template.path).parent / path)


def _parameter_file(template: Template, main: Template) -> Iterator[str]:
    if "using 'main.bicep'" not in said(template.root):
        yield f"{template.path}: does not say which template it is for"
    given = template.variables
    for name in given.keys() - main.params.keys():
        yield f"{template.path}: main.bicep has no parameter {name!r}"
    for name, param in main.params.items():
        if name in given:
            yield from (f"{template.path}: {text}" for text in _refusals(param, given[name], template))
        elif param.value is None:
            yield f"{template.path}: main.bicep needs parameter {name!r}"


def _refusals(param: Param, value: Node, template: Template) -> Iterator[str]:
    want, got = typecheck.kind_of_declaration(param.type), typecheck.kind_of(value, template)
    if got is not None and got != want:
        yield f"{param.name!r} is {got}, must be {want}"
        return
    allowed = [one.strip() for one in param.type.split("|")]
    if len(allowed) > 1 and value.type in ("string", "number") and said(value) not in allowed:
        yield f"{param.name!r} must be one of {allowed}"
    size = int(said(value)) if value.type == "number" else len(literal(value) or "")
    if literal(value) is None and value.type != "number":
        return
    for limit, bound in re.findall(r"@(m\w+)\((\d+)\)", param.decorators):
        if size < int(bound) if limit.startswith("min") else size > int(bound):
            yield f"{param.name!r} breaks {limit} {bound}"
