"""Links of documents, which hold in the repository, rewritten so that they hold in the site too."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES: Mapping[str, str] = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "explanation/security.md",
    "benchmarks/README.md": "benchmarks/index.md",
    "benchmarks/limiter/README.md": "benchmarks/limiter.md",
    "benchmarks/limiter/RACE.md": "benchmarks/limiter-race.md",
    "benchmarks/limiter/SHARED.md": "benchmarks/limiter-shared.md",
    "benchmarks/speed/README.md": "benchmarks/speed.md",
}
"""Where documents from outside docs/ stand in the site."""

_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


def rewritten(text: str, *, document: str, picture: Callable[[str], None] = lambda _: None) -> str:
    """Return a document with the links of the site.

    Args:
        text: The document.
        document: Its path in the repository.
        picture: Called with the path of each picture from outside docs/; the site takes it under the same path.
    """
    parts = _FENCED.split(text)  # code stands at odd positions
    for at in range(0, len(parts), 2):
        parts[at] = _LINK.sub(lambda found: _rewrite(found, document, picture), parts[at])
    return "".join(parts)


def place_of(document: str) -> str:
    """Return where a document or a picture stands in the site."""
    return PLACES.get(document, document.removeprefix("docs/"))


def _rewrite(found: re.Match[str], document: str, picture: Callable[[str], None]) -> str:
    path, _, anchor = found["target"].partition("#")
    if not path or ":" in path:
        return found[0]
    target = posixpath.normpath(posixpath.join(posixpath.dirname(document), path))
    if found["picture"] and not target.startswith("docs/"):
        picture(target)
    elif target not in PLACES and not target.startswith("docs/"):
        return (
            f"`{target}`" if (ROOT / target).exists() else found[0]
        )  # no page of the site; the repository has no address
    elif document not in PLACES and target.startswith("docs/"):
        return found[0]
    there = posixpath.relpath(place_of(target), posixpath.dirname(place_of(document)) or ".")
    return f"{found['picture']}[{found['text']}]({there}{'#' if anchor else ''}{anchor})"
