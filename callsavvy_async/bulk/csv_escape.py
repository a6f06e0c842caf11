"""Cells of a CSV that people open in a spreadsheet."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"(^|[;,\t\r\n|])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def harmless(cell: str) -> str:
    """Keep a spreadsheet from running what a stranger wrote (OWASP, "CSV Injection"); phone numbers stay as they are.

    A spreadsheet of another country divides cells where ours are not, so what follows any delimiter counts as a beginning.
    """
    return cell if cell[1:].isdecimal() else _FORMULA.sub(r"\1\2'", cell)
