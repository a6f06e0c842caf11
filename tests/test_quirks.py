"""Every quirk of the API document, by its number (Q01 to Q61), as the rule that the SDK holds because of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from callsavvy_async import (
    BASE_URL,
    AuthenticationError,
    BadRequestError,
    Callsavvy,
    ConfigurationError,
    Credentials,
    DecodeError,
    InsufficientBalanceError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    RedirectError,
    ResponseTooLargeError,
    SendReceipt,
    ServerError,
    embeds,
)
from callsavvy_async.messages.segments import Encoding, count_segments
from callsavvy_async.models import ChatStatus, SendStatus, TicketStatus
from callsavvy_async.simulator import ENDPOINTS, Simulator
from callsavvy_async.webhooks import (
    CallerCard,
    CallerInformation,
    CallSummary,
    ChatbotCallback,
    Event,
    NewTicket,
    UnknownEvent,
    Webhooks,
    parse,
)
from tests.profiles import mostly_long

pytestmark = pytest.mark.anyio


@pytest.fixture(params=mostly_long(["asyncio", "trio"]))
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """What the API's document leaves open is read the same on every loop."""
    return request.param


NUMBER = "+2348012345678"
SECRET = "a-secret-of-a-fair-length"


def test_every_quirk_is_held() -> None:
    """Each number from 1 to 61 has exactly one test."""
    tested = [int(number) for number in re.findall(r"def test_q(\d\d)_", Path(__file__).read_text("utf-8"))]
    assert sorted(tested) == list(range(1, 62))


def success(data: object = None, **more: object) -> httpx.Response:
    return httpx.Response(200, json={"resource": "x", "status": "success", "data": data, **more})


def error(status: int, message: str = "No.") -> httpx.Response:
    return httpx.Response(status, json={"resource": "x", "status": "error", "message": message})


Scripted = Any  # the fixture of tests/conftest.py


def sent(scripted: Scripted) -> dict[str, object]:
    """The parameters of the last request."""
    body: dict[str, object] = json.loads(scripted.requests[-1].content)
    return body


def sent_path(scripted: Scripted) -> str:
    path: str = scripted.requests[-1].url.path
    return path


# ---------------------------------------------------------------------- A. transport, authentication, envelope


def test_q01_base_url() -> None:
    """The base URL holds /v1 and may be changed; plain http goes to loopback only, unless it is insisted on."""
    assert BASE_URL == "https://api.getcallsavvy.com/v1"
    for url in ("http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:1/v1", "https://proxy.example/v1"):
        Callsavvy(Credentials.SANDBOX, base_url=url)
    with pytest.raises(ConfigurationError, match="keys unencrypted"):
        Callsavvy(Credentials.SANDBOX, base_url="http://api.getcallsavvy.com/v1")
    Callsavvy(Credentials.SANDBOX, base_url="http://10.0.0.1/v1", allow_insecure=True)


@pytest.mark.parametrize("call", [lambda c: c.account.summary(), lambda c: c.contacts.list()])
async def test_q02_always_post(call: Callable[[Callsavvy], object], scripted: Scripted) -> None:
    """Reads are POST too."""
    await call(scripted(success()))
    assert scripted.requests[-1].method == "POST"


async def test_q03_empty_object(scripted: Scripted) -> None:
    """Endpoints without a body are sent ``{}`` as JSON."""
    client = scripted(success())
    for call in (
        client.account.summary,
        client.account.departments,
        client.account.categories,
        client.account.agents,
        client.contacts.groups,
    ):
        await call()
        request = scripted.requests[-1]
        assert request.content == b"{}"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["content-length"] == "2"


async def test_q04_no_placeholder(scripted: Scripted) -> None:
    """The sample's ``{"parameter":"value"}`` is never sent."""
    await scripted(success()).account.summary()
    assert "parameter" not in sent(scripted)


async def test_q05_misspelt_names(scripted: Scripted) -> None:
    """The wire says messanger, we say messenger."""
    client = scripted(success([{"messanger_id": "m1"}]))
    (messenger,) = await client.chats.messengers()
    assert messenger.messenger_id == "m1"
    assert sent_path(scripted) == "/v1/getMessangers"


