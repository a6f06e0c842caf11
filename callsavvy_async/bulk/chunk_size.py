"""Choose the number of recipients of the next request of a bulk send.

Small requests leave fewer recipients unknown when a response is lost. Large requests need less of the rate limit.

1. Requests that run in parallel without waiting for the limit are free, so they take `NARROW` recipients.
2. After the first wait, or after as many requests as may be in flight at a time, each request takes `most` recipients.
3. When the API rejects a request as too large, `most` falls to half of that request. A rejection charges nothing.
"""

from __future__ import annotations

import attrs

NARROW = 25


@attrs.define
class ChunkSize:
    """Number of recipients of the next request.

    Attributes:
        most: most recipients of a request.
        free: requests at the start of a run that run in parallel and so cost no time.
    """

    most: int = 1
    free: int = 0

    def __call__(self, cut: int) -> int:
        """Return the size of the next request, after `cut` requests."""
        return min(self.most, NARROW) if cut < self.free else self.most

    def scarce(self) -> None:
        """Note that a request has to wait for the limit."""
        self.free = 0

    def refused(self, recipients: int) -> None:
        """Note that the API rejected a request of this many recipients as too large."""
        self.most = max(1, min(self.most, recipients // 2))
