"""``callsavvy suppress``: numbers that no campaign of a journal is sent to."""

from __future__ import annotations

from datetime import datetime

from cyclopts import App

from callsavvy_async.cli.journals import DEFAULT_JOURNAL, is_missing, with_journal
from callsavvy_async.cli.options import JournalName
from callsavvy_async.wording import quantity

_commands = App(
    name="suppress",
    help=(
        "Numbers that no campaign of a journal is sent to.\n\n"
        "A change holds from the next request that any process claims, also while campaigns run. Reports list these"
        " recipients as skipped: suppressed."
    ),
)


def register(app: App) -> None:
    """Add the commands."""
    app.command(_commands)


@_commands.command
def add(*numbers: str, region: str | None = None, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Add numbers.

    Args:
        numbers: Phone numbers.
        region: Country of national numbers, e.g. NG (extra: phone).
        journal: Journal file or URL.
    """
    read_only = not is_missing(journal)  # a journal that does not exist yet is created
    added = with_journal(journal, lambda opened: opened.suppress_list.add(*numbers, region=region), read_only=read_only)
    print(f"{quantity(added, 'number')} added, {len(numbers) - added:,} already on the list")


@_commands.command
def remove(*numbers: str, region: str | None = None, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Remove numbers. Recipients who were left out of a campaign before stay left out.

    Args:
        numbers: Phone numbers.
        region: Country of national numbers, e.g. NG (extra: phone).
        journal: Journal file or URL.
    """
    removed = with_journal(journal, lambda opened: opened.suppress_list.remove(*numbers, region=region))
    print(f"{quantity(removed, 'number')} removed, {len(numbers) - removed:,} not on the list")


@_commands.command(name="list")
def list_numbers(*, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """List the numbers, and who added them when."""
    for entry in with_journal(journal, lambda opened: opened.suppress_list.read()):
        print(f"{entry.number} {datetime.fromtimestamp(entry.at).astimezone():%Y-%m-%d %H:%M:%S %z} {entry.author}")
