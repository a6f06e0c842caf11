"""A worker of a fleet: a process that somebody hosts, and what is done to it."""

from __future__ import annotations

import os
import signal
import sys
import traceback

import attrs

from .hosts import Host
from .links import Link
from .place import Place

RAISED = 3
"""Exit code of a worker that ended with an error."""


@attrs.define(eq=False)
class Worker:
    """A forked process, beyond a link if there is one."""

    host: Host
    place: Place
    link: Link | None = None
    pid: int = 0
    exit_code: int | None = None
    replaced: bool = False

    def start(self) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            code = RAISED
            try:
                if self.link is not None:
                    self.link.enter()
                self.host.work(self.place)
                code = 0
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else RAISED
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

    @property
    def failed(self) -> bool:
        """Whether it ended as one does that found no database."""
        return not self.runs and self.exit_code == self.host.fails_with

    @property
    def raised(self) -> bool:
        fine = {0, -signal.SIGKILL, self.host.fails_with, *self.host.leaves_with}
        return not self.runs and self.exit_code not in fine

    def kill(self) -> None:
        if self.runs:
            self.signal(signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)
