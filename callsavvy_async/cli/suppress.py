"""``callsavvy suppress``: numbers that no campaign of a journal is sent to."""

from __future__ import annotations

from datetime import datetime

from callsavvy_async.cli.activity import show
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, is_missing, with_journal
from callsavvy_async.cli.options import JournalName
from callsavvy_async.cli.output import Result
from callsavvy_async.wording import quantity

_COLUMNS = ("number", "at", "author")


def add(*numbers: str, region: str | None = None, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Add numbers.

    Args:
        numbers: Phone numbers.
        region: Country of national numbers, e.g. NG (extra: phone).
        journal: Journal file or URL.
    """
    read_only = not is_missing(journal)  # a journal that does not exist yet is created
    added = with_journal(journal, lambda opened: opened.suppress_list.add(*numbers, region=region), read_only=read_only)
    there = len(numbers) - added
    show(Result({"added": added, "there": there}, f"{quantity(added, 'number')} added, {there:,} already on the list"))


def remove(*numbers: str, region: str | None = None, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Remove numbers. Recipients who were left out of a campaign before stay left out.

    Args:
        numbers: Phone numbers.
        region: Country of national numbers, e.g. NG (extra: phone).
        journal: Journal file or URL.
    """
    removed = with_journal(journal, lambda opened: opened.suppress_list.remove(*numbers, region=region))
    missing = len(numbers) - removed
    text = f"{quantity(removed, 'number')} removed, {missing:,} not on the list"
    show(Result({"removed": removed, "missing": missing}, text))


def list_numbers(*, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """List the numbers, and who added them when."""
    found = with_journal(journal, lambda opened: opened.suppress_list.read())
    rows = [
        (entry.number, f"{datetime.fromtimestamp(entry.at).astimezone():%Y-%m-%d %H:%M:%S %z}", entry.author)
        for entry in found
    ]
    show(Result([dict(zip(_COLUMNS, row, strict=True)) for row in rows], columns=_COLUMNS))
