"""Pick recipients from the report of an earlier send, by their outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from callsavvy_async.bulk.list_formats import Row
from callsavvy_async.bulk.report_files import REPORT_COLUMNS
from callsavvy_async.errors import InvalidRequestError

UNREACHED = ("pending", "not_sent", "rejected", "failed", "cancelled")
"""Outcomes of recipients who got nothing. The request of a failed one may have been charged."""


def check_only(only: Sequence[str]) -> None:
    """Raise `InvalidRequestError` for an outcome whose recipients may have got the message, or that does not exist."""
    wrong = next((outcome for outcome in only if outcome not in UNREACHED), None)
    if wrong is not None or not only:
        raise InvalidRequestError(
            f"the outcome to pick is {wrong!r}; choose from {', '.join(UNREACHED)}. Recipients with other outcomes have, or may"
            " have, got the message."
        )


def pick(rows: Iterator[Row], only: Collection[str], name: str) -> Iterator[str]:
    """Yield the numbers of the recipients with one of these outcomes.

    Raises:
        InvalidRequestError: the file is not a report.
    """
    for row in rows:
        if isinstance(row, str) or frozenset(row) != REPORT_COLUMNS:
            raise InvalidRequestError(
                f"{name} is not the report of a send, so it has no outcomes to pick; leave them out, or give the report."
            )
        if row["outcome"] in only:
            yield str(row["recipient"])
