"""Refuse unknown names, and suggest the closest known one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from callsavvy_async.errors import ConfigurationError


def refuse_unknown(given: Iterable[str], known: Collection[str], *, kind: str, where: str) -> None:
    """Refuse unknown names.

    Args:
        given: the given names.
        known: the known names.
        kind: kind of the names, such as ``"option"``.
        where: owner of the names, such as ``"a bulk send"``.

    Raises:
        ConfigurationError: a name is unknown. The error lists the known names.
    """
    for name in given:
        if name not in known:
            raise ConfigurationError(
                f"{where} has no {kind} {name!r}.{did_you_mean(name, known)} It has: {', '.join(sorted(known))}."
            )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" with the closest known name, or "" if none is close."""
    import difflib  # noqa: PLC0415 - rarely needed

    by_lower = {word.lower(): word for word in known}
    alike = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" Did you mean {by_lower[alike[0]]!r}?" if alike else ""
