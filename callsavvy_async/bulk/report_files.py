"""Write the rows of a report to a file. It holds phone numbers, so only its owner may read it."""

from __future__ import annotations

import csv
import json
import os
import stat
from collections.abc import Iterable
from typing import IO

import attrs

from callsavvy_async.bulk.csv_escape import harmless
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import mask_number


@attrs.frozen
class ReportRow:
    """The result for one recipient.

    Attributes:
        row: position in the input, counted from 1.
        recipient: the number; for a skipped row, the number as given.
        outcome: state of its request, or ``skipped: <reason>``.
        request: number of its request; None for a skipped row.
        message_id: id from the API; None if it reported none.
        detail: explanation, without personal data.
    """

    row: int
    recipient: str = attrs.field(repr=mask_number)
    outcome: str
    request: int | None
    message_id: str | None
    detail: str


REPORT_COLUMNS: frozenset[str] = frozenset(field.name for field in attrs.fields(ReportRow))
"""Columns of a report."""


def write_csv(path: str | os.PathLike[str], rows: Iterable[ReportRow]) -> None:
    """Write the rows as CSV with a header. Formulas are escaped; a byte order mark lets Excel recognise UTF-8."""
    with _private_file(path, encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in attrs.fields(ReportRow)])
        for row in rows:
            writer.writerow(["" if value is None else harmless(str(value)) for value in attrs.astuple(row)])


def write_jsonl(path: str | os.PathLike[str], rows: Iterable[ReportRow]) -> None:
    """Write one JSON object per row, one a line."""
    with _private_file(path) as file:
        for row in rows:
            json.dump(attrs.asdict(row), file, ensure_ascii=False, separators=(",", ":"))
            file.write("\n")


def _private_file(path: str | os.PathLike[str], *, encoding: str = "utf-8") -> IO[str]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        os.close(descriptor)
        raise InvalidRequestError(f"{os.fspath(path)} is a device; name a file.")
    if stat.S_ISREG(mode):
        os.chmod(path, 0o600)  # noqa: PTH101 - an existing file may be readable for others
    return open(descriptor, "w", encoding=encoding, newline="")  # noqa: PTH123 - a descriptor, not a path
