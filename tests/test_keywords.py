"""Nothing that a user says is dropped: a keyword that does not exist is refused by every public callable."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import get_type_hints, is_typeddict

import attrs
import httpx
import pytest

import callsavvy_async
from callsavvy_async import SMS, Callsavvy, ConfigurationError, FixedRate
from callsavvy_async.bulk import options as bulk_options
from callsavvy_async.campaigns import Journal, RunOptions, spec
from callsavvy_async.keywords import did_you_mean, refuse_unknown

pytestmark = pytest.mark.anyio

WRONG = "max_in_fligth"
PUBLIC = [
    "callsavvy_async",
    *(f"callsavvy_async.{name}" for name in ("campaigns", "embeds", "messages", "models", "simulator", "webhooks")),
    *(f"callsavvy_async.integrations.{name}" for name in ("aiohttp", "fastapi")),
    *(f"callsavvy_async.integrations.taskqueue.{name}" for name in ("hosting", "pgqueuer", "procrastinate", "taskiq")),
]
TAKES_ANY = {"Simulator.emit"}
"""The fields of an event are data: a test of webhooks sends ones that no document names."""


def public_callables() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield every public function and class, and every public method, by its name."""
    for module_name in PUBLIC:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", None) or vars(module):
            value = getattr(module, name)
            is_own = not name.startswith("_") and getattr(value, "__module__", "").startswith("callsavvy_async")
            if is_own and callable(value) and not is_typeddict(value):
                yield name, value
                if inspect.isclass(value):
                    yield from methods(name, value)
    for group, kind in groups().items():
        yield from methods(group, kind)


def groups() -> dict[str, type]:
    """Return the classes of the groups that a client has."""
    client = Callsavvy(public_key="k", private_key="p")
    names = [name for name, value in vars(Callsavvy).items() if isinstance(value, cached_property)]
    return {name: type(getattr(client, name)) for name in names}


def methods(owner: str, kind: type) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, value in inspect.getmembers(kind, inspect.isroutine):
        if (
            not name.startswith("_")
            and callable(value)
            and str(getattr(value, "__module__", "")).startswith("callsavvy_async")
        ):
            yield f"{owner}.{name}", value


