"""The threat model of SECURITY.md names guards and tests that exist."""

from __future__ import annotations

import ast

import pytest

from .guards import GUARDS, ROOT, Guard, table


def test_the_document_holds_the_table() -> None:
    """`python -m tests.security.guards --table` prints it."""
    assert table() in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.file}: {guard.test.rpartition('::')[2]}")
def test_a_guard_and_its_test_exist(guard: Guard) -> None:
    """The guard's source occurs once, so that it can be turned off, and its test is where the table says."""
    source = (ROOT / "callsavvy_async" / guard.file).read_text(encoding="utf-8")
    assert source.count(guard.on) == 1
    assert guard.on != guard.off
    path, _, name = guard.test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert not name or name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
