"""The result of one check."""

from __future__ import annotations

import enum
import re

import attrs


class CheckVerdict(enum.StrEnum):
    """What a check says about its subject."""

    OK = "ok"
    WARNING = "warning"
    """Commands work, but something deserves attention."""
    WRONG = "wrong"
    NOT_CHECKED = "not checked"
    """It is not used, or another fault hides it."""


@attrs.frozen
class Finding:
    """The result of one check.

    Attributes:
        check: Name of the check.
        verdict: The verdict.
        finding: What was found, without secrets.
        fix: What to do; None if nothing.
    """

    check: str
    verdict: CheckVerdict
    finding: str
    fix: str | None = None


def ok(check: str, finding: str) -> Finding:
    """Return a finding without a fault."""
    return Finding(check, CheckVerdict.OK, finding)


def warning(check: str, finding: str, fix: str) -> Finding:
    """Return a finding that deserves attention."""
    return Finding(check, CheckVerdict.WARNING, finding, fix)


def wrong(check: str, finding: str, fix: str) -> Finding:
    """Return a fault."""
    return Finding(check, CheckVerdict.WRONG, finding, fix)


def wrong_as_error(check: str, error: Exception, fix: str = "") -> Finding:
    """Return the fault that an error of the SDK describes.

    Args:
        check: Name of the check.
        error: The error. In its text, the fix follows the fault, mostly after a semicolon.
        fix: Fix to use instead, or if the error names none.
    """
    what, *advice = re.split(r"[;.] ", str(error), maxsplit=1)
    return wrong(check, what, fix or "".join(advice))


def not_checked(check: str, why: str) -> Finding:
    """Return a check that was left out."""
    return Finding(check, CheckVerdict.NOT_CHECKED, why)
