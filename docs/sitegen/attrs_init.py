"""A griffe extension: the signature of a class of attrs, which griffe cannot read from its source."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import attrs
import griffe


class AttrsInit(griffe.Extension):
    """Give each class of attrs the ``__init__`` that attrs generates."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Add the signature, by the class itself."""
        decorators = {str(decorator.value).partition("(")[0] for decorator in cls.decorators}
        if "__init__" in cls.members or not decorators & {"attrs.frozen", "attrs.define"}:
            return
        kind = getattr(importlib.import_module(cls.module.path), cls.name, None)
        if kind is None or not attrs.has(kind) or issubclass(kind, BaseException):
            return
        init = griffe.Function(
            "__init__", lineno=0, endlineno=0, parent=cls, parameters=_parameters(kind), returns="None"
        )
        cls.set_member("__init__", init)


def _parameters(kind: type) -> griffe.Parameters:
    own = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    given = inspect.signature(kind).parameters.values()
    return griffe.Parameters(own, *(_parameter(parameter) for parameter in given))


def _parameter(parameter: inspect.Parameter) -> griffe.Parameter:
    keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    return griffe.Parameter(
        parameter.name,
        annotation=inspect.formatannotation(parameter.annotation).strip("'"),
        kind=griffe.ParameterKind.keyword_only if keyword else griffe.ParameterKind.positional_or_keyword,
        default=None if parameter.default is inspect.Parameter.empty else _default(parameter.default),
    )


def _default(value: object) -> str:
    return "..." if value is attrs.NOTHING else repr(value)
