"""The JSON document that every command prints with ``-o json``, whatever happens. docs/reference/json.md describes it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal

SCHEMA_VERSION = 1
"""Grows if a field is removed, renamed or gets another type. New fields do not change it."""


def document(
    command: str, exit_code: int | None, result: object, error: Mapping[str, object] | None, *, lines: bool = False
) -> str:
    """Return the document of a command.

    Args:
        command: Words of the command; blank if the command line names none.
        exit_code: Exit code; None if the command goes on.
        result: Result; None if there is none.
        error: Kind and message of the error; None without one.
        lines: True for a command that prints one document a line.
    """
    whole = {
        "schema_version": SCHEMA_VERSION,
        "command": command or None,
        "exit_code": None if exit_code is None else int(exit_code),
        "result": result,
        "error": error,
    }
    return as_json(whole, indent=None if lines else 2)


def as_json(value: object, *, indent: int | None = 2) -> str:
    """Format a JSON value; in ASCII if stdout's encoding lacks characters. Decimals become numbers, other types texts."""
    import json  # noqa: PLC0415 - help does not need it

    ascii_only = not getattr(sys.stdout, "encodes_all", True)
    return json.dumps(value, ensure_ascii=ascii_only, indent=indent, default=_plain, allow_nan=False)


def _plain(value: object) -> object:
    return number(value) if isinstance(value, Decimal) else str(value)


def number(value: Decimal) -> int | float | None:
    """Return a decimal as the JSON number with the same digits (up to 15 of them); None if it is not finite."""
    if not value.is_finite():
        return None
    return int(value) if value == value.to_integral_value() else float(value)
