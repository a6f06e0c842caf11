"""The account of a command: its keys and its server, always from one place.

In this order: the profile of ``--profile``; the environment, which names either keys or a profile (CALLSAVVY_PROFILE); the
profile "default". Keys of one place are never combined with the server of another one, because a rehearsal might then be
sent and charged.
"""

from __future__ import annotations

import os
from contextvars import ContextVar

import attrs

from callsavvy_async.cli.profiles import DEFAULT_PROFILE, ProfileStore
from callsavvy_async.config import Credentials, read_environment
from callsavvy_async.errors import ConfigurationError

chosen_profile: ContextVar[str | None] = ContextVar("callsavvy_profile", default=None)
"""Value of --profile in the running command."""

_KEYS = ("CALLSAVVY_PUBLIC_KEY", "CALLSAVVY_PRIVATE_KEY")


@attrs.frozen
class Access:
    """What a command needs to reach an account.

    Attributes:
        credentials: The keys.
        base_url: URL of the API.
        source: Where they come from, in words.
    """

    credentials: Credentials
    base_url: str
    source: str


def profile_name() -> str:
    """Return the name of the profile that ``login`` and ``logout`` work on."""
    chosen = chosen_profile.get()
    return chosen if chosen is not None else os.environ.get("CALLSAVVY_PROFILE") or DEFAULT_PROFILE


def keys_in_environment() -> list[str]:
    """Return the variables that hold keys."""
    return [name for name in _KEYS if os.environ.get(name)]


def find_access() -> Access:
    """Return the keys and the server of the running command.

    Raises:
        ConfigurationError: There are no keys, they are incomplete, or two places contradict each other.
        OSError: The profile cannot be read.
    """
    if chosen_profile.get() is None and (variables := keys_in_environment()):
        if os.environ.get("CALLSAVVY_PROFILE"):
            raise ConfigurationError(
                f"CALLSAVVY_PROFILE and {variables[0]} are both set, and may name two accounts; unset one of them, or give"
                " --profile."
            )
        return Access(*read_environment(), "the environment")
    return _from_profile(profile_name())


def _from_profile(name: str) -> Access:
    store = ProfileStore()
    profile = store.find(name)
    if profile is None:
        raise no_profile(name, store)
    server = (os.environ.get("CALLSAVVY_BASE_URL") or profile.base_url).rstrip("/")
    if server != profile.base_url:
        raise ConfigurationError(
            f'CALLSAVVY_BASE_URL is {server}, but profile "{name}" is for {profile.base_url}; unset the variable, or set'
            f" {' and '.join(_KEYS)} too."
        )
    return Access(profile.credentials(), profile.base_url, f'profile "{name}"')


def no_profile(name: str, store: ProfileStore) -> ConfigurationError:
    """Return the error for a profile that does not exist."""
    names = ", ".join(store.names())
    if name == DEFAULT_PROFILE and chosen_profile.get() is None:
        or_choose = f" give --profile (there are {names})," if names else ""
        return ConfigurationError(
            f"there are no keys; run callsavvy login,{or_choose} or set {' and '.join(_KEYS)} (dashboard,"
            " Settings -> API & Integration)."
        )
    there_are = f" there are {names};" if names else ""
    return ConfigurationError(f'there is no profile "{name}";{there_are} callsavvy login --profile {name} stores one.')
