"""Cells of a CSV that people open in a spreadsheet."""

from __future__ import annotations


def harmless(cell: str) -> str:
    """Keep a spreadsheet from running what a stranger wrote (OWASP, "CSV Injection"); phone numbers stay as they are."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} and not cell[1:].isdecimal() else cell
