"""One process of `shared`: `python shared_client.py SETTINGS`, with the settings as JSON.

It prints a line when it is ready, reads when it began, sends as fast as it may until the time is up, and prints a line of
JSON for what it learns of the row. It imports nothing from here, so that it may run beside a wheel that is tested.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time

from callsavvy_async import Adaptive, Callsavvy, CallsavvyError, FixedRate, SharedPacing
from callsavvy_async.hooks import SharedLimitLost, SharedLimitRestored

WORKERS = 24


async def main() -> None:
    logging.getLogger("callsavvy_async").setLevel(logging.ERROR)  # what is told is printed below, with its time
    told = json.loads(sys.argv[1])
    local = FixedRate(told["known"]) if told["known"] else Adaptive()
    clock, wall, skew = time.monotonic, time.time, [0.0]
    if told["jump"]:
        time.monotonic, time.time = lambda: clock() + skew[0], lambda: wall() + 3600.0

    def note(event: object) -> None:
        if isinstance(event, SharedLimitLost | SharedLimitRestored):
            print(json.dumps({"event": type(event).__name__, "at": clock(), "text": str(event)}), flush=True)

    async with Callsavvy(
        public_key="p",
        private_key="k",
        base_url=f"{told['url']}/v1",
        pacing=SharedPacing(told["row"], local=local),
        hooks=[note],
        deadline=None,
    ) as client:
        print("ready", flush=True)  # all is imported
        ends_at = float(sys.stdin.readline()) + told["seconds"]

        async def work() -> None:
            while clock() < ends_at:
                try:
                    await client.messaging.send_sms(told["number"], "We open at nine.")
                except CallsavvyError as error:
                    print(json.dumps({"event": "error", "at": clock(), "text": repr(error)}), flush=True)

        async def jump() -> None:
            await asyncio.sleep(told["seconds"] / 2)
            skew[0] = told["jump"]

        jumping = asyncio.create_task(jump())
        working = [asyncio.create_task(work()) for _ in range(WORKERS)]
        while clock() < ends_at + 0.5:  # noqa: ASYNC110 - the loop's timers do not tell the time once its clock has jumped
            await asyncio.sleep(0.1)
        for task in (*working, jumping):
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        print(json.dumps({"event": "end", "at": clock(), "text": client.pacing.snapshot().why}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
