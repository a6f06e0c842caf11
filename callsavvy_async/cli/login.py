"""``callsavvy login``, ``logout`` and ``profiles``: the keys of accounts, stored for this user of this machine."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from callsavvy_async.cli.access import Access, keys_in_environment, no_profile, profile_name
from callsavvy_async.cli.activity import show
from callsavvy_async.cli.client import client_of, read
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.profiles import Profile, ProfileStore
from callsavvy_async.cli.stderr import can_ask, tell
from callsavvy_async.config import BASE_URL, Credentials
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.redaction import mask_key

_COLUMNS = ("name", "key", "server", "private_key")


def login(
    *,
    public_key: str | None = None,
    private_key_file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    base_url: Annotated[str, Parameter(env_var="CALLSAVVY_BASE_URL")] = BASE_URL,
) -> None:
    """Check the keys of an account with one free request, and store them in a profile.

    The private key goes into the system's keyring if the package keyring is installed and finds one, else into a file that
    only you can read. --profile names the profile (default: "default"); every command takes it.

    Args:
        public_key: The public key (default: asked for).
        private_key_file: File with the private key, or "-" for standard input (default: asked for, without echo).
        base_url: Server that the keys are for.
    """
    name, store = profile_name(), ProfileStore()
    store.path_of(name)  # refuse an invalid name before asking
    access = Access(_credentials(public_key, private_key_file), base_url.rstrip("/"), f'profile "{name}"')
    with_keys = client_of(access, max_retries=0)
    read(lambda callsavvy: callsavvy.account.summary(), with_keys)
    show(Result(_row(store.save(name, access.credentials, access.base_url))))
    if variables := keys_in_environment():
        tell(f"callsavvy: {variables[0]} is set, and precedes profiles unless --profile is given; unset it.")


def logout() -> None:
    """Remove a profile and its private key from this machine. --profile names it (default: "default")."""
    name, store = profile_name(), ProfileStore()
    if not store.path_of(name).exists():
        raise no_profile(name, store)
    if not store.remove(name):
        tell(f'callsavvy: remove the entry "{name}" of callsavvy-async from the system\'s keyring yourself.')
    show(Result({"removed": name}))


def profiles() -> None:
    """List the profiles that login stored."""
    store = ProfileStore()
    found = filter(None, map(store.find, store.names()))
    show(Result([_row(profile) for profile in found], columns=_COLUMNS))


def _row(profile: Profile) -> dict[str, object]:
    place = "keyring" if profile.private_key is None else "file"
    return dict(zip(_COLUMNS, (profile.name, mask_key(profile.public_key), profile.base_url, place), strict=True))


def _credentials(public_key: str | None, private_key_file: str | None) -> Credentials:
    """Return the keys that were given, and ask for the others.

    Raises:
        InvalidRequestError: A key is missing, or both are the same.
        OSError: The file cannot be read.
    """
    if (public_key is None or private_key_file is None) and not can_ask():
        raise InvalidRequestError("there is no terminal to ask for keys; give --public-key and --private-key-file.")
    public = public_key if public_key is not None else _ask_public_key()
    credentials = Credentials(public.strip(), _private_key(private_key_file))
    if credentials.public_key == credentials.private_key:
        raise InvalidRequestError("both keys are the same; copy each from the dashboard.")
    return credentials


def _ask_public_key() -> str:
    print("Public key: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def _private_key(file: str | None) -> str:
    try:
        if file is None:
            return getpass.getpass("Private key (not shown): ").strip()
        return (sys.stdin.read() if file == "-" else Path(file).read_text("utf-8", "replace")).strip()
    except EOFError:
        return ""
