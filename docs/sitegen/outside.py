"""What a built page asks of other hosts when it is read: nothing. `python docs/sitegen/outside.py build/site` checks it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
}
_HARMLESS_LINKS = {"canonical", "next", "prev", "alternate", "license"}
_ELSEWHERE = re.compile(r"^(https?:)?//")
_IN_STYLES = re.compile(r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^)\"']+)")


class _Page(HTMLParser):
    """Collects what the browser loads by itself, from other hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag."""
        values = {name: value or "" for name, value in attrs}
        target = values.get(_LOADING.get(tag, ""), "")
        if tag == "link" and values.get("rel") not in _HARMLESS_LINKS:
            target = values.get("href", "")
        if _ELSEWHERE.match(target):
            self.found.append(target)
        if "mermaid" in values.get("class", "").split():
            self.found.append("mermaid, whose script the theme loads from another host")
        self.found += _IN_STYLES.findall(values.get("style", ""))


def requests(site: Path) -> Iterator[tuple[str, str]]:
    """Yield the file and the target of each request to another host."""
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        text = path.read_text("utf-8")
        page = _Page()
        if path.suffix == ".html":
            page.feed(text)
        yield from ((path.name, target) for target in page.found)
        yield from ((path.name, target) for target in _IN_STYLES.findall(text if path.suffix == ".css" else ""))


if __name__ == "__main__":
    asked = [f"{name} asks {target}" for name, target in requests(Path(sys.argv[1]))]
    sys.exit("\n".join(asked) or None)
