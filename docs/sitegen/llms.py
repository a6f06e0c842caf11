"""`llms.txt`, an index of the site for language models, and `llms-full.txt`, the pages that a user of the package needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

MOST_TOKENS = 30_000
_CHARACTERS_PER_TOKEN = 4
_INTRODUCTION = (
    "# callsavvy-async\n\n> An unofficial async Python SDK for the Callsavvy API: SMS, WhatsApp, robocalls, tickets, contacts."
    " It never bills twice, and it reports an unknown outcome instead of guessing.\n"
)


def index(sections: Iterable[tuple[str, Sequence[tuple[str, str, str]]]]) -> str:
    """Return `llms.txt`: each section with its pages, as (title, URL, text)."""
    parts = [_INTRODUCTION]
    for section, pages in sections:
        lines = (f"- [{title}]({url}): {_first_sentence(text)}" for title, url, text in pages)
        parts.append(f"## {section}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def full(pages: Mapping[str, str], wanted: Sequence[str]) -> str:
    """Return `llms-full.txt`: the wanted pages, without their pictures.

    Raises:
        ValueError: A page is missing, or the text has too many tokens.
    """
    missing = [name for name in wanted if name not in pages]
    if missing:
        raise ValueError(f"mkdocs.yml, extra.llms_full: {missing} are no pages of the site")
    text = "\n\n".join([_INTRODUCTION.strip(), *(_as_text(pages[name]) for name in wanted)])
    tokens = len(text) // _CHARACTERS_PER_TOKEN
    if tokens > MOST_TOKENS:
        raise ValueError(
            f"llms-full.txt has {tokens} tokens, at most {MOST_TOKENS}: take a page out of extra.llms_full"
        )
    return text + "\n"


def _as_text(text: str) -> str:
    """Leave out pictures, and what mkdocstrings would fill in with its heading."""
    text = re.sub(r"^!\[.*\n?", "", text, flags=re.MULTILINE)
    return re.sub(r"(^## .*\n+)?^::: .*(\n {4}.*)*\n*", "", text, flags=re.MULTILINE).strip()


def _first_sentence(text: str) -> str:
    """Return the first sentence of the first paragraph that is prose."""
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    paragraphs = (" ".join(part.split()) for part in without_code.split("\n\n"))
    prose = next((part for part in paragraphs if part and (part[0].isalpha() or part[0] == "`")), "")
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", prose)
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", plain)[0]
