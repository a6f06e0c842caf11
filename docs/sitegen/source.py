"""Docstrings of attributes, which Python drops: read from the source of a class."""

from __future__ import annotations

import ast
import inspect
import textwrap


def attribute_docstrings(kind: type) -> dict[str, str]:
    """Return the string below each assignment in the body of a class, on one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    found: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            for target in _targets(statement):
                found[target] = " ".join(str(following.value.value).split())
    return found


def _targets(statement: ast.stmt) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]
