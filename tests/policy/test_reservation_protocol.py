"""What is written into the row, and what is made of what stands there."""

from __future__ import annotations

import json
import math

import pytest

from callsavvy_async.policy.gate import Gate
from callsavvy_async.policy.rate_controller import RateController
from callsavvy_async.policy.reservation_protocol import Replace, RowState, read_controller, write_controller


def test_a_law_goes_through_the_row_unchanged() -> None:
    """Every field, infinity included, to the last bit."""
    rate = RateController(estimated_limit=1 / 3, window=60.0, started=True)
    rate.begin(1.7e9 + 0.123456789)
    rate.reserved(7, idle=0.1)
    gate = Gate(shut=True, opens_at=1.7e9 + 1 / 3, episode=4)
    assert read_controller(write_controller(rate, gate)) == (rate, gate)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda controller: "",
        lambda controller: "{",
        lambda controller: "[]",
        lambda controller: json.dumps(controller | {"rate": None}),
        lambda controller: json.dumps(controller | {"gate": {}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"estimated_limit": "10"}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"estimated_limit": 0}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"estimated_limit": None}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"period": float("nan")}}),
        lambda controller: json.dumps(controller | {"gate": controller["gate"] | {"shut": 1}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"estimated_limit": math.inf}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"estimated_limit": 10**400}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"rate": 0.0}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"period": 1e-300}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"_dip": 50.0}}),
        lambda controller: json.dumps(controller | {"rate": controller["rate"] | {"_opened": -math.inf}}),
        lambda controller: json.dumps(controller | {"gate": controller["gate"] | {"_rate_limited_at": -math.inf}}),
        lambda controller: "[" * 100_000,
    ],
)
def test_what_cannot_be_a_law_is_none(spoil: object) -> None:
    """A row that somebody else has written, or a release with other fields, does no harm."""
    assert callable(spoil)
    assert read_controller(spoil(json.loads(write_controller(RateController(), Gate())))) is None


def test_a_limit_that_is_known_stays_what_it_is() -> None:
    """Neither what is measured nor what other processes were told moves it."""
    configured = RateController(estimated_limit=100.0, rate=100.0, started=True, fixed=True)
    other = read_controller(write_controller(RateController(estimated_limit=7.0, started=True), Gate()))
    assert other is not None
    rate, _ = other
    rate.limit_as(configured)
    rate.begin(0.0)
    rate.reserved(10)
    rate.shut(1.0)
    rate.reopened(2.0, at=2.0, proven=True)
    assert rate.estimated_limit == 100.0
    assert rate.pace(5.0) == (100.0, 0.0)


def test_a_limit_that_is_hidden_here_is_learned_though_another_process_has_configured_it() -> None:
    """A process without a configured rate continues from the row's, and measures it."""
    other = read_controller(write_controller(RateController(estimated_limit=7.0, started=True, fixed=True), Gate()))
    assert other is not None
    rate, _ = other
    rate.limit_as(RateController())
    rate.begin(0.0)
    rate.reserved(1000)
    rate.shut(10.0)
    rate.reopened(10.0, at=10.0, proven=True)
    assert rate.estimated_limit > 50.0


def test_reprs_do_not_spread_the_law() -> None:
    """The text is long, and says nothing to a person."""
    assert "secret" not in repr(Replace("a", "b", "secret", 1.0)) + repr(
        RowState(1.0, "a", "secret", 1.0, 0, 0, 0.0, 1)
    )
