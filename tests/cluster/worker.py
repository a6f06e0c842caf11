"""A worker: a process that runs a campaign of a journal until there is nothing left, as a service would."""

from __future__ import annotations

import os
import signal
import sys
import traceback

import anyio
import attrs

from callsavvy_async import Callsavvy, Unlimited
from callsavvy_async.campaigns import Journal, JournalUnavailableError
from callsavvy_async.simulator import PRIVATE_KEY, PUBLIC_KEY

IN_FLIGHT = 8
PATIENCE = 120.0
RAISED = 3
"""Exit code of a worker whose run ended with an error."""


@attrs.define(eq=False)
class Worker:
    """A forked process, and what was done to it."""

    journal: str
    service: str
    lease: float
    backend: str
    pid: int = 0
    exit_code: int | None = None

    def start(self) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            code = RAISED
            try:
                anyio.run(self._work, backend=self.backend)
                code = 0
            except BaseException:  # noqa: BLE001 - told, and its exit code too
                sys.stderr.write(traceback.format_exc())
                sys.stderr.flush()
            finally:
                os._exit(code)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    @property
    def runs(self) -> bool:
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code is None

    def kill(self) -> None:
        if self.runs:
            self.signal(signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)

    async def _work(self) -> None:
        while True:  # whoever keeps a service alive starts it again while the database is away
            try:
                journal = await Journal.open(self.journal, patience=PATIENCE, lease=self.lease).__aenter__()
                break
            except JournalUnavailableError:
                await anyio.sleep(0.2)
        async with client(self.service) as callsavvy, anyio.create_task_group() as group:
            run = (await journal.campaign("c")).run(callsavvy, max_in_flight=IN_FLIGHT)
            group.start_soon(_stop_on_sigterm, run)
            await run
            group.cancel_scope.cancel()
        await journal.__aexit__(None, None, None)


async def _stop_on_sigterm(run) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            run.stop()


def client(url: str) -> Callsavvy:
    return Callsavvy(public_key=PUBLIC_KEY, private_key=PRIVATE_KEY, base_url=url, timeout=10, pacing=Unlimited())
