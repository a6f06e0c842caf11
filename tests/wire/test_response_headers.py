"""Header fields: kept as bytes, read as text when somebody asks."""

from __future__ import annotations

from callsavvy_async.wire.response_headers import Headers

FIELDS = Headers.of([(b"Via", b"a "), (b"Retry-After", b"7"), (b"VIA", b"b")])


def test_fields_are_a_mapping() -> None:
    """Names are lower case, values have no white space behind them, and those of one name are joined (RFC 9110, 5.3)."""
    assert dict(FIELDS) == {"via": "a, b", "retry-after": "7"}
    assert len(FIELDS) == 2
    assert FIELDS.get("date") is None


def test_fields_are_found_without_reading_them() -> None:
    """One look tells whether an answer has any of the fields that matter."""
    assert FIELDS.has_any({b"retry-after", b"x"})
    assert not FIELDS.has_any({b"date"})
