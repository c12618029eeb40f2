"""The names of the functions that Azure must know after a deployment, one a line, read from functions/.

The timer of a mailbox (``poll_<tenant>_<mailbox>_<hex>``) is not among them: it depends on what storage holds.
"""

from __future__ import annotations

import ast
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"


def main() -> None:
    for path in sorted(FUNCTIONS.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_registers, node.decorator_list)):
                print(node.name)  # noqa: T201 - this is the script's whole purpose


def _registers(decorator: ast.expr) -> bool:
    """Whether it is ``@bp.route(…)``, ``@bp.timer_trigger(…)`` or the like."""
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == "bp"


if __name__ == "__main__":
    main()
