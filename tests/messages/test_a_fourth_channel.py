"""A fourth channel is one class, one method that sends, and one class of options of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import attrs
import pytest

from callsavvy_async.bulk.bulk import Bulk
from callsavvy_async.campaigns import Journal
from callsavvy_async.cli.activity import Way, new_activity
from callsavvy_async.cli.app import application, function_of
from callsavvy_async.cli.channels import CONTENTS, Content
from callsavvy_async.cli.commands import REGISTRY
from callsavvy_async.cli.registry import CommandEntry
from callsavvy_async.messages import CHANNELS, Message, message as message_module
from tests.bulk.fakes import ACCEPT, numbers
from tests.campaigns.fakes import FakeClient

pytestmark = pytest.mark.anyio


def fax() -> type[Message]:
    """Define a channel that sends pages, at most 7 recipients a request."""

    @attrs.frozen
    class Fax(Message):
        channel: ClassVar[str] = "fax"
        most_recipients: ClassVar[int | None] = 7

        pages: int = attrs.field(default=1, kw_only=True)

        def units(self, text: str) -> Decimal:
            return Decimal(self.pages)

        def send(self, messaging, recipients, text, **options):
            return messaging.send_fax(recipients, text, pages=self.pages, **options)

    return Fax


class FaxClient(FakeClient):
    """A client whose messaging has one method more."""

    async def send_fax(self, recipients, text, *, pages, **options):
        return await self.send_sms(recipients, f"{pages}: {text}", **options)


@pytest.fixture
def registries() -> Iterator[None]:
    known, options = set(CHANNELS), set(CONTENTS)
    yield
    for registry, before in ((message_module._CHANNELS, known), (CONTENTS, options)):
        for name in set(registry) - before:
            del registry[name]


@pytest.mark.usefixtures("registries")
async def test_it_is_sent_in_bulk_as_it_was_planned() -> None:
    """The plan, the size of requests and the estimate are those of the class; nothing takes it for another channel."""
    message = fax()(template="Hi {name|you}", pages=2)
    people = [{"phone": number, "name": ""} for number in numbers(19)] + [{"phone": numbers(1, 19)[0], "name": "Ada"}]
    client = FaxClient(lambda _: ACCEPT)
    plan = Bulk.plan(people, message, max_in_flight=1)
    assert (plan.channel, plan.recipients, plan.requests, plan.estimated_units, plan.total_segments) == (
        "fax",
        20,
        4,
        40,
        None,
    )
    report = await Bulk(client).send(people, message, max_in_flight=1)  # type: ignore[arg-type]
    assert (report.accepted, report.requests) == (20, 4)
    assert sorted(set(client.texts)) == ["2: Hi Ada", "2: Hi you"]
    stopped = await Bulk(FaxClient()).send(numbers(20), fax()("Hi"), chunk_size=5, max_cost=10, max_in_flight=1)  # type: ignore[arg-type]
    assert (stopped.accepted, stopped.pending) == (10, 10)


@pytest.mark.usefixtures("registries")
async def test_it_is_kept_in_a_journal(tmp_path: Path) -> None:
    """A campaign of it is written down, read back by its name, sent, and counted by the estimate that was stored."""
    message, client = fax()("Hello", pages=3), FaxClient(lambda _: ACCEPT)
    url = f"sqlite:///{tmp_path}/faxes.db"
    async with Journal.open(url) as journal:
        campaign = await journal.campaign("f", message)
        await campaign.load(numbers(20))
    async with Journal.open(url) as journal:
        campaign = await journal.campaign("f")
        assert campaign.message == message
        report = await campaign.run(client)  # type: ignore[arg-type]
        assert (report.accepted, report.requests, report.committed) == (20, 3, 60)
        assert set(client.texts) == {"3: Hello"}
        await campaign.purge()
        assert campaign.message == message.without_texts()


@pytest.mark.usefixtures("registries")
def test_it_has_its_commands(tmp_path: Path) -> None:
    """One class of options makes the commands of `estimate`, `bulk` and `send`."""
    kind = fax()

    @attrs.frozen(kw_only=True)
    class FaxContent(Content):
        """Send a fax."""

        makes: ClassVar[type[Message]] = kind

        pages: int = 1
        """How many."""

        def build(self, *, nothing_is_sent: bool = False) -> Message:
            return kind(**self.words(), pages=self.pages)

    people = tmp_path / "people.txt"
    people.write_text("\n".join(numbers(10)))
    for target, arguments in (("bulk:estimate_command", ()), ("bulk:bulk_command", ("--dry-run",))):
        command = CommandEntry("fax", target, "Send a fax.", (), channel="fax")
        with new_activity(Way(command)) as activity:
            application([command])(
                ["fax", str(people), "--message", "Hi", "--pages", "2", *arguments],
                exit_on_error=False,
                result_action="return_value",
            )
        assert activity.result is not None
        assert {"Recipients: 10 messages by fax in 2 requests", "Units: about 20"} <= {
            *str(activity.result.text).splitlines()
        }
    assert function_of(CommandEntry("fax", "sending:send_command", "Send a fax.", (), channel="fax")).__doc__


def test_every_channel_has_its_commands() -> None:
    """No channel is forgotten on the command line: its registries are compared with that of the messages."""
    assert {name: content.makes for name, content in CONTENTS.items()} == dict(CHANNELS)
    commands = {words for words, command in REGISTRY.commands.items() if command.channel}
    assert commands == {f"{group} {channel}" for group in ("bulk", "estimate", "send") for channel in CHANNELS}
