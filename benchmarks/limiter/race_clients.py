"""One client of the race sends to all recipients at once: `python race_clients.py NAME URL COUNT`.

`race` runs this script in the environment of the peers, or in the SDK's. All settings are the clients' defaults, except
those in the row's name. The script prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

Run = Callable[[str, list[str]], Awaitable[list[object]]]
TEXT = "We open at nine."


async def telnyx(url: str, numbers: list[str], retries: int = 2) -> list[object]:
    from telnyx import AsyncTelnyx

    async with AsyncTelnyx(api_key="k", base_url=url, max_retries=retries) as client:
        return await gather(*(client.messages.send(to=to, from_="+1", text=TEXT) for to in numbers))


async def telnyx_patient(url: str, numbers: list[str]) -> list[object]:
    return await telnyx(url, numbers, retries=10)


async def twilio(url: str, numbers: list[str]) -> list[object]:
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client

    async with AsyncTwilioHttpClient() as http:
        client = Client("AC1", "token", http_client=http)
        client.api.base_url = url
        return await gather(*(client.messages.create_async(to=to, from_="+1", body=TEXT) for to in numbers))


async def slack(url: str, numbers: list[str], retries: int = 1) -> list[object]:
    from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
    from slack_sdk.web.async_client import AsyncWebClient

    client = AsyncWebClient(token="t", base_url=f"{url}/")
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=retries))
    return await gather(*(client.chat_postMessage(channel=to, text=TEXT) for to in numbers))


async def slack_patient(url: str, numbers: list[str]) -> list[object]:
    return await slack(url, numbers, retries=10)


async def httpx_loop(url: str, numbers: list[str], retries: int = 2) -> list[object]:
    """Retry like openai's clients: 0.5 s doubling up to 8 s, minus up to a quarter, or Retry-After up to a minute."""
    import httpx

    async with httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=1000)) as client:

        async def send(to: str) -> object:
            for tried in range(retries + 1):
                response = await client.post(f"{url}/plain", json={"to": to, "text": TEXT})
                if response.status_code != 429 or tried == retries:
                    response.raise_for_status()
                    return response
                retry_after = float(response.headers.get("retry-after", 0))
                backoff = min(0.5 * 2**tried, 8.0) * (1 - 0.25 * random.random())
                await asyncio.sleep(retry_after if 0 < retry_after <= 60 else backoff)
            return None

        return await gather(*map(send, numbers))


async def httpx_loop_patient(url: str, numbers: list[str]) -> list[object]:
    return await httpx_loop(url, numbers, retries=10)


async def aiometer_exact(url: str, numbers: list[str]) -> list[object]:
    """Send at the exact rate."""
    import aiometer
    import httpx

    async with httpx.AsyncClient() as client:

        async def send(to: str) -> object:
            try:
                return (await client.post(f"{url}/plain", json={"to": to, "text": TEXT})).raise_for_status()
            except httpx.HTTPError as error:
                return error

        calls = [partial(send, to) for to in numbers]
        return await aiometer.run_all(calls, max_at_once=64, max_per_second=20)


async def callsavvy(url: str, numbers: list[str]) -> list[object]:
    from callsavvy_async import Callsavvy

    async with Callsavvy(public_key="p", private_key="k", base_url=f"{url}/v1") as client:
        return await gather(*(client.messaging.send_sms(to, TEXT) for to in numbers))


async def callsavvy_batching(url: str, numbers: list[str]) -> list[object]:
    from callsavvy_async import Callsavvy

    async with (
        Callsavvy(public_key="p", private_key="k", base_url=f"{url}/v1") as client,
        client.batcher() as messaging,
    ):
        return await gather(*(messaging.send_sms(to, TEXT) for to in numbers))


async def gather(*sends: Awaitable[object]) -> list[object]:
    return await asyncio.gather(*sends, return_exceptions=True)


CLIENTS: dict[str, Run] = {
    "telnyx": telnyx,
    "telnyx, 10 retries": telnyx_patient,
    "twilio, async": twilio,
    "slack, its handler": slack,
    "slack, its handler, 10 retries": slack_patient,
    "httpx, openai's loop": httpx_loop,
    "httpx, openai's loop, 10 retries": httpx_loop_patient,
    "aiometer at 20/s": aiometer_exact,
    "**callsavvy**": callsavvy,
    "**callsavvy**, batching": callsavvy_batching,
}


def main() -> None:
    name, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    numbers = [f"+23480{number:08}" for number in range(count)]
    asyncio.run(CLIENTS[name](url, []))  # import all modules
    began = time.perf_counter()
    results = asyncio.run(CLIENTS[name](url, numbers))
    errors = [error for error in results if isinstance(error, BaseException)]
    result = {
        "seconds": time.perf_counter() - began,
        "errors": len(errors),
        "kinds": sorted({repr(type(e)) for e in errors}),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
