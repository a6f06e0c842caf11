"""Rate-limit headers: read in every dialect, believed only when plausible."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from callsavvy_async.policy.ratelimit_headers import LONGEST_RESET, RateLimitHints, parse_hints, parse_policies

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "hints"),
    [
        ({}, None),
        ({"ratelimit": '"default";r=50;t=30'}, RateLimitHints(50, 30.0)),
        ({"ratelimit": "default;r=50;t=30"}, RateLimitHints(50, 30.0)),
        ({"ratelimit": '"a";r=50;t=30, "b";r=1;t=10'}, RateLimitHints(1, 10.0)),
        ({"ratelimit": '"a";r=7', "ratelimit-policy": '"a";q=100;w=60'}, RateLimitHints(7, 60.0)),
        ({"ratelimit-policy": '"a";q=100;w=60'}, None),
        ({"ratelimit": '"a";t=30'}, None),
        ({"ratelimit": '"a";r=5;t=0'}, None),
        ({"ratelimit-remaining": "9", "ratelimit-reset": "3"}, RateLimitHints(9, 3.0)),
        ({"x-ratelimit-remaining": "9", "x-ratelimit-reset": "1.5"}, RateLimitHints(9, 1.5)),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(NOW) + 20)}, RateLimitHints(0, 20.0)),
        ({"x-ratelimit-remaining": "9", "x-ratelimit-reset": str(int(NOW + 20) * 1000)}, RateLimitHints(9, 20.0)),
        ({"x-ratelimit-remaining": "9, 8", "x-ratelimit-reset": "3"}, RateLimitHints(9, 3.0)),
        ({"x-ratelimit-remaining": "9"}, None),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "3"}, None),
        ({"x-ratelimit-remaining": "nan", "x-ratelimit-reset": "3"}, None),
        ({"x-ratelimit-remaining": "9", "x-ratelimit-reset": "0"}, None),
        ({"x-ratelimit-remaining": "9", "x-ratelimit-reset": "100000"}, None),
        ({"x-ratelimit-remaining": "9", "x-ratelimit-reset": str(int(NOW) - 5)}, None),
    ],
)
def test_dialects(headers: dict[str, str], hints: RateLimitHints | None) -> None:
    """Seconds, epochs and milliseconds are told apart; what cannot be true is ignored; the tightest hint wins."""
    assert parse_hints(headers, epoch_now=NOW) == hints


@given(
    st.dictionaries(
        st.sampled_from(["ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "x-ratelimit-reset"]),
        st.text(st.sampled_from('0123456789."a;rtwq=, -+eInf\u0664'), max_size=40),
    )
)
def test_garbage(headers: dict[str, str]) -> None:
    """No header text raises, and every hint is finite and in bounds."""
    hints = parse_hints(headers, epoch_now=NOW)
    if hints is not None:
        assert hints.remaining >= 0
        assert 0.0 < hints.reset <= LONGEST_RESET


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ('"a";q=10;w=1', {"a"}),
        ('"a";q=10;w=1, "b";q=5', {"a", "b"}),
        ('"a";q=10;pk=:eA==:', {"a :eA==:"}),
        ("token;q=10", {"token"}),
        ("", set()),
        ('"no parameters"', set()),
        ("10, 100;w=60", set()),
        ('\x00;=,"', set()),
    ],
)
def test_policies_by_their_names(field: str, names: set[str]) -> None:
    """Policies are told apart by name and partition key; what names nothing is ignored."""
    assert parse_policies(field) == names
