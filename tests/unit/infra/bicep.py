"""What a Bicep file declares, read with tree-sitter: no compiler can be had without Azure's download."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))


@dataclass(frozen=True)
class Param:
    """A parameter: its declared type as text ('' in a parameter file), its default or value, its decorators' text."""

    name: str
    type: str
    value: Node | None
    decorators: str


@dataclass(frozen=True)
class Resource:
    """A resource or module. ``type`` is type@version, or the module's path. ``loop`` is what a for goes over."""

    symbol: str
    type: str
    existing: bool
    body: Node
    loop: Node | None
    node: Node


@dataclass(frozen=True)
class Template:
    """One parsed file."""

    path: str
    root: Node
    params: dict[str, Param]
    variables: dict[str, Node]
    resources: dict[str, Resource]
    modules: dict[str, Resource]
    outputs: dict[str, Node]


@functools.cache
def parse(path: str, text: str) -> Template:
    """Read one file; what is wrong in it shows in ``syntax_errors``."""
    if path.endswith(".bicepparam"):
        # The grammar knows no parameter without a type: to it they are variables. Lengths stay, so do line numbers.
        text = re.sub(r"(?m)^param( \w+ =)", r"var  \1", text)
    root = _PARSER.parse(text.encode()).root_node
    made = Template(path, root, {}, {}, {}, {}, {})
    decorators = ""
    for node in root.named_children:
        if node.type == "decorators":
            decorators = said(node)
            continue
        _declare(made, node, decorators)
        decorators = ""
    return made


def _declare(made: Template, node: Node, decorators: str) -> None:
    kids = [kid for kid in node.named_children if kid.type != "comment"]
    if node.type == "parameter_declaration":
        value = kids[2] if len(kids) > 2 else None
        made.params[said(kids[0])] = Param(said(kids[0]), said(kids[1]), value, decorators)
    elif node.type == "variable_declaration":
        made.variables[said(kids[0])] = kids[-1]
    elif node.type == "output_declaration":
        made.outputs[said(kids[0])] = kids[-1]
    elif node.type in ("resource_declaration", "module_declaration"):
        body, loop = unwrap(kids[-1])
        existing = any(kid.type == "existing" for kid in node.children)
        one = Resource(said(kids[0]), literal(kids[1]) or "", existing, body, loop, node)
        (made.resources if node.type == "resource_declaration" else made.modules)[one.symbol] = one


def unwrap(node: Node) -> tuple[Node, Node | None]:
    """The object inside ``if`` and ``for``, and what the for goes over."""
    loop = None
    while node.type in ("if_statement", "for_statement"):
        if node.type == "for_statement":
            loop = node.named_children[1]
        node = node.named_children[-1]
    return node, loop


def said(node: Node) -> str:
    """The text of a node."""
    return (node.text or b"").decode()


def literal(node: Node | None) -> str | None:
    """What a string without interpolation says; None for anything else."""
    if node is None or node.type != "string" or any(kid.type == "interpolation" for kid in node.named_children):
        return None
    return re.sub(r"\\(.)", r"\1", said(node)[1:-1])


def properties(node: Node | None) -> dict[str, Node]:
    """The properties of an object by name; '' stands for names that are expressions."""
    if node is None or node.type != "object":
        return {}
    found = {}
    for one in node.named_children:
        if one.type == "object_property":
            key = one.named_children[0]
            found[said(key) if key.type == "identifier" else literal(key) or ""] = one.named_children[-1]
    return found


def at(node: Node | None, *path: str) -> Node | None:
    """A property of a property ...; None when there is none."""
    for name in path:
        node = properties(node).get(name)
    return node


def items(node: Node | None) -> list[Node]:
    """The items of an array."""
    if node is None or node.type != "array":
        return []
    return [kid for kid in node.named_children if kid.type != "comment"]


def walk(node: Node) -> Iterator[Node]:
    """Every named node below, itself first."""
    yield node
    for kid in node.named_children:
        yield from walk(kid)


def identifiers(node: Node) -> Iterator[str]:
    """Every name that an expression uses, names of properties left out."""
    for one in walk(node):
        if one.type == "identifier" and not _is_key(one):
            yield said(one)


def _is_key(node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type == "object_property" and parent.named_children[0] == node


def syntax_errors(template: Template) -> list[str]:
    """Where the grammar cannot follow."""

    def broken(node: Node) -> Iterator[Node]:
        if node.is_error or node.is_missing:
            yield node
        for kid in node.children:
            yield from broken(kid)

    return [f"{place(template, node)}: syntax error near {said(node)[:40]!r}" for node in broken(template.root)]


def place(template: Template, node: Node) -> str:
    """file:line."""
    return f"{template.path}:{node.start_point[0] + 1}"


def called(node: Node) -> tuple[str, list[Node]]:
    """The function of a call and its arguments; '' for anything else."""
    if node.type != "call_expression":
        return "", []
    return said(node.named_children[0]), node.named_children[1].named_children
