"""Find placeholders of mail-merge tools in a text that is about to be sent unchanged.

Theory:

1. Between marks that only tools use, any name is a placeholder: ``{name}``, ``{{name}}``, ``${name}``, ``{% if x %}``,
   ``[[name]]``, ``<<name>>``, ``<%= name %>``, ``*|NAME|*``, ``%name%``, ``%(name)s``, ``%s``, ``{}``.
2. Between marks that prose uses too (``[name]``, ``<name>``, ``«name»``, ``:name``, ``$name``), a name is a placeholder if it has
   an underscore (``first_name``) or is a usual word for a person's name (``name``, ``First Name``).

For example, "50% off", "[urgent]", "$100", "10:30" and percent-encoded URLs are prose; ``{sic}`` is a placeholder.
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
    """Return the first placeholder of a text, or None."""
    found = _PLACEHOLDER.search(text)
    return None if found is None else found.group()
