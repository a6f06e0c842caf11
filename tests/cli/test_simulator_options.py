"""The options of ``callsavvy simulator``: what a test needs from a server, without a line of Python."""

from __future__ import annotations

from random import Random

import pytest

from callsavvy_async.cli.app import application
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.simulator_options import RateLimit, SimulatedAccount, Trouble, make_simulator
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.simulator import FAULTS, Concurrency, FixedWindow, Limit, SlidingWindow, TokenBucket


def test_every_option_reaches_the_simulator() -> None:
    """The command line is read into the account, the limit and the faults."""
    line = (
        "simulator --public-key p --private-key k --sms-balance 7 --callback-url http://127.0.0.1:9/x --seed 3"
        " --rate 20/s --burst 5 --retry-after http-date --limit-headers ietf --latency 0.5 --jitter 0.25"
        " --fault sendSMS=drop-after-read:0.1 --fault status-503"
    )
    command = REGISTRY.commands["simulator"]
    _, bound, _ = application([command]).parse_args(line.split(), exit_on_error=False, print_error=False)
    made = make_simulator(*(bound.arguments[name] for name in ("account", "limit", "trouble")))
    assert made.limit == TokenBucket(20, 5, retry_after="http-date", headers="ietf")
    assert made.callback_url == "http://127.0.0.1:9/x"
    assert made.world.balances.sms == 7
    assert len(made.faults._rules) == 2
    assert callable(made.latency)
    assert 0.5 <= made.latency(Random(1)) <= 0.75


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        (RateLimit(), None),
        (RateLimit(rate="10/s", limit_kind="fixed-window", window=60.0), FixedWindow(600, 60.0)),
        (RateLimit(rate="10/s", limit_kind="sliding-window"), SlidingWindow(10, 1.0)),
        (RateLimit(concurrent=4), Concurrency(4)),
    ],
    ids=repr,
)
def test_limits(options: RateLimit, limit: Limit | None) -> None:
    """Each kind of limit is the simulator's own."""
    assert options.make() == limit


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_its_name(name: str) -> None:
    """What the simulator can do wrong can be asked for."""
    assert len(make_simulator(SimulatedAccount(), RateLimit(), Trouble(fault=(name,))).faults._rules) == 1


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ((RateLimit(), Trouble(fault=("nonsense",))), "pass one of"),
        ((RateLimit(), Trouble(fault=("getNothing=hang",))), "use one of"),
        ((RateLimit(), Trouble(fault=("hang:2",))), "from 0 to 1"),
        ((RateLimit(), Trouble(fault=("hang:x",))), "could not convert"),
        ((RateLimit(rate="1/s", concurrent=2), Trouble()), "give one of them"),
        ((RateLimit(rate="1/min", limit_kind="fixed-window"), Trouble()), "raise --window"),
    ],
    ids=repr,
)
def test_wrong_options_name_the_fix(options: tuple[RateLimit, Trouble], hint: str) -> None:
    """The error names the value and what there is."""
    with pytest.raises(InvalidRequestError, match=hint):
        make_simulator(SimulatedAccount(), *options)
