"""Names that users give: one that is not known is refused, and the closest known one is suggested."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from callsavvy_async.errors import ConfigurationError


def refuse_unknown(given: Iterable[str], known: Collection[str], *, kind: str, where: str) -> None:
    """Refuse names that are not known.

    Args:
        given: the names.
        known: those that there are.
        kind: what they name: ``"option"``.
        where: who takes them: ``"a bulk send"``.

    Raises:
        ConfigurationError: naming the first unknown one, the closest known one and all that there are.
    """
    for name in given:
        if name not in known:
            raise ConfigurationError(
                f"{where} has no {kind} {name!r}.{did_you_mean(name, known)} It has: {', '.join(sorted(known))}."
            )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" with the known name that is most alike; nothing when none is."""
    import difflib  # noqa: PLC0415 - only after a mistake

    by_lower = {word.lower(): word for word in known}
    alike = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" Did you mean {by_lower[alike[0]]!r}?" if alike else ""
