"""Everything that the templates say, one line each: what must not get lost or change by accident.

``inventory.txt`` is what they said when somebody last looked at each line. More may be said at any time; what is gone,
or says something else, is a problem until ``python -m tests.unit.infra.inventory`` has written it anew, and the
difference was read. Types tell what Azure would refuse; this tells what Azure would take without a word.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from tree_sitter import Node

from tests.unit.infra import sources
from tests.unit.infra.bicep import Resource, Template, items, properties, said
from tests.unit.infra.sources import Sources
from tests.unit.infra.wiring import templates

FILE = Path(__file__).with_name("inventory.txt")


def problems(texts: Sources) -> list[str]:
    """What was said and is not said any more."""
    now = {line for template in templates(texts).values() for line in _lines(template)}
    return [f"gone or changed: {line}" for line in known() if line not in now]


@functools.cache
def known() -> tuple[str, ...]:
    """What somebody looked at."""
    return tuple(FILE.read_text().splitlines())


def lines(texts: Sources) -> list[str]:
    """What is said now."""
    return sorted({line for template in templates(texts).values() for line in _lines(template)})


def _lines(template: Template) -> Iterator[str]:
    where = template.path
    if "targetScope = 'resourceGroup'" in said(template.root):
        yield f"{where} targetScope = resourceGroup"
    for param in template.params.values():
        value = _text(param.value) if param.value is not None else ""
        yield f"{where} param {param.name} {' '.join(param.type.split())} = {value}"
        for limit in re.findall(r"@m\w+\(\d+\)", param.decorators):
            yield f"{where} param {param.name} {limit}"
    for name, node in template.variables.items():
        yield from _value(f"{where} var {name}", node)
    for one in (*template.resources.values(), *template.modules.values()):
        yield from _declared(where, one)
    for name, node in template.outputs.items():
        yield f"{where} output {name} = {_text(node)}"


def _declared(where: str, one: Resource) -> Iterator[str]:
    kind = "existing " if one.existing else ""
    loop = f" for {_text(one.loop)}" if one.loop is not None else ""
    yield f"{where} {kind}{one.symbol}: {one.type}{loop}"
    yield from _value(f"{where} {one.symbol}", one.body)


def _value(path: str, node: Node) -> Iterator[str]:
    if node.type in ("object", "array") and not node.named_children:
        yield f"{path} = {_text(node)}"
    elif node.type == "object":
        for key, value in properties(node).items():
            yield from _value(f"{path}.{key or '*'}", value)
    elif node.type == "array" and any(one.type == "object" for one in items(node)):
        for item in items(node):
            # By name, where items have one: so that a new one in the middle moves none of the others.
            named = properties(item).get("name")
            yield from _value(f"{path}[{_text(named) if named is not None else ''}]", item)
    elif node.type == "array":
        yield from (f"{path} has {_text(item)}" for item in items(node))
    else:
        yield f"{path} = {_text(node)}"


def _text(node: Node) -> str:
    return " ".join(re.sub(r"(?m)^\s*//.*$", "", said(node)).split())


if __name__ == "__main__":
    FILE.write_text("\n".join(lines(sources.read())) + "\n")
