"""Who may post: addresses, and the proxies that are believed when they name one.

Each proxy appends the address that it was called from, so the header reads client, proxy, proxy. Only what our own
proxies appended is true. Reading from the right, the first address that is no proxy of ours is the caller; everything
left of it is what the caller wrote (RFC 7239, section 8.1).
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
"""A forwarded-element (RFC 7239, section 4): a comma or semicolon inside a quoted-string separates nothing."""
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
            f"{error}; write addresses or networks, as in '203.0.113.7' or '10.0.0.0/8'."
        ) from None


@attrs.frozen
class AllowList:
    """The addresses that events are taken from. Callsavvy documents none (quirk Q51): ask its support.

    Args:
        networks: addresses and networks that may post.
        proxies: addresses and networks of your own reverse proxies; from nobody else is the header believed.
        header: the one header that these proxies append to. Name the right one: the other comes from strangers.
    """

    networks: Sequence[Network] = attrs.field(converter=_networks)
    proxies: Sequence[Network] = attrs.field(default=(), converter=_networks, kw_only=True)
    header: Literal["x-forwarded-for", "forwarded"] = attrs.field(default="x-forwarded-for", kw_only=True)

    def admit(self, peer: str | None, headers: Iterable[tuple[str, str]]) -> bool:
        """Tell whether a request may come in.

        Args:
            peer: the address at the other end of the connection, None where there is none (a UNIX socket).
            headers: of the request, names in lower case.
        """
        caller = self.caller(peer, headers)
        return caller is not None and _within(caller, self.networks)

    def caller(self, peer: str | None, headers: Iterable[tuple[str, str]]) -> Address | None:
        """Find the address that a request truly came from; None where it cannot be told."""
        address = _parse(peer or "")
        for hop in self._hops(headers):
            if address is None or not _within(address, self.proxies):
                break
            address = _parse(hop)
        return address

    def _hops(self, headers: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Yield the addresses that the header names, nearest first. A malformed header names none."""
        lines = [value for name, value in headers if name == self.header]
        if self.header == "forwarded":
            hops = [_forwarded_for(element) for line in lines for element in _elements(line) if element != ""]
        else:
            hops = [hop for hop in ",".join(lines).rsplit(",", _MOST_HOPS) if hop.strip()]
        yield from reversed(hops[-_MOST_HOPS:])


def _elements(line: str) -> Iterator[str | None]:
    """Cut a Forwarded header at its commas; None stands for the rest of a line that breaks the grammar."""
    place = 0
    while place < len(line):
        element = _ELEMENT.match(line, place)
        if element is None:
            yield None
            return
        yield element[1]
        place = element.end()


def _forwarded_for(element: str | None) -> str:
    """Return the address that an element names; an empty text, which is no address, where it names none."""
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
