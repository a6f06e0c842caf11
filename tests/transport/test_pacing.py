"""Which requests share a limit: what is told, what the API itself names, and what is kept for the next process."""

from __future__ import annotations

import json
import math

import anyio
import attrs
import pytest

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.fixed import FixedRate, Unlimited
from callsavvy_async.transport.clock import current_time
from callsavvy_async.transport.rate_limiter import WaitTooLongError
from callsavvy_async.transport.rate_limiters import RateLimiters

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual_time: object) -> object:
    """Every test here runs in virtual time."""
    return virtual_time


async def test_endpoints_that_are_told_apart_do_not_wait_for_each_other() -> None:
    """What fills one limit holds up neither the other named ones nor the rest."""
    pacing = RateLimiters({"sendSMS": FixedRate("1/h"), "sendWhatsapp": Unlimited(max_in_flight=1)})
    for resource in ("sendSMS", "sendWhatsapp"):
        assert pacing.limiter(resource).try_acquire(current_time())
        assert pacing.limiter(resource).try_acquire(current_time()) is None
    assert pacing.limiter("getSummary").try_acquire(current_time())
    with pytest.raises(WaitTooLongError):
        await pacing.limiter("sendSMS").acquire(current_time() + 9, lambda *_: None)


async def test_one_pacer_under_several_names_is_one_limit() -> None:
    """The same object says: these are counted together."""
    pair = Unlimited(max_in_flight=1)
    pacing = RateLimiters({"sendSMS": pair, "sendRobocall": pair})
    assert pacing.limiter("sendSMS") is pacing.limiter("sendRobocall")
    assert pacing.limiter("sendSMS") is not pacing.limiter("sendWhatsapp")
    with_the_rest = RateLimiters({"sendSMS": pair, "*": pair})
    assert with_the_rest.limiter("sendSMS") is with_the_rest.limiter("any")


async def test_policies_that_have_nothing_in_common_are_counted_apart() -> None:
    """The server's own word parts endpoints; sharing one policy, or one partition of it, keeps them together."""
    pacing = RateLimiters(Adaptive(max_in_flight=3))
    pacing.observe_headers("sendSMS", '"sends";q=10;w=1, "daily";q=9000;w=86400')
    pacing.observe_headers("getSummary", '"reads";q=100;w=1')
    pacing.observe_headers("sendWhatsapp", '"sends";q=10;w=1')
    pacing.observe_headers("getCalls", '"reads";q=100;w=1')
    pacing.observe_headers("getChats", '"reads";q=100;w=1;pk=:Y2hhdHM=:')
    shared = pacing.limiter("neverAnswered")
    assert pacing.limiter("sendSMS") is pacing.limiter("sendWhatsapp") is shared
    assert pacing.limiter("getSummary") is pacing.limiter("getCalls") is not shared
    assert pacing.limiter("getChats") not in {shared, pacing.limiter("getSummary")}
    assert set(pacing.snapshot().groups) == {"reads", "reads :Y2hhdHM=:"}
    assert pacing.snapshot().groups["reads"].allowed_in_flight == 3


@pytest.mark.parametrize("field", ["", "garbage", '"name"', ";;;", '"open'])
async def test_a_policy_that_says_nothing_changes_nothing(field: str) -> None:
    """A malformed field is ignored."""
    pacing = RateLimiters(Adaptive())
    pacing.observe_headers("sendSMS", '"a";q=1')
    pacing.observe_headers("getSummary", field)
    assert pacing.limiter("getSummary") is pacing.limiter("other")
    assert not pacing.snapshot().groups


async def test_what_was_told_is_not_parted_by_headers() -> None:
    """An endpoint with a pacer of its own keeps it, and a pacer that was told a limit is not doubled."""
    told = RateLimiters({"sendSMS": FixedRate("1/s"), "*": Adaptive()})
    own = told.limiter("sendSMS")
    told.observe_headers("getSummary", '"a";q=1')
    told.observe_headers("sendSMS", '"b";q=1')
    assert told.limiter("sendSMS") is own
    fixed = RateLimiters(FixedRate("1/s"))
    for number, resource in enumerate(("sendSMS", "getSummary")):
        fixed.observe_headers(resource, f'"{number}";q=1')
    assert fixed.limiter("sendSMS") is fixed.limiter("getSummary")


