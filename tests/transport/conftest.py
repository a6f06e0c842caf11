"""The ways past the straight path of `Transport.send`."""

from __future__ import annotations

import pytest

from callsavvy_async.transport import transport
from callsavvy_async.transport.request_context import RequestContext, current_context
from callsavvy_async.wire.codec import Codec


class _AlwaysWatched:
    """Gives every request a context, as bulk sends do, so that none takes the straight path."""

    def get(self) -> RequestContext:
        return current_context.get() or RequestContext()


@pytest.fixture(params=["from the start", "after the exchange"])
def in_full(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the straight path off: no request takes it, or each leaves it with its response."""
    if request.param == "from the start":
        monkeypatch.setattr(transport, "current_context", _AlwaysWatched())
    else:
        monkeypatch.setattr(Codec, "decode_usual", lambda *_: None)
