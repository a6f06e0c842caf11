"""Read what a server says about its limit: `RateLimit`, `RateLimit-Policy` (IETF draft) and the `X-RateLimit-*` family.

Nothing in a header is believed that cannot be true. Dialects disagree about units: a reset is seconds from now, or an
epoch in seconds, or an epoch in milliseconds; each is recognised by its size, since no two of them overlap. A malformed
field is ignored (draft-ietf-httpapi-ratelimit-headers section 5), and what is left is only ever used to go slower.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import attrs

LONGEST_RESET = 86_400.0
"""Seconds: a limit that resets later than a day from now is taken for a mistake."""

LIMIT_FIELDS = frozenset(
    f"{prefix}{part}".encode()
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit")
    for part in ("", "-policy", "-remaining", "-reset")
)
"""Header fields that are read here; an answer without them says nothing of a limit."""

_EPOCH = 1_000_000_000.0
_MEMBER = re.compile(r"""(?P<name>"[^"]*"|[A-Za-z*][\w.*/:-]*)(?P<parameters>(?:\s*;\s*[a-z*][\w.*-]*=[^;,\s]+)*)""")
_PARAMETER = re.compile(r"([a-z*][\w.*-]*)=([^;,\s]+)")
_NUMBER = re.compile(r"\s*(\d{1,16}(?:\.\d{1,9})?)\s*(?:[,;].*)?")


@attrs.frozen
class RateLimitHints:
    """What is left of a limit: `remaining` requests until `reset` seconds from now."""

    remaining: int
    reset: float


def parse_hints(headers: Mapping[str, str], *, epoch_now: float) -> RateLimitHints | None:
    """Return the tightest plausible hint in `headers` (names in lower case), or None.

    Args:
        headers: one answer's header fields.
        epoch_now: the wall clock in seconds since 1970, for resets that are told as a date.
    """
    hints = _from_draft(headers.get("ratelimit", ""), headers.get("ratelimit-policy", ""))
    for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-"):
        remaining = _number(headers.get(prefix + "remaining"))
        reset = _seconds(_number(headers.get(prefix + "reset")), epoch_now=epoch_now)
        if remaining is not None and reset is not None:
            hints.append(RateLimitHints(int(remaining), reset))
    return min(hints, key=lambda hint: (hint.remaining / hint.reset, -hint.reset), default=None)


def parse_policies(field: str) -> frozenset[str]:
    """Return what tells the policies of a `RateLimit-Policy` apart: their names, with their partition keys if any."""
    return frozenset(f"{name} {parameters.get('pk', '')}".strip() for name, parameters in _members(field))


def _from_draft(field: str, policy: str) -> list[RateLimitHints]:
    """Read `RateLimit: "name";r=50;t=30`; a missing `t` is the `w` of the policy of that name."""
    windows = {name: parameters.get("w") for name, parameters in _members(policy)}
    hints: list[RateLimitHints] = []
    for name, parameters in _members(field):
        remaining = _number(parameters.get("r"))
        reset = _number(parameters.get("t") or windows.get(name))
        if remaining is not None and reset is not None and 0.0 < reset <= LONGEST_RESET:
            hints.append(RateLimitHints(int(remaining), reset))
    return hints


def _members(field: str) -> list[tuple[str, dict[str, str]]]:
    return [
        (member["name"].strip('"'), dict(_PARAMETER.findall(member["parameters"])))
        for member in _MEMBER.finditer(field)
        if member["parameters"]
    ]


def _number(text: str | None) -> float | None:
    found = _NUMBER.fullmatch(text) if text else None
    return None if found is None else float(found[1])


def _seconds(reset: float | None, *, epoch_now: float) -> float | None:
    """Return a reset as seconds from now; None where no reading of it is plausible."""
    if reset is None:
        return None
    if reset >= _EPOCH * 1000.0:
        reset /= 1000.0
    if reset >= _EPOCH:
        reset -= epoch_now
    return reset if math.isfinite(reset) and 0.0 < reset <= LONGEST_RESET else None
