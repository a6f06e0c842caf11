"""What hover, `help` and the reference show of the public names: arguments, errors and attributes."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from types import FunctionType

import attrs

PUBLIC_MODULES = [
    "callsavvy_async",
    "callsavvy_async.campaigns",
    "callsavvy_async.embeds",
    "callsavvy_async.hooks",
    "callsavvy_async.integrations.aiohttp",
    "callsavvy_async.integrations.fastapi",
    "callsavvy_async.integrations.otel",
    "callsavvy_async.messages",
    "callsavvy_async.models",
    "callsavvy_async.pacing",
    "callsavvy_async.simulator",
    "callsavvy_async.webhooks",
]
GROUPS = ["account", "tickets", "calls", "chats", "messaging", "meetings", "contacts", "bulk"]
"""Properties of the client whose types are public, although no module exports them."""
NOT_ERRORS = {"StopAsyncIteration", "StopIteration", "NotImplementedError"}
SEES_ANOTHER = "See `"
"""Begins the docstring of a method that implements a documented protocol or base class."""


def public_objects() -> dict[str, object]:
    """Return the public functions and classes by their qualified names."""
    found: dict[str, object] = {}
    for module in map(importlib.import_module, PUBLIC_MODULES):
        names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        values = [getattr(module, name) for name in names]
        found.update((f"{value.__module__}.{value.__qualname__}", value) for value in values if is_ours(value))
    client = importlib.import_module("callsavvy_async").Callsavvy
    for group in GROUPS:
        kind = inspect.signature(getattr(client, group).func, eval_str=False).return_annotation
        place = {"bulk": "bulk.bulk"}.get(group, f"resources.{group}")
        found[kind] = getattr(importlib.import_module(f"callsavvy_async.{place}"), kind)
    return found


def is_ours(value: object) -> bool:
    return isinstance(value, type | FunctionType) and value.__module__.startswith("callsavvy_async")


def functions_of(name: str, value: object) -> Iterator[tuple[str, FunctionType]]:
    """Yield a public function, or the public methods that a class defines itself."""
    if isinstance(value, FunctionType):
        yield name, inspect.unwrap(value)
    elif isinstance(value, type):
        for member, method in vars(value).items():
            function = getattr(method, "__func__", method)
            if not member.startswith("_") and isinstance(function, FunctionType):
                yield f"{name}.{member}", inspect.unwrap(function)


PUBLIC = public_objects()
FUNCTIONS = dict(pair for name, value in PUBLIC.items() for pair in functions_of(name, value))
MODELS = {
    name: value
    for name, value in PUBLIC.items()
    if isinstance(value, type) and attrs.has(value) and not name.startswith("callsavvy_async.simulator")
}


def parameters(function: FunctionType) -> list[inspect.Parameter]:
    return [one for name, one in inspect.signature(function).parameters.items() if name not in {"self", "cls"}]


def raised(function: FunctionType) -> set[str]:
    """Return the names of the errors that a function raises itself, without those of functions within it."""

    def walk(node: ast.AST) -> Iterator[ast.Raise]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Raise) and child.exc is not None:
                yield child
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from walk(child)

    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    calls = [statement.exc for statement in walk(tree)]
    return {ast.unparse(call.func) for call in calls if isinstance(call, ast.Call)} - NOT_ERRORS


def section(text: str, title: str) -> str:
    """Return a section of a docstring in Google's style, with the blanks that indent it removed."""
    _, _, rest = inspect.cleandoc(text).partition(f"{title}:\n")
    lines = rest.splitlines()
    end = next((number for number, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return textwrap.dedent("\n".join(lines[:end]))


def test_arguments_are_documented() -> None:
    """A public function with two or more parameters says of each what it takes."""
    missing = {name: undocumented_arguments(function) for name, function in FUNCTIONS.items()}
    assert {name: arguments for name, arguments in missing.items() if arguments} == {}


def undocumented_arguments(function: FunctionType) -> set[str]:
    text, taken = function.__doc__ or "", parameters(function)
    if len(taken) < 2 or text.startswith(SEES_ANOTHER):
        return set()
    documented = {line.partition(":")[0].lstrip("*") for line in section(text, "Args").splitlines() if line[:1] != " "}
    if not documented:
        return {"Args:"}
    return {one.name for one in taken if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}} - documented


def test_errors_are_documented() -> None:
    """A public function names the errors that it raises itself."""
    missing = {name: undocumented_errors(function) for name, function in FUNCTIONS.items()}
    assert {name: errors for name, errors in missing.items() if errors} == {}


def undocumented_errors(function: FunctionType) -> set[str]:
    return raised(function) - {
        line.partition(":")[0] for line in section(function.__doc__ or "", "Raises").splitlines()
    }


def test_attributes_are_documented() -> None:
    """Each public attribute of a model is in the docstring of its class or of a base, or has a text below it."""
    missing = {name: undocumented_attributes(model) for name, model in MODELS.items()}
    assert {name: attributes for name, attributes in missing.items() if attributes} == {}


def undocumented_attributes(model: type[attrs.AttrsInstance]) -> set[str]:
    documented: set[str] = set()
    for base in model.__mro__[:-1]:
        if not base.__module__.startswith("callsavvy_async"):
            continue
        text = base.__doc__ or ""
        for title in ("Attributes", "Args"):
            documented |= {line.partition(":")[0] for line in section(text, title).splitlines()}
        documented |= texts_below(base)
    return {field.alias for field in attrs.fields(model) if not field.name.startswith("_")} - documented


@functools.cache
def texts_below(model: type) -> set[str]:
    """Return the attributes of a class that have a text below them."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    pairs = zip(tree.body, tree.body[1:], strict=False)
    return {
        ast.unparse(before.target)
        for before, after in pairs
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }
