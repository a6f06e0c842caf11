"""What a failed method was given is in no local variable that its traceback shows."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Awaitable, Callable

import attrs
import pytest

from callsavvy_async import Callsavvy, Credentials, errors
from callsavvy_async.batching.batcher import Batcher
from callsavvy_async.bulk.bulk import Bulk
from callsavvy_async.campaigns import Campaign, Journal
from callsavvy_async.tracebacks import clear_locals, private_arguments
from callsavvy_async.transport.backends.choose import BackendName

KEY, NUMBER, TEXT = "PRIVATE-key-9431", "+2348055512345", "your test result is positive"
UNREACHABLE = "http://127.0.0.1:9/v1"


def shown(error: BaseException) -> str:
    """Return the local variables of all frames but those of the tests, as a tracker records them."""
    pending, frames = [traceback.TracebackException.from_exception(error, capture_locals=True)], []
    while pending:
        one = pending.pop()
        frames += [frame for frame in one.stack if "/tests/" not in frame.filename]
        pending += [linked for linked in (one.__cause__, one.__context__) if linked]
    return " ".join(f"{name}={value}" for frame in frames for name, value in (frame.locals or {}).items())


FAILING: dict[str, Callable[[Callsavvy], Awaitable[object]]] = {
    "an SMS": lambda client: client.messaging.send_sms(NUMBER, TEXT),
    "several": lambda client: client.messaging.send_sms([NUMBER, NUMBER[:-1]], TEXT),
    "a bad number": lambda client: client.messaging.send_sms(NUMBER * 3, TEXT),
    "a robocall": lambda client: client.messaging.send_robocall(NUMBER, text=TEXT, duration_minutes=1),
    "a WhatsApp": lambda client: client.messaging.send_whatsapp(NUMBER, TEXT, channel_uid="u"),
    "a reply": lambda client: client.tickets.reply("t", message=TEXT),
    "a contact": lambda client: client.contacts.create(TEXT, phone=NUMBER),
    "raw": lambda client: client.with_raw_response(client.messaging.send_sms, NUMBER, TEXT),
}


@pytest.mark.anyio
@pytest.mark.every_backend
@pytest.mark.parametrize("what", FAILING)
async def test_a_traceback_holds_no_argument(what: str, backend: BackendName) -> None:
    """Whatever fails, and wherever: no frame of the SDK or of a library below it shows the key, the number, the text."""
    async with Callsavvy(
        public_key="p", private_key=KEY, base_url=UNREACHABLE, max_retries=0, backend=backend
    ) as client:
        with pytest.raises(errors.CallsavvyError) as caught:
            await FAILING[what](client)
    assert not [secret for secret in (KEY, NUMBER, TEXT) if secret in shown(caught.value)]


def test_a_client_that_cannot_be_made_shows_no_key() -> None:
    """Neither do the constructors."""
    for make in (
        lambda: Callsavvy(public_key="p", private_key=KEY, timeout=-1),
        lambda: Credentials("p", f"{KEY} {KEY}"),
    ):
        with pytest.raises(errors.ConfigurationError) as caught:
            make()
        assert KEY not in shown(caught.value)


def test_lines_and_callers_stay() -> None:
    """A cleared traceback still names every line, and the caller's own variables are left to the caller."""

    @private_arguments
    class Group:
        def fail(self, secret: str) -> None:
            raise ValueError

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the type is enough
        Group().fail("secret")
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names == ["test_lines_and_callers_stay", "cleared", "fail"]
    assert isinstance(caught.value.__traceback__.tb_frame.f_locals["Group"], type)


def test_groups_and_circles_are_walked_once() -> None:
    """Members of groups are cleared, and an error that leads to itself ends the walk."""
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first
    clear_locals(BaseExceptionGroup("both", [first, second]))


@pytest.mark.parametrize("owner", [Callsavvy, Credentials, Bulk, Batcher, Journal, Campaign])
def test_every_class_that_takes_private_arguments_is_covered(owner: type) -> None:
    """A public method that is added later is covered as well."""
    assert uncovered(owner) == []


def test_every_resource_group_is_covered() -> None:
    """So is a resource group that is added later."""
    client = Callsavvy(public_key="p", private_key="k")
    groups = [name for name, kind in vars(Callsavvy).items() if hasattr(kind, "attrname")]
    assert groups
    assert [name for name in groups if uncovered(type(getattr(client, name)))] == []


def uncovered(owner: type) -> list[str]:
    methods = {
        name: kind for name, kind in vars(owner).items() if not name.startswith("_") and inspect.isfunction(kind)
    }
    return [name for name, method in methods.items() if not hasattr(method, "__wrapped__")]


def test_signatures_stay() -> None:
    """Editors, `inspect` and mocks see the methods as they are written."""
    send = Callsavvy(public_key="p", private_key="k").messaging.send_sms
    assert [*inspect.signature(send).parameters] == ["recipients", "message", "sender_id", "options"]
    assert inspect.iscoroutinefunction(send)
    assert attrs.has(Credentials)
