"""``callsavvy suppress``: numbers that no campaign of a journal is sent to."""

from __future__ import annotations

from datetime import datetime

from callsavvy_async.cli.activity import show
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, is_missing, with_journal
from callsavvy_async.cli.options import JournalName
from callsavvy_async.cli.output import Result
from callsavvy_async.wording import quantity


def add(*numbers: str, region: str | None = None, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Add numbers.

    Args:
        numbers: Phone numbers.
        region: Country of national numbers, e.g. NG (extra: phone).
        journal: Journal file or URL.
    """
    read_only = not is_missing(journal)  # a journal that does not exist yet is created
    added = with_journal(journal, lambda opened: opened.suppress_list.add(*numbers, region=region), read_only=read_only)
    text = f"{quantity(added, 'number')} added, {len(numbers) - added:,} already on the list"
    show(Result({"added": added, "unchanged": len(numbers) - added}, text))


def remove(*numbers: str, region: str | None = None, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Remove numbers. Recipients who were left out of a campaign before stay left out.

    Args:
        numbers: Phone numbers.
        region: Country of national numbers, e.g. NG (extra: phone).
        journal: Journal file or URL.
    """
    removed = with_journal(journal, lambda opened: opened.suppress_list.remove(*numbers, region=region))
    text = f"{quantity(removed, 'number')} removed, {len(numbers) - removed:,} not on the list"
    show(Result({"removed": removed, "unchanged": len(numbers) - removed}, text))


def list_numbers(*, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """List the numbers, and who added them when."""
    columns = ("number", "added", "author")
    rows = [
        {
            "number": entry.number,
            "added": f"{datetime.fromtimestamp(entry.at).astimezone():%Y-%m-%d %H:%M:%S %z}",
            "author": entry.author,
        }
        for entry in with_journal(journal, lambda opened: opened.suppress_list.read())
    ]
    show(Result(rows, columns=columns))