async def test_q06_literal_paths(scripted: Scripted) -> None:
    """Paths are the resources' own words, with their capitals and without a full stop."""
    client = scripted(success())
    await client.messaging.send_sms(NUMBER, "Hi")
    assert sent_path(scripted) == "/v1/sendSMS"
    await client.messaging.send_whatsapp(NUMBER, "Hi", channel_uid="u")
    assert sent_path(scripted) == "/v1/sendWhatsapp"
    await client.account.agents()
    assert sent_path(scripted) == "/v1/getAgents"


async def test_q07_no_break_spaces(scripted: Scripted) -> None:
    """An answer indented with U+00A0 is no JSON: a decode error with the raw bytes."""
    body = '{\u00a0"status":"success"}'.encode()
    with pytest.raises(DecodeError) as caught:
        await scripted(httpx.Response(200, content=body)).account.summary()
    assert caught.value.body == body


async def test_q08_keys(scripted: Scripted) -> None:
    """Both keys go with each request, show up nowhere, follow no redirect; 401 and 403 are final and name whitelisting."""
    client = scripted(
        success(), error(401), error(403), httpx.Response(307, headers={"location": "https://evil.example"})
    )
    await client.account.summary()
    headers = scripted.requests[-1].headers
    assert (headers["public-key"], headers["private-key"]) == ("TEST-public", "TEST-private")
    assert "TEST-" not in repr(client)
    assert "TEST-" not in repr(Credentials.SANDBOX)
    with pytest.raises(AuthenticationError, match="Whitelisted Domains"):
        await client.account.summary()
    with pytest.raises(PermissionDeniedError, match="Whitelisted Domains"):
        await client.account.summary()
    with pytest.raises(RedirectError, match=r"evil\.example"):
        await client.account.summary()
    assert len(scripted.requests) == 4


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "success", "data": {"sms_balance": "4,"},}',
        b'{"status": "success", "data": [}',
        b'{"status": "success" "data": {}}',
    ],
)
async def test_q09_no_silent_repair(body: bytes, scripted: Scripted) -> None:
    """The samples' slips are not repaired: a decode error for reads, unknown for sends, raw bytes kept."""
    with pytest.raises(DecodeError) as read:
        await scripted(httpx.Response(200, content=body)).account.summary()
    with pytest.raises(OutcomeUnknownError) as send:
        await scripted(httpx.Response(200, content=body)).messaging.send_sms(NUMBER, "Hi")
    assert read.value.body == send.value.body == body


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(401), AuthenticationError),
        (error(402), InsufficientBalanceError),
        (error(404), NotFoundError),
        (error(422), BadRequestError),
        (error(422, "Insufficient SMS balance"), InsufficientBalanceError),
        (error(500), ServerError),
    ],
)
async def test_q10_status_first(answer: httpx.Response, kind: type[Exception], scripted: Scripted) -> None:
    """The HTTP status decides, the message's words are a hint, and the error keeps both."""
    with pytest.raises(kind) as caught:
        await scripted(answer, max_retries=0).account.summary()
    assert caught.value.status_code == answer.status_code
    assert caught.value.message == answer.json()["message"]
    assert caught.value.endpoint == "getSummary"


async def test_q11_error_on_200(scripted: Scripted) -> None:
    """Success is a 2xx whose envelope says success."""
    with pytest.raises(BadRequestError, match="Nope"):
        await scripted(error(200, "Nope")).messaging.send_sms(NUMBER, "Hi")


async def test_q12_two_statuses(scripted: Scripted) -> None:
    """The envelope's status and the data's are never mixed: accepted as a call, failed as a sending."""
    client = scripted(success({"status": "failed"}))
    receipt = await client.messaging.send_sms(NUMBER, "Hi")
    assert receipt.status is SendStatus.FAILED
    assert receipt.failed
    assert len(scripted.requests) == 1


async def test_q13_numbers_are_text(scripted: Scripted) -> None:
    """Numbers are read as text or number, sent as text, and an unreadable balance spoils no other."""
    client = scripted(
        success({"sms_balance": "12.50", "inbound_call_balance": 7, "outbound_local_call_balance": "Unlimited"})
    )
    summary = await client.account.summary()
    assert (summary.sms_balance, summary.inbound_call_balance) == (Decimal("12.50"), Decimal(7))
    assert summary.outbound_local_call_balance is None
    assert summary.extra == {"outbound_local_call_balance": "Unlimited"}
    await client.messaging.send_robocall(NUMBER, duration_minutes=2, text="Hi")
    assert sent(scripted)["duration"] == "2"


async def test_q14_summaries_differ(scripted: Scripted) -> None:
    """All fields of the summary are optional; the account's status is free text."""
    summary = await scripted(success({"business_id": "b", "account_status": "Whatever"})).account.summary()
    assert (summary.business_id, summary.account_status, summary.assigned_number) == ("b", "Whatever", None)


@pytest.mark.parametrize("data", [None, "", [], {}], ids=repr)
async def test_q15_absence(data: object, scripted: Scripted) -> None:
    """Missing, null, "", [] and {} are all nothing, and {"0": ...} is a list."""
    client = scripted(success(data), success(data), success({"0": {"ticket_id": "1"}}))
    assert await client.tickets.list() == ()
    assert (await client.messaging.send_sms(NUMBER, "Hi")) == SendReceipt()
    assert [ticket.ticket_id for ticket in await client.tickets.list()] == ["1"]


async def test_q16_times_without_zone(scripted: Scripted) -> None:
    """Times are naive, or in the zone that the user configures; nonsense is None with the text kept."""
    rows = success([{"datetime": "2026-11-22 08:15:00"}, {"datetime": "0000-00-00 00:00:00"}])
    naive, nothing = await scripted(rows).tickets.list()
    assert naive.created_at == datetime(2026, 11, 22, 8, 15)  # noqa: DTZ001 - as the API's own
    assert nothing.created_at is None
    assert nothing.extra == {"datetime": "0000-00-00 00:00:00"}
    lagos = ZoneInfo("Africa/Lagos")
    aware, _ = await scripted(rows, timezone=lagos).tickets.list()
    assert aware.created_at == datetime(2026, 11, 22, 8, 15, tzinfo=lagos)


async def test_q17_rate_limits(scripted: Scripted) -> None:
    """A 429 is honoured with its Retry-After, for paid calls too, and the client works without any limit."""
    limited = httpx.Response(429, headers={"retry-after": "0.01"})
    client = scripted(limited, limited, success({"status": "sent"}))
    assert (await client.messaging.send_sms(NUMBER, "Hi")).status is SendStatus.SENT
    with pytest.raises(RateLimitError, match="deadline"):
        await scripted(httpx.Response(429, headers={"retry-after": "60"}), deadline=1).account.summary()


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.messaging.send_sms(NUMBER, "Hi"),
        lambda c: c.messaging.send_robocall(NUMBER, duration_minutes=1, text="Hi"),
        lambda c: c.messaging.send_whatsapp(NUMBER, "Hi", channel_uid="u"),
        lambda c: c.tickets.create(department_id="d", sender_name="n", sender_email="e@x", subject="s", message="m"),
        lambda c: c.tickets.reply("t", message="m"),
        lambda c: c.meetings.create("t"),
        lambda c: c.contacts.create("n", email="e@x"),
    ],
    ids=["sms", "robocall", "whatsapp", "ticket", "reply", "meeting", "contact"],
)
async def test_q18_a_lost_answer_is_unknown(call: Callable[[Callsavvy], object], scripted: Scripted) -> None:
    """Without any key or look-up, a call that spends or creates is never repeated after its answer was lost."""
    with pytest.raises(OutcomeUnknownError, match="check before you resend"):
        await call(scripted(httpx.ReadTimeout("lost"), success()))
    assert len(scripted.requests) == 1


def test_q19_sandbox_keys() -> None:
    """The published test keys are a constant and never a default."""
    assert Credentials.SANDBOX.public_key.startswith("TEST-")
    assert Credentials.SANDBOX.private_key.startswith("TEST-")
    with pytest.raises(ConfigurationError, match="give either"):
        Callsavvy()


async def test_q20_no_paging(scripted: Scripted) -> None:
    """The answer's size is bounded, and the error says what to do."""
    with pytest.raises(ResponseTooLargeError, match="ask for a shorter period"):
        await scripted(success([{"ticket_id": "1"}] * 100), max_response_bytes=500).tickets.list()


