"""How many recipients the next call of a bulk send takes.

The fewer share a request, the fewer are unknown when its answer is lost; the more, the fewer requests are needed. Calls are
free as long as they go side by side and none has to wait for the limit: a request takes `NARROW` recipients then. From the
first wait on, or once as many requests were made as may be under way at a time, requests are what is scarce, and each takes
as many as it may: `most`; or half of what the API refused as too much, which proves that nothing was charged.
"""

from __future__ import annotations

import attrs

NARROW = 25


@attrs.define
class ChunkSize:
    """The rule, and what was learned by it.

    Attributes:
        most: recipients of a request.
        free: requests at the start of the run that cost no time, since they go side by side.
    """

    most: int = 1
    free: int = 0

    def __call__(self, cut: int) -> int:
        """Return the recipients of the next call, after `cut` requests were filled."""
        return min(self.most, NARROW) if cut < self.free else self.most

    def scarce(self) -> None:
        """Note that a request has to wait for the limit."""
        self.free = 0

    def refused(self, recipients: int) -> None:
        """Note that so many are too many for one request."""
        self.most = max(1, min(self.most, recipients // 2))
