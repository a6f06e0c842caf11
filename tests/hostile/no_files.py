"""A program: once a first request has left, no module can be imported any more, as where too many files are open.

python -m tests.hostile.no_files LOOP BACKEND prints what was said after each trick, and which modules were asked for.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

import anyio

from callsavvy_async import Callsavvy, RequestError, Unlimited

from .server import Server, Turn, body_for, framed

NUMBER = "+2348000000000"
LATER = b"retry-after: Wed, 25 Nov 2026 19:08:30 GMT"
NOW = b"date: Wed, 25 Nov 2026 19:08:29 GMT"
ODD = b'{"status":"success","data":{"message_id":7,"cost":[],"new":{"a":1},"status":"sent"}}'
ROWS = b'{"status":"success","data":[{"department_id":5,"x":[1]},{"created":"never"}]}'


class Refuser:
    """Finds no module, for want of a descriptor."""

    def __init__(self) -> None:
        self.armed = False
        self.asked: list[str] = []

    def find_spec(self, name: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if self.armed:
            self.asked.append(name)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), name)
        return None


def sends(data: bytes) -> Callable[[Turn], object]:
    """Make a trick that answers with these bytes."""
    return lambda turn: turn.answer(data)


def resets(turn: Turn) -> None:
    """Break off behind the request."""
    turn.read_request()
    turn.reset()


TRICKS: dict[str, tuple[Callable[[Turn], object], str]] = {
    "a plain success": (Turn.answer, "ACCEPTED"),
    "an odd receipt": (sends(framed(ODD)), "ACCEPTED"),
    "a refusal": (sends(framed(b'{"status":"error","message":"no"}')), "REJECTED"),
    "400": (sends(framed(b"", status=b"400 x")), "REJECTED"),
    "429": (sends(framed(b"", b"retry-after: 0.01", status=b"429 x")), "REJECTED"),
    "429 until a date": (sends(framed(b"", NOW, LATER, status=b"429 x")), "REJECTED"),
    "500": (sends(framed(b"<html>", status=b"500 x")), "UNKNOWN"),
    "307": (sends(framed(b"", b"location: https://b\xfccher.example/", status=b"307 x")), "REJECTED"),
    "no HTTP": (sends(b"SSH-2.0-x\r\n\r\n"), "UNKNOWN"),
    "no JSON": (sends(framed(b"{")), "UNKNOWN"),
    "no UTF-8": (sends(framed(b'{"status":"\xff"}')), "UNKNOWN"),
    "a reset": (resets, "UNKNOWN"),
    "silence": (lambda turn: turn.read_request(), "UNKNOWN"),
    "gzip that is none": (sends(framed(body_for(NUMBER), b"content-encoding: gzip")), "UNKNOWN"),
    "bytes behind": (sends(framed(body_for(NUMBER)) * 2), "ACCEPTED"),
    "odd rows": (sends(framed(ROWS)), "ACCEPTED"),
    "500 to a read": (sends(framed(b"", status=b"500 x")), "UNKNOWN"),
}
"""What the server does with a request, and what is known of it."""
READS = {"odd rows", "500 to a read"}


async def main(backend: str) -> None:
    """Play every trick, and print what was said."""
    refuser, server = Refuser(), Server()
    sys.meta_path.insert(0, refuser)
    said: dict[str, str] = {}

    def arm(turn: Turn) -> None:
        refuser.armed = True
        turn.answer()

    async with Callsavvy(
        public_key="p", private_key="k", base_url=server.url, backend=backend, pacing=Unlimited()
    ) as client:
        departments = client.account.departments  # the group is imported where it is named, before anything is sent
        server.trick = arm
        await client.messaging.send_sms(NUMBER, "hello")
        for name, (trick, _) in TRICKS.items():
            server.trick = trick
            reads = name in READS
            try:
                await (departments(timeout=0.5) if reads else client.messaging.send_sms(NUMBER, "hello", timeout=0.5))
                said[name] = "ACCEPTED"
            except RequestError as error:
                said[name] = error.outcome.name
            except Exception as error:  # noqa: BLE001 - what must not be
                said[name] = repr(error)
        refuser.armed = False
    server.close()
    print(json.dumps({"said": said, "asked": sorted({*refuser.asked})}))


if __name__ == "__main__":
    logging.disable()
    anyio.run(main, sys.argv[2], backend=sys.argv[1])
