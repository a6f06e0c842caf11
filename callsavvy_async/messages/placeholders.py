"""Placeholders of mail-merge tools, found in a text that is about to be sent as it stands.

Theory. A name between marks that only tools use is a placeholder, whatever the name: ``{name}``, ``{{name}}``, ``${name}``,
``{% if x %}``, ``[[name]]``, ``<<name>>``, ``<%= name %>``, ``*|NAME|*``, ``%name%``, ``%(name)s``, ``%s``, ``{}``. Between
marks that prose uses too (``[name]``, ``<name>``, ``«name»``, ``:name``, ``$name``) only a name that is no prose counts: one
with an underscore (``first_name``), or a usual one of a person (``name``, ``First Name``). So "50% off", "[urgent]",
"$100", "10:30" and percent-encoded URLs are prose; ``{sic}`` is not.
"""

from __future__ import annotations

import re

_NAME = r"\w[\w .\-]{0,80}"
_NO_PROSE = (
    r"(?:[^\W\d_]+(?:_[^\W_]+)+"
    r"|(?i:(?:first|last|full|given|family|middle|user|customer|client|company|recipient|your)?[ _-]?name|[fl]name|surname))"
)

_PLACEHOLDER = re.compile(
    "|".join(
        (
            r"\{\{[^{}\n]{1,80}\}\}",  # {{name}}, {{#if name}}
            rf"[$#]?\{{\s*(?:[$#%]?{_NAME}(?:\|[^{{}}\n]*)?[#%]?\s*)?\}}",  # {name}, ${name}, {#var#}, {name|friend}, {}
            r"\{%[^{}\n]{1,80}%\}",
            rf"\[\[\s*{_NAME}\]\]",
            rf"<<\s*{_NAME}>>",
            r"<%[^<>\n]{1,80}%>",
            r"\*\|[^|*\n]{1,80}\|\*",
            r"(?<![\w%])%{1,2}(?![0-9A-Fa-f]{2}%)[^\W\d]\w*%{1,2}(?!\w)",  # not the %C3%A9 of a URL
            r"%\(\w+\)[a-z]",
            r"(?<![\w%])%[sd](?!\w)",
            rf"\[\s*{_NO_PROSE}\s*\]",
            rf"<{_NO_PROSE}>",
            rf"«\s*{_NO_PROSE}\s*»",
            rf"(?<![\w:/.@-])[:$]{_NO_PROSE}(?![\w@])",
        )
    )
)


def find_placeholder(text: str) -> str | None:
    """Return the first placeholder of a text; None when there is none."""
    found = _PLACEHOLDER.search(text)
    return None if found is None else found.group()
