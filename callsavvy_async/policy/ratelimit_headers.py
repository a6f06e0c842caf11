"""Parse rate-limit headers: `RateLimit`, `RateLimit-Policy` (IETF draft) and the `X-RateLimit-*` family.

Implausible values are ignored, and so are malformed fields (draft-ietf-httpapi-ratelimit-headers, section 5). Dialects
differ in the unit of a reset: seconds from now, seconds since 1970, or milliseconds since 1970. The ranges do not
overlap, so the size of the number tells the unit. The hints only ever slow a client down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import attrs

LONGEST_RESET = 86_400.0
"""Maximum plausible seconds until a reset: one day."""

LIMIT_FIELDS = frozenset(
    f"{prefix}{part}".encode()
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit")
    for part in ("", "-policy", "-remaining", "-reset")
)
"""Names of the header fields that this module reads."""

_EPOCH = 1_000_000_000.0
_MEMBER = re.compile(r"""(?P<name>"[^"]*"|[A-Za-z*][\w.*/:-]*)(?P<parameters>(?:\s*;\s*[a-z*][\w.*-]*=[^;,\s]+)*)""")
_PARAMETER = re.compile(r"([a-z*][\w.*-]*)=([^;,\s]+)")
_NUMBER = re.compile(r"\s*(\d{1,16}(?:\.\d{1,9})?)\s*(?:[,;].*)?")


@attrs.frozen
class RateLimitHints:
    """The rest of a limit: `remaining` requests for the next `reset` seconds.

    Attributes:
        remaining: Requests that are left.
        reset: Seconds until the limit starts anew.
    """

    remaining: int
    reset: float


def parse_hints(headers: Mapping[str, str], *, epoch_now: float) -> RateLimitHints | None:
    """Return the tightest plausible hint in `headers` (names in lower case), or None.

    Args:
        headers: Header fields of one response.
        epoch_now: Wall-clock seconds since 1970, for resets in the form of a date.
    """
    hints = _from_draft(headers.get("ratelimit", ""), headers.get("ratelimit-policy", ""))
    for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-"):
        remaining = _number(headers.get(prefix + "remaining"))
        reset = _seconds(_number(headers.get(prefix + "reset")), epoch_now=epoch_now)
        if remaining is not None and reset is not None:
            hints.append(RateLimitHints(int(remaining), reset))
    return min(hints, key=lambda hint: (hint.remaining / hint.reset, -hint.reset), default=None)


def parse_policies(field: str) -> frozenset[str]:
    """Return the names of the policies in a `RateLimit-Policy`, each with its partition key if it has one."""
    return frozenset(f"{name} {parameters.get('pk', '')}".strip() for name, parameters in _members(field))


def _from_draft(field: str, policy: str) -> list[RateLimitHints]:
    """Parse `RateLimit: "name";r=50;t=30`. A missing `t` is the `w` of the policy of that name."""
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
    """Return a reset in seconds from now; None if it is implausible in every unit."""
    if reset is None:
        return None
    if reset >= _EPOCH * 1000.0:
        reset /= 1000.0
    if reset >= _EPOCH:
        reset -= epoch_now
    return reset if math.isfinite(reset) and 0.0 < reset <= LONGEST_RESET else None
