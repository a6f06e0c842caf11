"""SDKs of other messaging APIs, used for one SMS as in their documentation. Blocking SDKs send one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from benchmarks.speed.answers import NUMBER, TEXT
from benchmarks.speed.target import Call, Target

SENDER = "+15005550006"


@asynccontextmanager
async def telnyx(target: Target) -> AsyncIterator[Call]:
    """Send with telnyx over httpx, its default."""
    from telnyx import AsyncTelnyx  # noqa: PLC0415 - one contestant in a process

    async with AsyncTelnyx(api_key="key", base_url=f"{target.url}/v2") as client:

        async def call() -> None:
            await client.messages.send(to=NUMBER, from_=SENDER, text=TEXT)

        yield call


@asynccontextmanager
async def telnyx_aiohttp(target: Target) -> AsyncIterator[Call]:
    """Send with telnyx over aiohttp, which is faster."""
    from telnyx import AsyncTelnyx, DefaultAioHttpClient  # noqa: PLC0415

    async with AsyncTelnyx(api_key="key", base_url=f"{target.url}/v2", http_client=DefaultAioHttpClient()) as client:

        async def call() -> None:
            await client.messages.send(to=NUMBER, from_=SENDER, text=TEXT)

        yield call


@asynccontextmanager
async def twilio(target: Target) -> AsyncIterator[Call]:
    """Send with twilio's asynchronous client."""
    from twilio.http.async_http_client import AsyncTwilioHttpClient  # noqa: PLC0415
    from twilio.rest import Client  # noqa: PLC0415

    async with AsyncTwilioHttpClient() as http:
        client = Client("AC00000000000000000000000000000000", "token", http_client=http)
        client.api.base_url = target.url

        async def call() -> None:
            await client.messages.create_async(to=NUMBER, from_=SENDER, body=TEXT)

        yield call


@asynccontextmanager
async def vonage(target: Target) -> AsyncIterator[Call]:
    """Send with vonage, which supports only https."""
    from vonage import Auth, HttpClientOptions, Vonage  # noqa: PLC0415
    from vonage_sms import SmsMessage  # noqa: PLC0415

    host = target.url.partition("://")[2]
    client = Vonage(Auth(api_key="key", api_secret="secret"), HttpClientOptions(api_host=host, rest_host=host))
    yield _blocking(lambda: client.sms.send(SmsMessage(to=NUMBER[1:], from_="Acme", text=TEXT)))


@asynccontextmanager
async def plivo(target: Target) -> AsyncIterator[Call]:
    """Send with plivo."""
    from plivo.rest import client as module  # noqa: PLC0415

    module.PLIVO_API_BASE_URI = f"{target.url}/v1/Account"
    client = module.Client("MAXXXXXXXXXXXXXXXXXX", "token")
    if target.secure:
        client.session.verify = target.certificates  # it ignores the environment variables
    yield _blocking(lambda: client.messages.create(src=SENDER, dst=NUMBER, text=TEXT))


@asynccontextmanager
async def sinch(target: Target) -> AsyncIterator[Call]:
    """Send with sinch."""
    from sinch import SinchClient  # noqa: PLC0415

    client = SinchClient(service_plan_id="plan", sms_api_token="token", sms_region="eu")
    client.configuration.sms_domain_with_service_plan_id = target.url
    yield _blocking(lambda: client.sms.batches.send_sms(to=[NUMBER], from_=SENDER, body=TEXT))


def _blocking(send: Callable[[], object]) -> Call:
    async def call() -> None:
        send()

    return call
