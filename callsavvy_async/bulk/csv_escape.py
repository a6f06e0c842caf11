"""Escape the cells of a CSV file for spreadsheets."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"(^|[;,\t\r\n|])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def harmless(cell: str) -> str:
    """Escape formulas, so that a spreadsheet does not run them (OWASP, "CSV Injection"). Phone numbers stay unchanged.

    Spreadsheets of other countries split cells at other delimiters, so a formula may also begin after any delimiter.
    """
    return cell if cell[1:].isdecimal() else _FORMULA.sub(r"\1\2'", cell)