@pytest.mark.parametrize(
    "period",
    ["2026-11", "2026-11-22", "2026-11-22 08:15:00", date(2026, 11, 22), datetime(2026, 11, 22, 8, 15)],  # noqa: DTZ001
)
async def test_q21_periods_are_passed_through(period: object, scripted: Scripted) -> None:
    """Only the pattern is checked; iterating drops doubles by id."""
    client = scripted(success([{"call_id": "1"}, {"call_id": "1"}]))
    await client.calls.list(period=period)
    assert sent(scripted)["datetime"] == str(period)
    with pytest.raises(InvalidRequestError, match="period is '11/2026'"):
        await client.calls.list(period="11/2026")
    assert [call.call_id async for call in client.calls.iter(start=date(2026, 11, 1), end=date(2026, 11, 2))] == ["1"]


async def test_q39_content_type_says_nothing(scripted: Scripted) -> None:
    """JSON is JSON under any content type; a gateway's HTML page is a server error."""
    odd = httpx.Response(200, content=b'{"status":"success"}', headers={"content-type": "text/html"})
    await scripted(odd).account.summary()
    page = httpx.Response(502, html="<h1>Bad Gateway</h1>", headers={"content-type": "application/json"})
    with pytest.raises(ServerError):
        await scripted(page, max_retries=0).account.summary()


# ----------------------------------------------------------------------------------------------------- B. tickets


async def test_q22_ticket_statuses(scripted: Scripted) -> None:
    """Exact words are sent, words are read in any case, unknown ones are kept."""
    client = scripted(success([{"ticket_status": "awaiting AGENT reply"}, {"ticket_status": "On Hold"}]))
    known, unknown = await client.tickets.list(status="awaiting customer reply")
    assert sent(scripted)["ticket_status"] == "Awaiting Customer Reply"
    assert known.status is TicketStatus.AWAITING_AGENT_REPLY
    assert unknown.status == "On Hold"
    assert not unknown.status.known


async def test_q23_resource_is_not_compared(scripted: Scripted) -> None:
    """The answer's ``resource`` may be any."""
    items = await scripted(success([{"conversation_id": "c"}], resource="getTicket")).tickets.conversation("t")
    assert [item.conversation_id for item in items] == ["c"]


async def test_q24_false_is_false(scripted: Scripted) -> None:
    """The text "false" is not true; the sample's slip is neither."""
    rows = success([{"from_agent": word} for word in ("true", "false", True, "", "valu'false'")])
    assert [item.from_agent for item in await scripted(rows).tickets.conversation("t")] == [
        True,
        False,
        True,
        None,
        None,
    ]


async def test_q25_files(scripted: Scripted) -> None:
    """Files are cut at commas before a scheme, "" is none, a real list is taken."""
    rows = success([{"files": "https://x/a,b.png,https://x/c"}, {"files": ""}, {"files": ["https://x/d"]}])
    files = [item.files for item in await scripted(rows).tickets.conversation("t")]
    assert files == [("https://x/a,b.png", "https://x/c"), (), ("https://x/d",)]


async def test_q26_html_is_handed_over(scripted: Scripted) -> None:
    """A message is not changed, and not shown."""
    html = "<script>alert(1)</script>"
    (item,) = await scripted(success([{"message": html}])).tickets.conversation("t")
    assert item.message == html
    assert "script" not in repr(item)


async def test_q27_create_ticket_maps_names(scripted: Scripted) -> None:
    """ticket_subject goes out, subject comes back."""
    client = scripted(success({"ticket_id": "t", "subject": "s"}))
    created = await client.tickets.create(
        department_id="d", sender_name="n", sender_email="e@x", subject="s", message="m"
    )
    assert (created.ticket_id, created.subject) == ("t", "s")
    assert {"ticket_subject", "ticket_message"} < sent(scripted).keys()
    assert len(scripted.requests) == 1


async def test_q28_reply_takes_the_tickets_id(scripted: Scripted) -> None:
    """ticket_id is the ticket's, whatever the document's copied text says."""
    await scripted(success()).tickets.reply("the-ticket", message="m")
    assert sent(scripted)["ticket_id"] == "the-ticket"


async def test_q29_replying_agent(scripted: Scripted) -> None:
    """None leaves the agent out; "" is sent as it is."""
    client = scripted(success())
    await client.tickets.reply("t", message="m")
    assert "replying_agent_id" not in sent(scripted)
    await client.tickets.reply("t", message="m", agent_id="")
    assert sent(scripted)["replying_agent_id"] == ""


