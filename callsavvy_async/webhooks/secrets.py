"""The secret segment of a callback URL: all that tells Callsavvy from a stranger (quirk Q51)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.redaction import MASK

_SEGMENT = re.compile(r"[A-Za-z0-9_~.-]{20,200}")


def new_secret() -> str:
    """Draw a secret of 256 bits, fit for a URL."""
    return secrets.token_urlsafe(32)


class SecretSet:
    """The secrets that are valid now; several while one replaces another.

    Digests are compared rather than texts, so that they are of one length; all of them, and none stops the comparison:
    the time tells neither how much of a guess was right nor which secret it was like.
    """

    def __init__(self, secrets: Sequence[str], *, insecure: bool = False) -> None:
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given and not insecure:
            raise ConfigurationError(
                "no secret is given, so anybody could post events; pass secrets=[...] made by"
                " `callsavvy webhooks secret`, or insecure=True if something else keeps strangers out."
            )
        for number, secret in enumerate(given, start=1):
            if not _SEGMENT.fullmatch(secret):
                raise ConfigurationError(
                    f"secret {number} of {len(given)} (not shown) must have 20 to 200 characters of A-Z a-z 0-9 _ ~ . -,"
                    " because it is a segment of a URL; make one by `callsavvy webhooks secret`."
                )
        self._texts = tuple(given)
        self._digests = tuple(_digest(secret) for secret in given)

    def __repr__(self) -> str:
        return f"<{len(self._texts)} secrets>"

    def admit(self, token: str) -> bool:
        """Tell whether a path segment is one of the secrets; any is where there are none."""
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