async def test_a_server_that_names_ever_new_policies_makes_no_ever_new_limits() -> None:
    """What an endpoint was first told counts: names that change with every answer must not fill the memory."""
    pacing = RateLimiters(Adaptive())
    for number in range(100):
        pacing.observe_headers("sendSMS", f'"{number}";q=1')
        pacing.observe_headers("getSummary", f'"x{number}";q=1')
    assert len(pacing.snapshot().groups) == 1


async def test_the_state_is_kept_for_every_limit() -> None:
    """A snapshot goes through JSON and back, the shared limit's, those that were told, and those not heard of yet."""

    def make() -> RateLimiters:
        return RateLimiters({"sendSMS": Adaptive(), "*": Adaptive()})

    before = make()
    before.restore({"learned_rate": 7.5, "groups": {"sendSMS": {"learned_rate": 2.5}}})
    before.observe_headers("getSummary", '"first";q=1')
    before.observe_headers("getCalls", '"apart";q=1')
    kept = json.loads(json.dumps(attrs.asdict(before.snapshot())))
    kept["groups"]["apart"]["learned_rate"] = 4.0
    after = make()
    after.restore(kept)
    after.observe_headers("getSummary", '"first";q=1')
    after.observe_headers("getCalls", '"apart";q=1')
    state = after.snapshot()
    assert (state.learned_rate, state.groups["sendSMS"].learned_rate, state.groups["apart"].learned_rate) == (
        7.5,
        2.5,
        4.0,
    )


@pytest.mark.parametrize("groups", [None, 5, ["x"], {"sendSMS": "fast"}, {"sendSMS": {"learned_rate": -1}}])
async def test_a_kept_state_that_cannot_be_true(groups: object) -> None:
    """Whatever stands in a file of yesterday, restoring it raises nothing and invents nothing."""
    pacing = RateLimiters({"sendSMS": Adaptive()})
    pacing.restore({"groups": groups})
    assert pacing.snapshot().groups["sendSMS"].learned_rate is None


async def test_the_repr_shows_every_limit() -> None:
    """The shared limit first, the others by name."""
    shown = repr(RateLimiters({"sendSMS": FixedRate("2/s"), "*": Unlimited()}))
    assert shown == (
        "<Unlimited: no rate (no limit), 0 of 64 in flight, 0 waiting>,"
        " sendSMS: <FixedRate: 2/s (fixed rate), 0 of 64 in flight, 0 waiting>"
    )


async def test_who_waits_is_counted_over_all_limits() -> None:
    """`waiting` is the sum, and each limit's snapshot has its own."""
    pacing = RateLimiters({"sendSMS": Unlimited(max_in_flight=1), "*": Unlimited(max_in_flight=1)})
    async with anyio.create_task_group() as group:
        for resource, waiters in (("sendSMS", 2), ("other", 3)):
            limiter = pacing.limiter(resource)
            permit = limiter.try_acquire(current_time())
            assert permit is not None
            for _ in range(waiters):
                group.start_soon(limiter.acquire, math.inf, lambda *_: None)
        await anyio.wait_all_tasks_blocked()
        assert pacing.waiting == 5
        assert (pacing.snapshot().waiting, pacing.snapshot().groups["sendSMS"].waiting) == (3, 2)
        group.cancel_scope.cancel()
    assert pacing.waiting == 0


def test_the_state_outside_of_event_loops() -> None:
    """What was learned can be read after the loop has ended, and restored before the next begins."""
    pacing = RateLimiters(Adaptive())
    pacing.restore({"learned_rate": 7.5})
    assert pacing.snapshot().learned_rate == 7.5