async def test_q30_response_date(scripted: Scripted) -> None:
    """The date is always sent, whole, without microseconds, in the account's zone; new_status is an open word."""
    client = scripted(success({"new_status": "closed"}), timezone=ZoneInfo("Africa/Lagos"))
    reply = await client.tickets.reply("t", message="m")
    assert reply.new_status is TicketStatus.CLOSED
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(sent(scripted)["response_date"]))
    await client.tickets.reply("t", message="m", replied_at=datetime(2026, 1, 2, 3, 4, 5, 678, ZoneInfo("UTC")))
    assert sent(scripted)["response_date"] == "2026-01-02 04:04:05"
    with pytest.raises(InvalidRequestError, match="timezone="):
        await scripted(success()).tickets.reply("t", message="m", replied_at=datetime.now(ZoneInfo("UTC")))


# ---------------------------------------------------------------------------------------------- C. calls and chats


async def test_q31_category(scripted: Scripted) -> None:
    """The filter is an id, the answer a text."""
    (call,) = await scripted(success([{"category": "Billing"}])).calls.list(category_id="c1")
    assert sent(scripted) == {"category": "c1"}
    assert call.category == "Billing"


async def test_q32_calls_and_chats(scripted: Scripted) -> None:
    """Seconds are a timedelta, the caller is the other party, words are open, what is empty is None."""
    (call,) = await scripted(success([{"duration": "65", "caller": NUMBER, "recording_url": ""}])).calls.list()
    assert (call.duration, call.other_party, call.recording_url) == (timedelta(seconds=65), NUMBER, None)
    (chat,) = await scripted(success([{"chat_status": "engaged", "visitor_phone": ""}])).chats.list()
    assert (chat.status, chat.visitor_phone) == (ChatStatus.ENGAGED, None)


# -------------------------------------------------------------------------------------- D. meetings and contacts


async def test_q33_meetings_have_no_time_of_day(scripted: Scripted) -> None:
    """ListMeetings takes months and days only."""
    client = scripted(success())
    await client.meetings.list(period="2026-11")
    await client.meetings.list(period=date(2026, 11, 22))
    assert sent(scripted) == {"datetime": "2026-11-22"}
    for period in ("2026-11-22 08:15:00", datetime(2026, 11, 22, 8, 15)):  # noqa: DTZ001 - as the API's own
        with pytest.raises(InvalidRequestError, match="'YYYY-MM-DD', a date"):
            await client.meetings.list(period=period)


async def test_q34_start_link_is_secret(scripted: Scripted) -> None:
    """The host's link is readable and never shown."""
    link = "https://meet.example/m?s=hostsecret"
    client = scripted(success({"start_link": link}))
    details, created = await client.meetings.get("m"), await client.meetings.create("t")
    assert details.start_link == created.start_link == link
    assert "hostsecret" not in repr(details) + repr(created)


async def test_q35_meetings_without_time(scripted: Scripted) -> None:
    """No date is sent, and none is needed in the answer."""
    created = await scripted(success({"meeting_id": "m", "title": "t"})).meetings.create("t")
    assert created.meeting_id == "m"
    assert sent(scripted) == {"title": "t"}
    assert (await scripted(success({"meeting_id": "m"})).meetings.get("m")).held_at is None


async def test_q36_ids_are_opaque(scripted: Scripted) -> None:
    """An id goes out as it came in, "=" and all, in the body; e-mail, phone and group may be empty."""
    client = scripted(success([{"contact_id": "376d03ghjsb==", "email": "", "phone": "", "group_id": ""}]))
    (contact,) = await client.contacts.list()
    assert (contact.email, contact.phone, contact.group_id) == (None, None, None)
    await client.contacts.delete(contact.contact_id)
    assert sent(scripted) == {"contact_id": "376d03ghjsb=="}
    assert sent_path(scripted) == "/v1/deleteContact"


async def test_q37_a_contact_needs_one_way_to_reach_it(scripted: Scripted) -> None:
    """E-mail, phone or both; neither is refused before anything is sent."""
    client = scripted(success({"contact_id": "c"}))
    await client.contacts.create("Ada", phone="00234 801 234 5678")
    assert sent(scripted) == {"name": "Ada", "phone": "00234 801 234 5678"}  # address books hold national numbers, too
    with pytest.raises(InvalidRequestError, match="give email=, phone=, or both"):
        await client.contacts.create("Ada", email="", phone="")
    assert len(scripted.requests) == 1


