"""The secret segment of a callback URL. It alone authenticates Callsavvy, because events are not signed."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.redaction import MASK
from callsavvy_async.wording import quantity

_SEGMENT = re.compile(r"[A-Za-z0-9_~.-]{20,200}")


def new_secret() -> str:
    """Return a random URL-safe secret of 256 bits."""
    return secrets.token_urlsafe(32)


class SecretSet:
    """The valid secrets: several while one replaces another.

    A guess is compared by digest and with all secrets. The time therefore reveals neither the length of a matching
    prefix nor the matching secret.
    """

    def __init__(self, secrets: Sequence[str], *, insecure: bool = False) -> None:
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given and not insecure:
            raise ConfigurationError(
                "secrets is empty, so anybody could post events; pass secrets=[...] made by"
                " `callsavvy webhooks secret`, or insecure=True if another layer authenticates the requests."
            )
        for number, secret in enumerate(given, start=1):
            if not _SEGMENT.fullmatch(secret):
                raise ConfigurationError(
                    f"secret {number} of {len(given)} (not shown) must have 20 to 200 characters of A-Z a-z 0-9 _ ~ . -,"
                    " because it is a segment of a URL; make one with `callsavvy webhooks secret`."
                )
        self._texts = tuple(given)
        self._digests = tuple(_digest(secret) for secret in given)

    def __repr__(self) -> str:
        return f"<{quantity(len(self._texts), 'secret')}>"

    def admit(self, token: str) -> bool:
        """Return True if a path segment is one of the secrets, or if the set is empty."""
        guess = _digest(token)
        matches = [hmac.compare_digest(guess, digest) for digest in self._digests]
        return any(matches) or not matches

    def mask(self, text: str) -> str:
        """Replace every secret in a text."""
        for secret in self._texts:
            text = text.replace(secret, MASK)
        return text


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
