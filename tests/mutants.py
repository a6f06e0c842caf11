"""Change one thing in a module, run the tests, and see whether they notice; again and again.

python -m tests.mutants --sample 60 --seed 1            of policy, wire, bulk and campaigns
python -m tests.mutants --sample 30 policy wire         of these packages

The tests of a package run in one process, those named after the module first, until one fails. A survivor is a missing test
or a change that makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .security.guards import copied_tree, write_module

PACKAGE = Path(__file__).parents[1] / "callsavvy_async"
PACKAGES = ("policy", "wire", "bulk", "campaigns")
"""Each has a folder of tests with its name, which covers all its branches (`nox -s coverage`)."""
SECONDS = 300
"""Of the tests of one mutant; a loop without an end counts as noticed."""
_TESTS_PASSED = 0
_PAIRS = (
    (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn),
    (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.Div),
)  # fmt: skip
_SWAPS: dict[type[ast.AST], type[ast.AST]] = {**dict(_PAIRS), **{other: one for one, other in _PAIRS}}


class Mutant(NamedTuple):
    """One change of one module.

    Attributes:
        module: path below the package.
        line: number of the line.
        before: the source that is replaced.
        after: the source in its place.
        source: the module with the change.
    """

    module: Path
    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}  {self.before}  ->  {self.after}"


def mutants_of(source: str, module: Path) -> Iterator[Mutant]:
    """Yield every change of a module; few of them do not compile."""
    tree = ast.parse(source)
    skipped = {id(node) for root in ast.walk(tree) for part in _not_run(root) for node in ast.walk(part)}
    conditions = {id(node.test) for node in ast.walk(tree) if isinstance(node, ast.If | ast.While | ast.IfExp)}
    lines = source.encode().splitlines(keepends=True)
    for node in ast.walk(tree):
        changed = None if id(node) in skipped else _changed(node, decides=id(node) in conditions)
        if changed is None or not isinstance(node, ast.expr | ast.stmt):
            continue
        after = ast.unparse(ast.fix_missing_locations(changed))
        written = f"({after})" if isinstance(changed, ast.expr) and not isinstance(changed, ast.Constant) else after
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        mutated = b"".join([*lines[:first], head, written.encode(), tail, *lines[last + 1 :]]).decode()
        yield Mutant(module, node.lineno, ast.unparse(node), after, mutated)


def _not_run(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node that are not executed, or only make a text."""
    parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
    if isinstance(node, ast.JoinedStr):
        parts.append(node)
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        parts.append(node)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"TypeVar", "ParamSpec", "cast"}:
        parts.append(node)
    return [part for part in parts if isinstance(part, ast.AST)]


def _changed(node: ast.AST, *, decides: bool) -> ast.AST | None:
    """Return what replaces a node; None for one that stays.

    Args:
        node: the node.
        decides: whether it is the whole condition of a branch.
    """
    new = copy.copy(node)
    match node, new:
        case ast.Compare(ops=[op]), ast.Compare() if type(op) in _SWAPS:
            new.ops = [_SWAPS[type(op)]()]  # type: ignore[list-item]
        case ((ast.BinOp(op=op) | ast.BoolOp(op=op)), (ast.BinOp() | ast.BoolOp())) if type(op) in _SWAPS:
            new.op = _SWAPS[type(op)]()  # type: ignore[assignment]
        case ast.UnaryOp(op=ast.Not(), operand=operand), _:
            return operand
        case ast.Constant(value=bool() as value), _:
            return ast.Constant(not value)
        case ast.Constant(value=int() | float() as value), _:
            return ast.Constant(value + 1)
        case ((ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign()), _):
            return ast.Pass()
        case ((ast.Name() | ast.Attribute() | ast.Call()), _) if decides:
            return ast.UnaryOp(ast.Not(), node)
        case _:
            return None
    return new


def compiles(mutant: Mutant) -> bool:
    """Return False for a change that no interpreter reads, such as of a number in a pattern."""
    try:
        ast.parse(mutant.source)
    except SyntaxError:
        return False
    return True


def is_killed(mutant: Mutant, tree: Path) -> bool:
    """Return True if a test fails, or does not end, with the mutant in a copy of the tree."""
    path = tree / "callsavvy_async" / mutant.module
    original = path.read_text("utf-8")
    write_module(path, mutant.source)
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-qx",
        "--numprocesses=0",
        "-p",
        "no:cacheprovider",
        *_tests(mutant, tree),
    )
    paths = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": ""}
    try:
        with subprocess.Popen(
            command,
            cwd=tree,
            env=os.environ | paths,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as tests:
            try:
                return tests.wait(SECONDS) != _TESTS_PASSED
            except subprocess.TimeoutExpired:
                return True
            finally:  # also the servers and programs that the tests left behind
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(tests.pid, signal.SIGKILL)
    finally:
        write_module(path, original)


def _tests(mutant: Mutant, tree: Path) -> list[str]:
    """List files, since pytest sorts the files of a folder itself."""
    files = sorted((tree / "tests" / mutant.module.parts[0]).rglob("test_*.py"))
    return [str(path) for path in sorted(files, key=lambda path: mutant.module.stem not in path.stem)]


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", help=", ".join(PACKAGES))
    parser.add_argument("--sample", type=int, help="mutants to draw; default: all")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if unknown := {*chosen.packages} - {*PACKAGES}:
        parser.error(f"{', '.join(sorted(unknown))}: not among {', '.join(PACKAGES)}")
    every = [
        mutant
        for package in chosen.packages or PACKAGES
        for path in sorted((PACKAGE / package).rglob("*.py"))
        for mutant in mutants_of(path.read_text("utf-8"), path.relative_to(PACKAGE))
    ]
    random.Random(chosen.seed).shuffle(every)
    drawn = [*islice(filter(compiles, every), chosen.sample)]
    survivors: list[Mutant] = []
    with copied_tree() as tree:
        for mutant in drawn:
            killed = is_killed(mutant, tree)
            survivors += [] if killed else [mutant]
            print("killed  " if killed else "SURVIVED", mutant, sep="  ", flush=True)
    print(
        f"{len(drawn)} of {len(every)} mutants, {len(drawn) - len(survivors)} killed ({1 - len(survivors) / len(drawn):.0%})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
