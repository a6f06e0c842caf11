"""``callsavvy keys``: list and settle the unknown outcomes of requests with ``key=``."""

from __future__ import annotations

from callsavvy_async.cli.activity import show
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, is_missing, with_journal
from callsavvy_async.cli.options import JournalName
from callsavvy_async.cli.output import Result


def unknown(*, journal: JournalName = DEFAULT_JOURNAL) -> ExitCode:
    """List the keys whose request is unknown: perhaps done, perhaps charged. Nothing is sent under them."""
    found = with_journal(journal, lambda opened: opened.keys.unknown())
    columns = ("key", "resource", "began", "account", "detail", "request_id")
    rows = [
        {**{name: getattr(key, name) for name in columns}, "began": f"{key.began:%Y-%m-%d %H:%M:%S}Z"} for key in found
    ]
    show(Result(rows, columns=columns))
    return ExitCode.UNKNOWN if found else ExitCode.DONE


def resolve(key: str, /, *, sent: bool, account: str | None = None, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Declare the unknown request of a key sent or not sent.

    Args:
        key: The key, as `keys unknown` shows it.
        sent: Whether it was sent. After --no-sent, the program's next request with the key is sent.
        account: Account of the key, as `keys unknown` shows it, if several accounts have it.
        journal: Journal file or URL.
    """
    with_journal(
        journal,
        lambda opened: opened.keys.resolve(key, as_sent=sent, account=account),
        read_only=is_missing(journal),
    )


def trust(*, journal: JournalName = DEFAULT_JOURNAL) -> None:
    """Allow new keys in a journal that was restored from a copy, or that moved to another server.

    Check first what was sent since the copy was made: its keys may be missing, and would be sent again.
    """
    with_journal(journal, lambda opened: opened.keys.trust_copy(), read_only=is_missing(journal))