async def test_q38_delete_is_repeated(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a lost answer it is repeated, and "not found" then means deleted; at first sight it is an error."""
    monkeypatch.setattr("random.random", lambda: 0.0)
    client = scripted(httpx.ReadError("lost"), error(404))
    assert (await client.contacts.delete("c")).contact_id is None
    with pytest.raises(NotFoundError):
        await client.contacts.delete("c")
    assert len(scripted.requests) == 3


# ------------------------------------------------------------------------------------------------- E. messaging


async def test_q40_one_status_for_all(scripted: Scripted) -> None:
    """One receipt for the whole call; the sample's list of alternatives is no status that we know."""
    client = scripted(success({"message_id": "m", "cost": "4", "status": "sent | queued | failed"}))
    receipt = await client.messaging.send_sms([NUMBER, "+447700900123"], "Hi")
    assert receipt.message_id == "m"
    assert receipt.status == "sent | queued | failed"
    assert not receipt.status.known
    assert not receipt.failed


async def test_q41_cost_as_reported(scripted: Scripted) -> None:
    """The cost is a Decimal, as it came."""
    assert (await scripted(success({"cost": "12.40"})).messaging.send_sms(NUMBER, "Hi")).cost == Decimal("12.40")


async def test_q42_sender_id_is_passed_through(scripted: Scripted) -> None:
    """Whatever its length and alphabet."""
    client = scripted(success())
    await client.messaging.send_sms(NUMBER, "Hi", sender_id="Ädä & Söns Ltd.")
    assert sent(scripted)["sender_id"] == "Ädä & Söns Ltd."


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ("+2240099887", "+2240099887"),
        ("+447989987", "+447989987"),
        ("+1888777666", "+1888777666"),
        ("00234 (801) 234-5678", NUMBER),
        ("234 801 234 5678", NUMBER),
    ],
)
async def test_q43_numbers_are_normalised(given: str, wire: str, scripted: Scripted) -> None:
    """Fillers go, 00 becomes +, and the document's own samples pass."""
    await scripted(success()).messaging.send_sms(given, "Hi")
    assert sent(scripted)["recipient"] == wire


async def test_q44_the_comma_is_the_separator(scripted: Scripted) -> None:
    """Recipients are joined by commas alone, each once; a comma inside one is refused."""
    client = scripted(success())
    await client.messaging.send_sms([NUMBER, "+447700900123", "002348012345678"], "Hi")
    assert sent(scripted)["recipient"] == f"{NUMBER},+447700900123"
    for injected in (f"{NUMBER},+447700900123", f"{NUMBER};+447700900123", ""):
        with pytest.raises(InvalidRequestError) as caught:
            await client.messaging.send_sms([injected], "Hi")
        assert NUMBER not in str(caught.value)
    with pytest.raises(InvalidRequestError, match="recipients is empty"):
        await client.messaging.send_sms([], "Hi")


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("a" * 160, Encoding.GSM_7, 1),
        ("a" * 161, Encoding.GSM_7, 2),
        ("€" * 80, Encoding.GSM_7, 1),
        ("€" * 81, Encoding.GSM_7, 2),
        ("я" * 70, Encoding.UCS_2, 1),
        ("я" * 71, Encoding.UCS_2, 2),
    ],
)
def test_q45_pagination(text: str, encoding: Encoding, segments: int) -> None:
    """GSM-7 pages are 160 and 153 septets, extension characters count twice; UCS-2 pages are 70 and 67."""
    counted = count_segments(text)
    assert (counted.encoding, counted.segments) == (encoding, segments)


