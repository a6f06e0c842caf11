"""The first people of a campaign get the message before everybody else, whatever happens meanwhile."""

from __future__ import annotations

import anyio
import pytest

from callsavvy_async import SMS
from callsavvy_async.bulk.report import StopReason
from callsavvy_async.campaigns import Campaign, Journal, command_watch, journal_source
from callsavvy_async.campaigns.canary import Canary, Progress
from callsavvy_async.errors import ConfigurationError, InvalidRequestError, RateLimitError
from callsavvy_async.resources.sends import SendReceipt
from callsavvy_async.values import SendStatus
from tests.bulk.fakes import rejected, unknown
from tests.profiles import mostly_long

from .fakes import FakeClient, accept, numbers

pytestmark = pytest.mark.anyio

FIRST, ALL = numbers(10), numbers(60)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_watch, "INTERVAL", 0.02)
    monkeypatch.setattr(journal_source, "_BETWEEN_JUDGEMENTS", 0.01)
    monkeypatch.setattr(journal_source, "_BETWEEN_LOOKS", 0.02)


async def loaded(journal: Journal, **options) -> Campaign:
    campaign = await journal.campaign("c", SMS("Hello"), **{"chunk_size": 4, "canary": 10, **options})
    await campaign.load(ALL)
    return campaign


def failing(count: int) -> FakeClient:
    """Return a client whose first sends fail."""

    def script(recipients: list[str]) -> SendReceipt:
        if len(client.calls) <= count:
            return SendReceipt(message_id="m", status=SendStatus.FAILED)
        return accept(recipients)

    client = FakeClient(script)
    return client


@pytest.mark.every_journal
@pytest.mark.parametrize("workers", mostly_long([3, 1]))
async def test_everybody_else_waits_until_the_campaign_is_continued(journal: Journal, workers: int) -> None:
    """All runs wait, the pause is in the log with its reason, and a command from elsewhere continues them."""
    campaign, client = await loaded(journal), FakeClient()
    runs = [campaign.run(client) for _ in range(workers)]
    paused = anyio.Event()
    runs[0] = campaign.run(client, on_progress=lambda report: report.paused and paused.set())
    async with anyio.create_task_group() as group:
        for run in runs:
            group.start_soon(run.__class__._run, run)
        await paused.wait()
        await anyio.sleep(0.1)
        assert client.reached == dict.fromkeys(FIRST, 1)
        (command,) = await journal.commands("c")
        assert (command.action, command.limits) == ("pause", {"canary": "held: 0 of 10 not accepted"})
        assert (await journal.go_on("c")).confirmed
    assert client.reached == dict.fromkeys(ALL, 1)
    assert not runs[0].report.paused


async def test_another_process_continues_it(journal: Journal) -> None:
    """A run that dies while the canary waits leaves a paused campaign: later runs wait too, until it is continued."""
    campaign, client = await loaded(journal), FakeClient()
    for _ in range(2):
        with anyio.move_on_after(1.0) as scope:
            await campaign.run(client, on_progress=lambda report: report.paused and scope.cancel())
        assert client.reached == dict.fromkeys(FIRST, 1)
    await journal.go_on("c", wait=0)
    assert (await campaign.run(client)).accepted == len(ALL)
    assert client.reached == dict.fromkeys(ALL, 1)


@pytest.mark.every_journal
async def test_it_is_confined_before_it_is_over(journal: Journal) -> None:
    """A run that ends in the middle of the canary confines the next one as well, and a person's pause does not free it."""
    campaign, client = await loaded(journal, after_canary="stop"), FakeClient()
    assert (await campaign.run(client, max_cost=4)).stopped is StopReason.MAX_COST
    await journal.pause("c", wait=0)
    await journal.go_on("c", wait=0)
    report = await campaign.run(client)
    assert (report.stopped, report.accepted, report.pending) == (StopReason.LIMIT, 10, 50)
    assert client.reached == dict.fromkeys(FIRST, 1)


@pytest.mark.parametrize(
    ("after", "failed", "most", "stopped", "outcome"),
    [
        ("continue", 0, 0.0, None, "passed: 0 of 10 not accepted"),
        ("continue", 1, 0.4, None, "passed: 4 of 10 not accepted"),
        ("continue", 1, 0.39, StopReason.CANARY, "failed: 4 of 10 not accepted"),
        ("pause", 1, 0.2, StopReason.CANARY, "failed: 4 of 10 not accepted"),
        ("stop", 3, 0.2, StopReason.LIMIT, "enough: 10 of 10 not accepted"),
    ],
)
async def test_too_many_failures_stop_the_campaign(journal: Journal, after, failed, most, stopped, outcome) -> None:
    """The share of failed and rejected recipients decides; after a stop nothing is sent until the campaign is continued."""
    campaign, client = await loaded(journal, after_canary=after, max_failures=most), failing(failed)
    report = await campaign.run(client, max_in_flight=1)
    assert report.stopped is stopped
    assert set(client.reached) == set(FIRST if stopped else ALL)
    (command,) = await journal.commands("c")
    assert command.limits == {"canary": outcome}
    if stopped:
        assert (await campaign.run(client)).stopped is stopped
        await journal.go_on("c", wait=0)
        await campaign.run(client)
    assert client.reached == dict.fromkeys(ALL, 1)


