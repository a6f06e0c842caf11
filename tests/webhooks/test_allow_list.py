"""Whose address counts: the connection's, or what our own proxies say, and nothing that the caller says."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.errors import ConfigurationError
from callsavvy_async.webhooks import AllowList, Webhooks

XFF = "x-forwarded-for"
ALLOWED = AllowList(["203.0.113.0/24", "2001:db8::/32"], proxies=["10.0.0.0/8", "fd00::/8"])
RFC7239 = AllowList(["203.0.113.0/24", "2001:db8::/32"], proxies=["10.0.0.0/8"], header="forwarded")


@pytest.mark.parametrize(
    ("peer", "header", "admitted"),
    [
        ("203.0.113.9", None, True),
        ("::ffff:203.0.113.9", None, True),
        ("198.51.100.1", None, False),
        (None, None, False),
        ("/run/app.sock", None, False),
        # nobody's header is believed but our proxies'
        ("198.51.100.1", "203.0.113.9", False),
        ("203.0.113.9", "198.51.100.1", True),
        # one and two proxies
        ("10.0.0.1", "203.0.113.9", True),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", True),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", False),
        ("fd00::1", "2001:db8::7", True),
        # what the caller wrote stands left of what the proxy appended
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", False),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", False),
        # ports, blanks, rubbish
        ("10.0.0.1", "203.0.113.9:4711", True),
        ("10.0.0.1", "[2001:db8::7]:4711", True),
        ("10.0.0.1", " 203.0.113.9 ,, ", True),
        ("10.0.0.1", "203.0.113.9, unknown", False),
        ("10.0.0.1", "203.0.113.9, ", True),
        ("10.0.0.1", "", False),
        ("10.0.0.1", None, False),
        ("10.0.0.1", ", ".join(["203.0.113.9"] + ["10.0.0.2"] * 1_000), False),
    ],
)
def test_rightmost_untrusted_hop_counts(peer: str | None, header: str | None, *, admitted: bool) -> None:
    """From the right, the first address that is no proxy of ours is the caller; left of it all is hearsay."""
    headers = [] if header is None else [(XFF, header)]
    assert ALLOWED.admit(peer, headers) is admitted


def test_repeated_headers_are_one_list() -> None:
    """Header lines of one name are read as one, in order."""
    assert ALLOWED.admit("10.0.0.1", [(XFF, "198.51.100.1"), ("host", "x"), (XFF, "203.0.113.9")])
    assert not ALLOWED.admit("10.0.0.1", [(XFF, "203.0.113.9"), (XFF, "198.51.100.1")])


@pytest.mark.parametrize(
    ("header", "admitted"),
    [
        ("for=203.0.113.9", True),
        ('For="203.0.113.9:99";proto=https;by=10.0.0.1', True),
        ('proto=https; for="[2001:db8::7]:4711"', True),
        ("for=203.0.113.9, for=198.51.100.1", False),
        ("for=203.0.113.9, for=10.0.0.3", True),
        ("for=203.0.113.9, by=10.0.0.3", False),
        ('for=6.6.6.6;host="a, for=203.0.113.9"', False),
        ('host="a;for=203.0.113.9";for=6.6.6.6', False),
        ('host="a\\";for=203.0.113.9";for=6.6.6.6', False),
        ('host="a, b";for=203.0.113.9', True),
        ('for="203.0.113.9', False),
        ("for =203.0.113.9", False),
        ("for=unknown", False),
        ("for=_hidden", False),
    ],
)
def test_forwarded_header(header: str, *, admitted: bool) -> None:
    """The header of RFC 7239 is read by its grammar: quoted text names nobody, and a malformed line is believed nowhere."""
    assert RFC7239.admit("10.0.0.1", [("forwarded", header)]) is admitted


def test_only_the_named_header_is_read() -> None:
    """A header that the proxies do not write comes from the caller, and is not looked at."""
    assert not ALLOWED.admit("10.0.0.1", [("forwarded", "for=203.0.113.9")])
    assert not RFC7239.admit("10.0.0.1", [(XFF, "203.0.113.9")])


@given(st.text(max_size=60))
def test_no_header_lets_a_stranger_in(written: str) -> None:
    """Whatever a caller writes, the address that the proxy appends to it decides."""
    assert not ALLOWED.admit("10.0.0.1", [(XFF, f"{written},198.51.100.1")])
    assert not RFC7239.admit("10.0.0.1", [("forwarded", f"{written},for=198.51.100.1")])


def test_bad_network_teaches() -> None:
    """A network that is none is named, with the form that is wanted."""
    with pytest.raises(ConfigurationError, match=r"'10\.0\.0\.0/8'"):
        AllowList(["10.0.0.0/99"])


@pytest.mark.anyio
async def test_strangers_see_what_a_bad_secret_sees() -> None:
    """Neither an address nor a secret alone opens the door, and the answers do not tell which was wrong."""
    secret = "a-secret-of-a-fair-length"
    hooks = Webhooks(secrets=[secret], allow_list=AllowList(["203.0.113.9"]))
    body = b'{"event": "newChat"}'
    good = await hooks.handle(token=secret, body=body, peer="203.0.113.9")
    wrong_address = await hooks.handle(token=secret, body=body, peer="203.0.113.10")
    wrong_secret = await hooks.handle(token="x", body=body, peer="203.0.113.9")
    assert good.status == 200
    assert wrong_address == wrong_secret
    assert wrong_secret.status == 404