async def test_q46_two_kinds_of_robocall(scripted: Scripted) -> None:
    """audio_url or text choose the exact words of call_type; the URL is checked."""
    client = scripted(success())
    await client.messaging.send_robocall(NUMBER, duration_minutes=1, audio_url="https://x.example/a.mp3")
    assert sent(scripted)["call_type"] == "Pre-recorded-Audio"
    await client.messaging.send_robocall(NUMBER, duration_minutes=1, text="Hello")
    assert sent(scripted)["call_type"] == "Text-2-Speech"
    for url in ("ftp://x.example/a.mp3", "a.mp3", "https://x.example/a b.mp3", "https://", "http://[broken"):
        with pytest.raises(InvalidRequestError, match="audio_url"):
            await client.messaging.send_robocall(NUMBER, duration_minutes=1, audio_url=url)
    for both in ({}, {"audio_url": "https://x.example/a.mp3", "text": "Hello"}):
        with pytest.raises(InvalidRequestError, match="exactly one"):
            await client.messaging.send_robocall(NUMBER, duration_minutes=1, **both)


@pytest.mark.parametrize(
    ("duration", "wire"),
    [(2, "2"), (Decimal("1.50"), "1.5"), (timedelta(seconds=90), "1.5"), (timedelta(minutes=10), "10"), (100, "100")],
)
async def test_q47_minutes(duration: int | Decimal | timedelta, wire: str, scripted: Scripted) -> None:
    """A robocall's duration is minutes, as plain text, and more than none."""
    client = scripted(success())
    await client.messaging.send_robocall(NUMBER, duration_minutes=duration, text="Hi")
    assert sent(scripted)["duration"] == wire
    for wrong in (0, -1, timedelta(0), Decimal("NaN"), Decimal("Infinity"), "two", None):
        with pytest.raises(InvalidRequestError, match="duration_minutes"):
            await client.messaging.send_robocall(NUMBER, duration_minutes=wrong, text="Hi")


async def test_q48_whatsapp_answers_only_status(scripted: Scripted) -> None:
    """Neither id nor cost is needed."""
    receipt = await scripted(success({"status": "sent"})).messaging.send_whatsapp(NUMBER, "Hi", channel_uid="u")
    assert (receipt.status, receipt.message_id, receipt.cost) == (SendStatus.SENT, None, None)


async def test_q49_thirty_recipients(scripted: Scripted) -> None:
    """WhatsApp takes 30 at most, counted after doubles went; more is refused before anything is sent."""
    client = scripted(success())
    numbers = [f"+23480123456{i:02}" for i in range(31)]
    await client.messaging.send_whatsapp([*numbers[:30], numbers[0]], "Hi", channel_uid="u")
    assert str(sent(scripted)["recipient"]).count(",") == 29
    with pytest.raises(InvalidRequestError, match="one request takes at most 30"):
        await client.messaging.send_whatsapp(numbers, "Hi", channel_uid="u")
    assert len(scripted.requests) == 1
    await client.messaging.send_sms(numbers, "Hi")


async def test_q50_channel_uid_is_required(scripted: Scripted) -> None:
    """There is no default channel."""
    client = scripted(success())
    with pytest.raises(TypeError, match="channel_uid"):
        await client.messaging.send_whatsapp(NUMBER, "Hi")
    with pytest.raises(InvalidRequestError, match="channel_uid is blank"):
        await client.messaging.send_whatsapp(NUMBER, "Hi", channel_uid=" ")
    assert Simulator().world.whatsapp_uids
    assert any(parameter.name == "uid" and parameter.required for parameter in ENDPOINTS["sendWhatsapp"].parameters)


# ------------------------------------------------------------------------------------------------------- F. Webhooks


async def test_q51_without_a_signature_a_secret_path_is_what_lets_in() -> None:
    """No secret is an error; a wrong one is a 404 like any unknown path."""
    with pytest.raises(ConfigurationError, match="secret"):
        Webhooks()
    reply = await Webhooks(secrets=[SECRET]).handle(token="wrong", body=b'{"event":"callSummary"}')
    assert reply.status == 404


async def test_q52_doubles_are_left_out_by_content_and_a_short_window_only_when_asked() -> None:
    """There is no event id: equal bodies run twice, unless a window is set."""
    for window, times in ((None, 2), (60.0, 1)):
        seen: list[Event] = []
        hooks = Webhooks(secrets=[SECRET], duplicate_window=window)

        async def note(event: CallSummary, seen: list[Event] = seen) -> None:
            seen.append(event)

        hooks.on(CallSummary)(note)
        async with hooks:
            for _ in range(2):
                assert (await hooks.handle(token=SECRET, body=b'{"event":"callSummary"}')).status == 200
        assert len(seen) == times