def takes_any_keyword(value: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # an exception without a constructor takes no keywords
        return False
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


CALLABLES = {name: value for name, value in public_callables() if name not in TAKES_ANY}
STRICT = {name: value for name, value in CALLABLES.items() if not takes_any_keyword(value)}
OPEN = {
    name: value for name, value in CALLABLES.items() if name not in STRICT and not getattr(value, "_is_protocol", False)
}

VALUES: dict[str, object] = {
    "message": "Hello",
    "recipients": ["+2348012345678"],
    "recipient": "+2348012345678",
    "duration_minutes": 1,
    "phone": "+2348012345678",
    "sender_email": "ada@a.example",
    "email": "ada@a.example",
    "start": date(2026, 11, 1),
    "end": date(2026, 11, 2),
    "journal": "sqlite:///runs.db",
    "url": "sqlite:///runs.db",
}
"""What required parameters are given; a text where none is named here."""
ONE_OF = {"text", "phone"}
"""Parameters that are optional because another one would do."""


def test_a_signature_without_options_refuses_them() -> None:
    """Python itself refuses what a signature does not name, before it asks for anything else."""
    taken = []
    for name, function in STRICT.items():
        try:
            result = function(**{WRONG: 1})
            if inspect.iscoroutine(result):
                result.send(None)
        except TypeError:
            continue
        taken.append(name)
    assert not taken


class Owners:
    """Objects whose methods are public. Nothing that they send reaches anybody."""

    def __init__(self, journal: Journal) -> None:
        self.client = Callsavvy(public_key="k", private_key="p", transport=httpx.MockTransport(self.refuse))
        self.journal = journal

    def refuse(self, request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.url.path} was requested")

    async def method(self, name: str) -> Callable[..., object]:
        """Return a public callable, bound to an object if it is a method."""
        owner, _, method = name.partition(".")
        if not method:
            return OPEN[name]
        client = self.client
        if owner == "Batcher":
            return getattr(await client.batcher().__aenter__(), method)
        if owner == "Campaign":
            return getattr(await self.journal.campaign("c", SMS("Hello")), method)
        owners = {"Callsavvy": client, "Bulk": client.bulk, "Journal": self.journal}
        messages = {kind.__name__: OPEN[name] for kind in callsavvy_async.Message.__subclasses__()}
        if owner in messages or owner == "Message":
            return getattr(SMS("Hello"), method)
        return getattr(owners.get(owner) or getattr(client, owner), method)

    def arguments(self, method: Callable[..., object]) -> dict[str, object]:
        """Return what the required parameters are given."""
        hints = {**VALUES, "callsavvy": self.client, "messaging": self.client.messaging}
        given: dict[str, object] = {}
        for name, parameter in inspect.signature(method).parameters.items():
            variable = parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
            if not variable and (parameter.default is parameter.empty or name in ONE_OF):
                given[name] = SMS("Hello") if parameter.annotation == "Message" else hints.get(name, "x")
        if "method" in given:
            given["method"] = self.client.account.summary
        return given


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_option_that_does_not_exist_is_refused(anyio_backend: object, tmp_path: Path) -> None:
    """Whatever takes keyword options refuses one that does not exist, by name, before anything is read or sent."""
    async with Journal.open(f"sqlite:///{tmp_path}/runs.db") as journal:
        owners = Owners(journal)
        said = {name: await outcome_of_wrong(owners, name) for name in OPEN}
    refusal = f"ConfigurationError: .*no option '{WRONG}'"
    assert {name: text for name, text in said.items() if not re.match(refusal, text)} == {}


async def outcome_of_wrong(owners: Owners, name: str) -> str:
    """Give a public callable an option that does not exist; return its error as text."""
    method = await owners.method(name)
    arguments = owners.arguments(method)
    try:
        result = method(**arguments, **{WRONG: 1})
        if inspect.isasyncgen(result) or isinstance(result, AsyncIterator):
            await anext(result)
        elif inspect.isawaitable(result):
            await result
    except Exception as error:  # noqa: BLE001 - the test lists what is not refused as it should be
        return f"{type(error).__name__}: {error}"
    return "taken"


def test_every_option_that_is_declared_is_known() -> None:
    """Each group of options is declared for type checkers and for the program, under the same names."""
    pairs = {
        bulk_options.RecipientOptions: bulk_options.RecipientSettings,
        bulk_options.BulkOptions: bulk_options.BulkSettings,
        RunOptions: bulk_options.SendSettings,
        spec.CampaignOptions: spec.CampaignSettings,
    }
    for declared, known in pairs.items():
        assert get_type_hints(declared).keys() == {field.name for field in attrs.fields(known)}


def test_limits_of_endpoints_that_do_not_exist_are_refused() -> None:
    """A limit that nothing would keep to is a misspelt one, and the right one is suggested."""
    keys = {"public_key": "k", "private_key": "p"}
    with pytest.raises(ConfigurationError, match=r"pacing has no endpoint 'sendSms'\. Did you mean 'sendSMS'"):
        Callsavvy(**keys, pacing={"sendSms": FixedRate("1/s")})
    with pytest.raises(ConfigurationError, match="no endpoint 'sms'"):
        Callsavvy(**keys, pacing={"sms": FixedRate("1/s"), "*": FixedRate("1/s")})
    Callsavvy(**keys, pacing={"sendSMS": FixedRate("1/s"), "*": FixedRate("1/s")})


def test_suggestions() -> None:
    """The most alike name is suggested without regard to case; where none is, none."""
    assert did_you_mean("SENDSMS", ["sendSMS", "sendWhatsapp"]) == " Did you mean 'sendSMS'?"
    assert did_you_mean("zzz", ["sendSMS"]) == ""
    refuse_unknown([], ["a"], kind="option", where="x")
