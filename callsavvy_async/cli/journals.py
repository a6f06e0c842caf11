"""Journals as the command line names them: a file or a URL, by default a file in the user's state folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import anyio

from callsavvy_async.campaigns import Journal
from callsavvy_async.campaigns.journal.witness import state_folder
from callsavvy_async.errors import InvalidRequestError

T = TypeVar("T")

DEFAULT_JOURNAL = ""
"""Stands for `default_file`, which depends on the environment."""


def default_file() -> Path:
    """Return the file of the default journal."""
    return state_folder() / "campaigns.db"


def place_of(journal: str) -> str:
    """Return the file or URL of a journal."""
    return journal or str(default_file())


def url_of(journal: str) -> str:
    """Return the URL of a journal. Creates the folder of the default one."""
    if not journal:
        default_file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return journal if is_url(journal) else f"sqlite:///{place_of(journal)}"


def is_url(journal: str) -> bool:
    """True for a URL, False for a file."""
    return "://" in journal


def is_missing(journal: str) -> bool:
    """True for a file that does not exist. Opening it for writing would create it."""
    return not (is_url(journal) or Path(place_of(journal)).exists())


def shown(journal: str) -> str:
    """Return the place of a journal without user, password and parameters."""
    if not is_url(journal):
        return str(Path(place_of(journal)).absolute())
    url = urlsplit(journal)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"


def journal_and_name(where: Sequence[str], journal: str) -> tuple[str, str]:
    """Split ``[URL] NAME`` into the journal (default: `journal`) and the campaign's name.

    Raises:
        InvalidRequestError: `where` has not one or two words.
    """
    match where:
        case [name]:
            return journal, name
        case [place, name]:
            return place, name
        case _:
            raise InvalidRequestError(
                f"{len(where)} arguments; give the campaign's name, or the journal and the name: URL NAME."
            )


def with_journal(journal: str, do: Callable[[Journal], Awaitable[T]], *, read_only: bool = True) -> T:
    """Open a journal, and run `do` with it. Reading works while another process writes."""

    async def opened_journal() -> T:
        async with Journal.open(url_of(journal), read_only=read_only, patience=0) as opened:
            return await do(opened)

    return anyio.run(opened_journal)
