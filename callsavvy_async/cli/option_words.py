"""Errors of the SDK in the words of the command line: ``column='phone'`` becomes ``--column phone``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Set as AbstractSet

_OPTION_OF = {"max_recipients": "limit", "duration": "duration_minutes", "as_sent": "sent", "channel": "channel_uid"}
"""Options that are not named after the argument that they give."""
_WITH_VALUE = re.compile(r"\b([a-z][a-z_]*)=('[^']*'|\"[^\"]*\"|\('[^)]*'\)|[^\s'\",;()]+)")
_BARE = re.compile(r"(?<![-\w'\"{=.])([a-z]+(?:_[a-z]+)+)\b(?![='\"(}])")


def in_option_words(text: str, options: AbstractSet[str]) -> str:
    """Rewrite the arguments in an error's text as options.

    Args:
        text: Text of the error.
        options: Options of the command, without dashes.
    """
    text = _WITH_VALUE.sub(lambda found: _option(found[0], found[1], found[2], options), text)
    text = _BARE.sub(lambda found: _option(found[0], found[1], None, options), text)
    return re.sub(r"(--[\w-]+(?: \S+)?) \(\1\)", r"\1", text)


def _option(whole: str, name: str, value: str | None, options: AbstractSet[str]) -> str:
    option = _OPTION_OF.get(name, name).replace("_", "-")
    if option not in options:
        return whole
    match value:
        case None | "True":
            return f"--{option}"
        case "False" | "None":
            return f"--no-{option}"
        case "'...'":
            return f"--{option} NAME"
        case _:
            plain = value.removesuffix(".").strip("'\"")
            if value.startswith("("):  # a tuple of names
                plain = ",".join(part.strip("'") for part in value.strip("(.)").split(", "))
            return f"--{option} {shlex.quote(plain)}{'.' if value.endswith('.') else ''}"
