"""The addresses that may post, and the proxies that may name one.

Each proxy appends the address of its peer, so the header reads client, proxy, proxy. Only entries of your own proxies
are trustworthy. Read from the right, the first address that is not one of your proxies is the client. The client itself
may have written all entries to its left (RFC 7239, section 8.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias

import attrs

from callsavvy_async.errors import ConfigurationError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PAIR = rf"{_WORD}=(?:{_QUOTED}|{_WORD})"
_PAIRS = re.compile(rf"({_WORD})=({_QUOTED}|{_WORD})")
_ELEMENT = re.compile(rf"\s*((?:{_PAIR})?(?:;\s*(?:{_PAIR})?)*)\s*(?:,|$)")
"""A forwarded-element (RFC 7239, section 4). A comma or semicolon inside a quoted-string is not a separator."""
_ESCAPED = re.compile(r"\\(.)")
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([0-9.]+):\d+")
_MOST_HOPS = 20


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    if isinstance(texts, str):
        texts = (texts,)
    try:
        return tuple(ip_network(text.strip(), strict=False) for text in texts)
    except ValueError as error:
        raise ConfigurationError(
            f"{error}; pass addresses or networks, such as '203.0.113.7' or '10.0.0.0/8'."
        ) from None


@attrs.frozen
class AllowList:
    """The addresses that may post events. Callsavvy does not document its addresses: ask its support.

    Args:
        networks: Addresses and networks that may post.
        proxies: Addresses and networks of your own reverse proxies. The header counts only from them.
        header: Header that these proxies append to. A header that they do not set can be forged.
    """

    networks: Sequence[Network] = attrs.field(converter=_networks)
    proxies: Sequence[Network] = attrs.field(default=(), converter=_networks, kw_only=True)
    header: Literal["x-forwarded-for", "forwarded"] = attrs.field(default="x-forwarded-for", kw_only=True)

    def admit(self, peer: str | None, headers: Iterable[tuple[str, str]]) -> bool:
        """Return True if the request's client may post.

        Args:
            peer: Address at the other end of the connection. None for a UNIX socket.
            headers: Header fields of the request, names in lower case.
        """
        caller = self.caller(peer, headers)
        return caller is not None and _within(caller, self.networks)

    def caller(self, peer: str | None, headers: Iterable[tuple[str, str]]) -> Address | None:
        """Return the client's address. None if it is unknown.

        Args:
            peer: Address at the other end of the connection; None for a UNIX socket.
            headers: Header fields of the request, names in lower case.
        """
        address = _parse(peer or "")
        for hop in self._hops(headers):
            if address is None or not _within(address, self.proxies):
                break
            address = _parse(hop)
        return address

    def _hops(self, headers: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Yield the entries of the header, nearest first. A malformed entry yields a text that is not an address."""
        lines = [value for name, value in headers if name == self.header]
        if self.header == "forwarded":
            hops = [_forwarded_for(element) for line in lines for element in _elements(line) if element != ""]
        else:
            hops = [hop for hop in ",".join(lines).rsplit(",", _MOST_HOPS) if hop.strip()]
        yield from reversed(hops[-_MOST_HOPS:])


def _elements(line: str) -> Iterator[str | None]:
    """Split a Forwarded header into its elements. None stands for the rest of a line that breaks the grammar."""
    place = 0
    while place < len(line):
        element = _ELEMENT.match(line, place)
        if element is None:
            yield None
            return
        yield element[1]
        place = element.end()


def _forwarded_for(element: str | None) -> str:
    """Return an element's ``for`` value. Empty if the element has none."""
    for name, value in _PAIRS.findall(element or ""):
        if name.lower() == "for":
            return _ESCAPED.sub(r"\1", value.strip('"'))
    return ""


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> Address | None:
    text = text.strip()
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port.group(1) or with_port.group(2)
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
