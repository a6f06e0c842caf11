"""The private keys of profiles in the system's keyring, if the package ``keyring`` is installed and finds a usable one."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from callsavvy_async.errors import ConfigurationError

_SERVICE = "callsavvy-async"
_RECOMMENDED = 1
"""Lowest priority of a backend that keeps secrets (keyring: "Keyring backends"). Those that store nothing have 0 or less."""


class SystemKeyring(Protocol):
    """The part of a backend of the package ``keyring`` that profiles need."""

    priority: float

    def get_password(self, service: str, username: str) -> str | None:
        """Return a secret, or None."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store a secret."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Remove a secret."""
        ...


def keep(profile: str, secret: str) -> bool:
    """Store a secret; return False if the keyring does not take it."""
    backend = _backend()
    if backend is None:
        return False
    try:
        backend.set_password(_SERVICE, profile, secret)
    except Exception:  # noqa: BLE001 - backends raise errors of their own; the text may hold the secret
        return False
    return True


def recall(profile: str) -> str:
    """Return the secret of a profile.

    Raises:
        ConfigurationError: The keyring cannot be read, or lacks the secret.
    """
    backend, secret, why = _backend(), None, "has no entry for it"
    if backend is None:
        why = "cannot be used here"
    else:
        try:
            secret = backend.get_password(_SERVICE, profile)
        except Exception as error:  # noqa: BLE001 - as above
            why = f"cannot be read ({type(error).__name__})"
    if not secret:
        raise ConfigurationError(
            f'profile "{profile}" keeps its private key in the system\'s keyring, which {why}; unlock the keyring, or'
            f" run callsavvy login --profile {profile} again."
        )
    return secret


def forget(profile: str) -> bool:
    """Remove the secret of a profile; return False if the keyring does not do it."""
    backend = _backend()
    if backend is None:
        return False
    try:
        backend.delete_password(_SERVICE, profile)
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def _backend() -> SystemKeyring | None:
    """Return the system's keyring; None if the package is missing or has only backends that keep no secrets."""
    try:
        backend = cast("SystemKeyring", importlib.import_module("keyring").get_keyring())
        usable = backend.priority >= _RECOMMENDED
    except Exception:  # noqa: BLE001 - the package is optional, and a backend may fail to load
        return None
    return backend if usable else None
