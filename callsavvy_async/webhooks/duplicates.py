"""Recognise an event that came twice. Events carry no id (quirk Q52), so only the body's bytes can tell."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable


class RecentBodies:
    """The digests of the bodies of the last `window` seconds, at most `size` of them; the oldest go first.

    Two true events may look alike, such as two calls of no length from one number: keep the window short.
    """

    def __init__(self, window: float, *, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._size = size
        self._clock = clock
        self._came: OrderedDict[bytes, float] = OrderedDict()

    def add(self, body: bytes) -> bool:
        """Remember a body and tell whether it is new. A repeat does not lengthen the window."""
        now, digest = self._clock(), _digest(body)
        while self._came and next(iter(self._came.values())) <= now - self._window:
            self._came.popitem(last=False)
        if digest in self._came:
            return False
        self._came[digest] = now
        if len(self._came) > self._size:
            self._came.popitem(last=False)
        return True

    def discard(self, body: bytes) -> None:
        """Forget a body that was refused, so that its repeat is let in."""
        self._came.pop(_digest(body), None)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