def test_q53_the_form_is_known_by_its_first_byte() -> None:
    """ChatbotCallback is form-encoded, whatever its Content-Type says; blanks and blank values are read."""
    body = b"event=chatbotCallback&original_message=Hi+there&department=&bot_name=B"
    event = parse(body, content_type="application/json")
    assert isinstance(event, ChatbotCallback)
    assert (event.original_message, event.department, event.bot_name) == ("Hi there", None, "B")


async def test_q54_a_failing_handler_never_breaks_a_live_call() -> None:
    """CallerInformation is answered with an empty success when the handler fails."""
    hooks = Webhooks(secrets=[SECRET])

    @hooks.on(CallerInformation)
    async def broken(event: CallerInformation) -> CallerCard | None:
        raise RuntimeError("the database is gone")

    async with hooks:
        reply = await hooks.handle(token=SECRET, body=b'{"event":"callerInformation"}')
    assert reply.status == 200
    assert json.loads(reply.body) == {"status": "success", "caller_name": "", "caller_email": "", "customer_info": ""}


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ("callSummary", "call_department"),
        ("callerInformation", "call_department"),
        ("newTicketOpened", "ticket_department"),
        ("ticketEscalated", "ticket_department"),
        ("newChat", "chat_department"),
    ],
)
def test_q55_one_name_for_the_department(event: str, key: str) -> None:
    """The department's id is `department_id` in every event, whatever its name on the wire."""
    parsed = parse(json.dumps({"event": event, key: "d1"}).encode())
    assert getattr(parsed, "department_id") == "d1"  # noqa: B009 - the types differ


def test_q56_what_is_missing_on_the_wire_is_not_invented() -> None:
    """CallSummary has no call id and newChat no chat id; an empty recording URL is None."""
    summary = parse(b'{"event":"callSummary","call_duration":"61","recording_url":"","call_direction":"Outgoing"}')
    assert isinstance(summary, CallSummary)
    assert (summary.duration, summary.recording_url) == (timedelta(seconds=61), None)
    assert not hasattr(summary, "call_id")
    assert not hasattr(parse(b'{"event":"newChat"}'), "chat_id")


def test_q57_events_are_known_by_their_exact_names() -> None:
    """The title "New Ticket" means newTicketOpened; a name that is not known is no error."""
    assert isinstance(parse(b'{"event":"newTicketOpened"}'), NewTicket)
    unknown = parse(b'{"event":"newticketopened","x":"1"}')
    assert isinstance(unknown, UnknownEvent)
    assert unknown.extra == {"x": "1"}


async def test_q58_notifications_are_acknowledged_with_an_empty_200() -> None:
    """No response is expected: 200, no body, for any content type."""
    hooks = Webhooks(secrets=[SECRET])
    async with hooks:
        for content_type in (None, "text/plain", "application/json"):
            reply = await hooks.handle(token=SECRET, body=b'{"event":"newChat"}', content_type=content_type)
            assert (reply.status, reply.body) == (200, b"")


# -------------------------------------------------------------------------------------------------------- G. Widgets


def test_q59_widget_urls_are_the_documents() -> None:
    """The colour word is base64, percent-encoded; so is every inserted value."""
    call = embeds.call("KEY-1", department="a b&c", theme="green")
    assert call.src == "https://plugin.getcallsavvy.com/call/KEY-1?p&d=a%20b%26c&c=Z3JlZW4%3D"
    assert embeds.chat("KEY-1").src == "https://plugin.getcallsavvy.com/chat/KEY-1?p&c=Z3JlZW4%3D"


def test_q60_ids_are_kept_byte_for_byte() -> None:
    """Misspelt as they are, and with the key glued on."""
    assert 'id="callservy_call_button"' in embeds.call("KEY-1", department="d").call_button("Call")
    assert 'id="callservy_ticket_widget_holderKEY-1"' in embeds.ticket_form("KEY-1").html()
    assert "setAttribute('crossorigin','*')" in embeds.chat("KEY-1").script()


def test_q61_the_department_uid_of_a_widget_is_its_own_text() -> None:
    """Whether it is a department_id is not said: it is taken as it comes, and is required."""
    with pytest.raises(TypeError):
        embeds.call("KEY-1")  # type: ignore[call-arg]
    assert "d=any-uid" in embeds.call("KEY-1", department="any-uid").src