async def test_what_is_unknown_counts_for_neither(journal: Journal) -> None:
    """A response that never came says nothing about the message; a rejected person does."""
    campaign = await loaded(journal, after_canary="continue", max_failures=0.2, chunk_size=1)
    answers = iter([unknown(), *(rejected("No such user") for _ in range(2))])

    def script(recipients: list[str]) -> SendReceipt:
        error = next(answers, None)
        if error is not None:
            raise error
        return accept(recipients)

    report = await campaign.run(FakeClient(script), max_in_flight=1)
    assert report.stopped is StopReason.CANARY
    assert [command.limits for command in await journal.commands("c")] == [{"canary": "failed: 2 of 9 not accepted"}]


async def test_a_canary_of_everybody_ends_as_any_campaign(journal: Journal) -> None:
    """Nothing follows, so nothing waits. People who are loaded later come after the canary."""
    campaign, client = await loaded(journal, canary=100), FakeClient()
    assert (await campaign.run(client)).complete
    assert not await journal.commands("c")
    await campaign.load(numbers(50, start=60))
    with anyio.move_on_after(5.0) as scope:
        await campaign.run(client, on_progress=lambda report: report.paused and scope.cancel())
    assert client.reached == dict.fromkeys(ALL, 1)  # the first run fixed who is first


async def test_the_first_of_several_lists_are_first(journal: Journal) -> None:
    """The canary is cut over all loads, and shares no request with those behind it, also in a template."""
    message = SMS(template="Hi {name}")
    campaign = await journal.campaign("c", message, chunk_size=4, canary=10, after_canary="stop")
    people = [{"phone": number, "name": f"{index % 3}"} for index, number in enumerate(ALL)]
    await campaign.load(people[:7])
    await campaign.load(people[7:])
    client = FakeClient()
    await campaign.run(client)
    assert client.reached == dict.fromkeys(FIRST, 1)


async def test_a_request_that_gave_up_keeps_the_canary_open(journal: Journal) -> None:
    """What this run tried in vain is left to the next one; the others are not sent to instead."""
    campaign, client = await loaded(journal, after_canary="continue"), FakeClient()
    later = RateLimitOnce(client)
    client.script = later
    report = await campaign.run(client, max_in_flight=1)
    assert (report.accepted, report.stopped) == (6, None)
    assert set(client.reached) == set(FIRST)
    await campaign.run(client)
    assert (await campaign.status()).accepted == len(ALL)


class RateLimitOnce:
    """Answers the first request with a final 429."""

    def __init__(self, client: FakeClient) -> None:
        self.client = client

    def __call__(self, recipients: list[str]) -> SendReceipt:
        if len(self.client.calls) == 1:
            raise rejected("Slow down", RateLimitError, 429)
        return accept(recipients)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"canary": 0}, ConfigurationError),
        ({"max_failures": 20}, ConfigurationError),
        ({"max_failures": "20%"}, ConfigurationError),
        ({"after_canary": "wait"}, ConfigurationError),
    ],
)
async def test_wrong_options_are_refused(journal: Journal, options, error) -> None:
    """A share above 1 is a percentage by mistake; the error names the value and the rule."""
    with pytest.raises(error, match=next(iter(options))):
        await journal.campaign("c", SMS("Hello"), **options)


async def test_reopening_names_what_differs(journal: Journal) -> None:
    """The canary belongs to the campaign, as its text does."""
    await journal.campaign("c", SMS("Hello"), canary=5)
    with pytest.raises(InvalidRequestError, match="another canary"):
        await journal.campaign("c", SMS("Hello"), canary=6)


async def test_two_runs_end_a_canary_once(journal: Journal) -> None:
    """Both find it settled; the second leaves the command of the first as it is, also after it was continued."""
    campaign = await loaded(journal)
    with anyio.move_on_after(5.0) as scope:
        await campaign.run(FakeClient(), on_progress=lambda report: report.paused and scope.cancel())
    await journal.go_on("c", wait=0)
    canary = Canary(campaign._writer, campaign._id, campaign._spec.settings, 3)
    assert await canary.conclude() is Progress.OVER
    assert [command.action for command in await journal.commands("c")] == ["pause", "continue"]


async def test_requests_of_others_are_waited_for(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another run's requests of the canary are not settled, a run that finds nothing to claim looks again."""
    conclude, looks = Canary.conclude, []

    async def busy_at_first(canary: Canary) -> Progress:
        looks.append(canary)
        return Progress.BUSY if len(looks) == 1 else await conclude(canary)

    monkeypatch.setattr(Canary, "conclude", busy_at_first)
    campaign = await loaded(journal, after_canary="continue")
    report = await campaign.run(client := FakeClient())
    assert (report.accepted, len(looks)) == (len(ALL), 2)
    assert client.reached == dict.fromkeys(ALL, 1)
