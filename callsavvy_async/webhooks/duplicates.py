"""Recognise a repeated event. Events carry no id, so only the bytes of the body identify one."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable


class RecentBodies:
    """The digests of the bodies of the last `window` seconds, at most `size` of them. The oldest are dropped first.

    Two different events may have equal bodies, such as two missed calls from one number: keep the window short.
    """

    def __init__(self, window: float, *, size: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._size = size
        self._clock = clock
        self._received_at: OrderedDict[bytes, float] = OrderedDict()

    def add(self, body: bytes) -> bool:
        """Remember a body. Returns True if it is new. A repetition does not extend the window."""
        now, digest = self._clock(), _digest(body)
        while self._received_at and next(iter(self._received_at.values())) <= now - self._window:
            self._received_at.popitem(last=False)
        if digest in self._received_at:
            return False
        self._received_at[digest] = now
        if len(self._received_at) > self._size:
            self._received_at.popitem(last=False)
        return True

    def discard(self, body: bytes) -> None:
        """Forget a rejected body, so that its repetition is accepted."""
        self._received_at.pop(_digest(body), None)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
