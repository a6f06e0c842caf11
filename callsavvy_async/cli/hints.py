"""The commands that other commands propose. Each works when it is pasted into the shell that the other one ran in."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from urllib.parse import urlsplit

from callsavvy_async.cli.access import chosen_profile
from callsavvy_async.cli.client import chosen_proxy
from callsavvy_async.cli.journals import is_url, shown

_SENDING = frozenset({"campaigns resume", "campaigns work"})
"""Commands that need an account and the API, beside the journal."""


def hint(words: str, *arguments: str, journal: str) -> str:
    """Return a command for a journal, with the journal, the profile and the proxy of the running command.

    A password is left out, so it has to be in the environment.

    Args:
        words: Words of the command, e.g. "campaigns resume".
        *arguments: Its arguments and further options.
        journal: Journal, as the running command got it.
    """
    options = [*_journal(journal), *(_account() if words in _SENDING else ())]
    return f"callsavvy {words} {shlex.join([*arguments, *options])}"


def _journal(journal: str) -> Iterator[str]:
    if journal and journal != os.environ.get("CALLSAVVY_JOURNAL"):
        yield "--journal"
        yield journal if is_url(journal) and shown(journal) == journal else shown(journal)


def _account() -> Iterator[str]:
    profile, proxy = chosen_profile.get(), chosen_proxy.get()
    if profile is not None:
        yield from ("--profile", profile)
    if proxy is not None and proxy != os.environ.get("CALLSAVVY_PROXY") and "@" not in urlsplit(proxy).netloc:
        yield from ("--proxy", proxy)
