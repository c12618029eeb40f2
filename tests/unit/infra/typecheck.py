"""Every resource against Azure's published types (types.json says where they are from and how to read them)."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tree_sitter import Node

from tests.unit.infra import bicep
from tests.unit.infra.bicep import Template, called, literal, place, said

NODE_TYPES = {"string": "string", "number": "int", "boolean": "bool", "array": "array", "object": "object"}
RETURNS = {
    **dict.fromkeys(("string", "guid", "uniqueString", "join", "replace", "loadTextContent"), "string"),
    **dict.fromkeys(("subscriptionResourceId", "readEnvironmentVariable"), "string"),
    **dict.fromkeys(("map", "filter", "concat", "split", "items"), "array"),
    **dict.fromkeys(("empty", "bool"), "bool"),
    "int": "int",
    "toObject": "object",
}
EVERYWHERE = ("scope", "parent", "dependsOn")
"""Bicep's own, of any resource."""


@functools.cache
def known_types() -> dict[str, Any]:
    """Body types by lower-case type@version."""
    data = json.loads(Path(__file__).with_name("types.json").read_text())
    return {name.lower(): body for name, body in data["types"].items()}


def problems(template: Template) -> list[str]:
    """What Azure would refuse."""
    found = []
    for one in template.resources.values():
        body = known_types().get(one.type.lower())
        if body is None:
            found.append(f"{place(template, one.node)}: no type known for {one.type}")
        elif not one.existing:
            found += [f"{place(template, node)}: {text}" for node, text in _object(one.body, body, template, "", True)]
    return found


def kind_of(node: Node, template: Template) -> str | None:
    """string, int, bool, array or object; None where it cannot be told from this file alone."""
    if node.type in NODE_TYPES:
        return NODE_TYPES[node.type]
    if node.type == "unary_expression" and said(node).startswith("!"):
        return "bool"
    if node.type == "ternary_expression":
        kinds = {kind_of(branch, template) for branch in node.named_children[1:] if said(branch) != "null"}
        return kinds.pop() if len(kinds) == 1 else None
    if node.type == "identifier":
        return _kind_of_name(said(node), template)
    if node.type == "member_expression" and said(node.named_children[-1]) in ("id", "name"):
        owner = node.named_children[0]
        return "string" if owner.type == "identifier" and said(owner) in template.resources else None
    return RETURNS.get(called(node)[0])


def _kind_of_name(name: str, template: Template) -> str | None:
    if name in template.params:
        return kind_of_declaration(template.params[name].type)
    if name in template.variables:
        return kind_of(template.variables[name], template)
    return None


def kind_of_declaration(declared: str) -> str | None:
    """The same of a declared type such as string[] or 'a' | 'b'."""
    if declared.endswith("[]") or declared == "array":
        return "array"
    first = declared.split("|")[0].strip()
    if first.startswith("{"):
        return "object"
    return "string" if first.startswith("'") else "int" if first.isdigit() else first


Problem = tuple[Node, str]


def _check(node: Node, want: Any, template: Template, where: str) -> Iterator[Problem]:
    """Follow an expression to what it can be, and compare that."""
    if said(node) == "null" or want == "any":
        return
    name, arguments = called(node)
    if node.type == "parenthesized_expression":
        yield from _check(node.named_children[0], want, template, where)
    elif node.type == "ternary_expression":
        for branch in node.named_children[1:]:
            yield from _check(branch, want, template, where)
    elif node.type == "identifier" and said(node) in template.variables:
        yield from _check(template.variables[said(node)], want, template, where)
    elif name == "union":
        for argument in arguments:
            yield from _check(argument, want, template, where)
    elif name == "map" and isinstance(want, dict) and "list" in want and arguments[1].type == "lambda_expression":
        yield from _check(arguments[1].named_children[-1], want["list"], template, where)
    else:
        yield from _value(node, want, template, where)


def _value(node: Node, want: Any, template: Template, where: str) -> Iterator[Problem]:
    kind = kind_of(node, template)
    if isinstance(want, str):
        if kind is not None and kind != want:
            yield node, f"{where} is {kind}, must be {want}"
    elif "oneOf" in want:
        text = literal(node)
        if kind not in (None, "string"):
            yield node, f"{where} is {kind}, must be string"
        elif text is not None and text not in want["oneOf"]:
            # Also where the service may know more values than its types: one that we want would be added there.
            yield node, f"{where}: {text!r} is not one of {want['oneOf']}"
    elif "list" in want:
        if kind not in (None, "array"):
            yield node, f"{where} is {kind}, must be array"
        for item in bicep.items(node):
            yield from _check(item, want["list"], template, f"{where}[]")
    elif kind not in (None, "object"):
        yield node, f"{where} is {kind}, must be object"
    elif "map" in want:
        for key, value in bicep.properties(node).items():
            yield from _check(value, want["map"], template, f"{where}.{key}")
    elif node.type == "object":
        yield from _object(node, want, template, where, False)


def _object(node: Node, want: dict[str, Any], template: Template, where: str, top: bool) -> Iterator[Problem]:
    given = bicep.properties(node)
    fields, more = dict(want["fields"]), want.get("more")
    if "by" in want:
        case = want["cases"].get(literal(given.get(want["by"])) or "")
        if case is None:
            yield node, f"{where}.{want['by']} must be one of {sorted(want['cases'])}"
            return
        fields |= case.get("fields", {})
    by_name = {name.rstrip("!-"): name for name in fields}
    for name, value in given.items():
        spelled = by_name.get(name)
        if top and name in EVERYWHERE:
            continue
        if spelled is None and more is None:
            yield value, f"{where}: there is no property {name!r}; there are {sorted(by_name)}"
        elif spelled is None:
            yield from _check(value, more, template, f"{where}.{name}")
        elif spelled.endswith("-"):
            yield value, f"{where}.{name} is read-only"
        else:
            yield from _check(value, fields[spelled], template, f"{where}.{name}")
    for name in fields:
        if name.endswith("!") and name[:-1] not in given:
            yield node, f"{where}: required property {name[:-1]!r} is missing"
