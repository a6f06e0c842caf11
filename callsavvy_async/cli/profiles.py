"""Profiles: the keys and the server of an account, as ``callsavvy login`` stores them for one user of this machine.

Each profile is a JSON file that only its owner can read, in the user's folder for settings (XDG Base Directory
Specification). The private key is in the system's keyring if there is one, else in the file.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from pathlib import Path
from typing import TypedDict, cast

import attrs

from callsavvy_async.cli import system_keyring
from callsavvy_async.config import Credentials
from callsavvy_async.errors import ConfigurationError
from callsavvy_async.redaction import MASK
from callsavvy_async.tracebacks import private_arguments

DEFAULT_PROFILE = "default"
"""Name of the profile that is used if none is chosen."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FOR_OTHERS = 0o077
"""Permissions of the group and of others."""


def _masked(_: object) -> str:
    return MASK


class ProfileFields(TypedDict):
    """The content of a profile's file; `Profile` describes it."""

    base_url: str
    public_key: str
    private_key: str | None


@private_arguments
@attrs.frozen(kw_only=True)
class Profile:
    """The keys of one account, and the server that they are for.

    Attributes:
        name: Name that the user gave.
        base_url: URL of the API.
        public_key: The public key.
        private_key: The private key; None if the keyring has it.
    """

    name: str
    base_url: str
    public_key: str = attrs.field(repr=_masked)
    private_key: str | None = attrs.field(repr=_masked)

    def credentials(self) -> Credentials:
        """Return the keys.

        Raises:
            ConfigurationError: The keyring cannot be read, or a key is invalid.
        """
        private_key = system_keyring.recall(self.name) if self.private_key is None else self.private_key
        return Credentials(self.public_key, private_key)


@private_arguments
@attrs.frozen
class ProfileStore:
    """The profiles of the user.

    Attributes:
        folder: Folder of the files.
    """

    folder: Path = attrs.field(factory=lambda: settings_folder() / "profiles")

    def save(self, name: str, credentials: Credentials, base_url: str) -> Profile:
        """Store a profile in place of the one of the same name.

        Raises:
            OSError: The file cannot be written.
        """
        kept = system_keyring.keep(name, credentials.private_key)
        fields: ProfileFields = {
            "base_url": base_url,
            "public_key": credentials.public_key,
            "private_key": None if kept else credentials.private_key,
        }
        _write_private(self.path_of(name), json.dumps(fields, indent=2).encode() + b"\n")
        return Profile(name=name, **fields)

    def find(self, name: str) -> Profile | None:
        """Read a profile; None if there is none of this name.

        Raises:
            ConfigurationError: The name is invalid, the file is damaged, or other users can read it.
            OSError: The file cannot be read.
        """
        path = self.path_of(name)
        try:
            content = _read_private(path)
        except FileNotFoundError:
            return None
        fields = _fields(content)
        if fields is None:
            raise ConfigurationError(f"{path} is damaged; run callsavvy login --profile {name} again.")
        return Profile(name=name, **fields)

    def remove(self, name: str) -> bool:
        """Remove a profile and its private key; return False if the keyring still has the key.

        Raises:
            ConfigurationError: The name is invalid.
            OSError: The file cannot be removed.
        """
        path = self.path_of(name)
        fields = _fields(path.read_bytes())
        path.unlink()
        in_keyring = fields is not None and fields["private_key"] is None
        return system_keyring.forget(name) if in_keyring else True

    def names(self) -> list[str]:
        """Return the names of all profiles."""
        return sorted(path.stem for path in self.folder.glob("*.json") if _NAME.fullmatch(path.stem))

    def path_of(self, name: str) -> Path:
        """Return the file of a profile.

        Raises:
            ConfigurationError: The name is invalid.
        """
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f'the profile\'s name is "{name}"; it must begin with a letter or digit, and consist of at most 64'
                " letters, digits, dots, dashes and underscores."
            )
        return self.folder / f"{name}.json"


def settings_folder() -> Path:
    """Return the user's folder for settings (XDG Base Directory Specification)."""
    if sys.platform == "win32":  # pragma: no cover
        folder, default = os.environ.get("APPDATA"), Path.home() / "AppData" / "Roaming"
    else:
        folder, default = os.environ.get("XDG_CONFIG_HOME"), Path.home() / ".config"
    return (Path(folder) if folder else default) / "callsavvy-async"


def _fields(content: bytes) -> ProfileFields | None:
    """Return the fields of a profile; None if the file is damaged. No error is chained to one that holds the content."""
    try:
        found: object = json.loads(content)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    match cast("dict[str, object]", found):
        case {"base_url": str(url), "public_key": str(public), "private_key": (str() | None) as private}:
            return {"base_url": url, "public_key": public, "private_key": private}
        case _:
            return None


def _write_private(path: Path, content: bytes) -> None:
    """Write a file for its owner only, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _read_private(path: Path) -> bytes:
    """Read a file that only its owner can read.

    Raises:
        ConfigurationError: Other users can read it.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
        if mode & _FOR_OTHERS and sys.platform != "win32":
            raise ConfigurationError(
                f"{path} has the permissions {mode:o}, so other users may have read the private key; run chmod 600 on it,"
                " and make new keys in the dashboard if this machine has other users."
            )
        return file.read()
