"""One process of `shared`: `python shared_client.py SETTINGS`, with the settings as JSON.

The process prints a line when it is ready, reads the start time from stdin, and sends at full speed until the end. It
prints each event of the shared limit as a line of JSON. It imports only the SDK, so that it can test an installed wheel.
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
    logging.getLogger("callsavvy_async").setLevel(logging.ERROR)  # `note` prints the events with their times
    settings = json.loads(sys.argv[1])
    local = FixedRate(settings["known"]) if settings["known"] else Adaptive()
    clock, wall, skew = time.monotonic, time.time, [0.0]
    if settings["jump"]:
        time.monotonic, time.time = lambda: clock() + skew[0], lambda: wall() + 3600.0

    def note(event: object) -> None:
        if isinstance(event, SharedLimitLost | SharedLimitRestored):
            print(json.dumps({"event": type(event).__name__, "at": clock(), "text": str(event)}), flush=True)

    async with Callsavvy(
        public_key="p",
        private_key="k",
        base_url=f"{settings['url']}/v1",
        pacing=SharedPacing(settings["row"], local=local),
        hooks=[note],
        deadline=None,
    ) as client:
        print("ready", flush=True)  # all imports are done
        ends_at = float(sys.stdin.readline()) + settings["seconds"]

        async def work() -> None:
            while clock() < ends_at:
                try:
                    await client.messaging.send_sms(settings["number"], "We open at nine.")
                except CallsavvyError as error:
                    print(json.dumps({"event": "error", "at": clock(), "text": repr(error)}), flush=True)

        async def jump() -> None:
            await asyncio.sleep(settings["seconds"] / 2)
            skew[0] = settings["jump"]

        jumping = asyncio.create_task(jump())
        working = [asyncio.create_task(work()) for _ in range(WORKERS)]
        while clock() < ends_at + 0.5:  # noqa: ASYNC110 - the loop's timers are wrong after the jump of its clock
            await asyncio.sleep(0.1)
        for task in (*working, jumping):
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        print(json.dumps({"event": "end", "at": clock(), "text": client.pacing.snapshot().why}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
