"""Errors of the journal.

```
CallsavvyError
└── JournalError                 the journal rejects an operation; the text says what to do
    ├── JournalMissingError      there is no journal to read
    ├── JournalInUseError        another process has the journal open
    ├── JournalDamagedError      the journal's content is corrupt or inconsistent
    ├── JournalUnavailableError  the journal cannot be read or written now: full disk, read-only, I/O error
    ├── ChunkLostError           a chunk is not in the expected state: another run or a person changed it
    └── LeaseLostError           a run sent no heartbeat within its lease
InvalidRequestError
├── NotLoadedError               the recipients of a campaign are not completely loaded
└── OtherAccountError            a campaign belongs to another account or server, or to the simulator
```
"""

from __future__ import annotations

from callsavvy_async.errors import CallsavvyError, InvalidRequestError


class JournalError(CallsavvyError):
    """The journal rejects an operation."""


class JournalMissingError(JournalError):
    """There is no journal, and it was opened only for reading."""


class JournalInUseError(JournalError):
    """Another process has the journal open."""


class JournalDamagedError(JournalError):
    """The journal's content is corrupt or inconsistent."""


class JournalUnavailableError(JournalError):
    """The journal cannot be read or written now. Nothing is sent until it can."""


class ChunkLostError(JournalError):
    """A chunk is not in the expected state: another run or a person changed it."""


class LeaseLostError(JournalError):
    """A run sent no heartbeat within its lease, so another process released its chunks."""


class OtherAccountError(InvalidRequestError):
    """A campaign belongs to another account or server, or to the simulator; nothing was sent."""


class NotLoadedError(InvalidRequestError):
    """The recipients of a campaign are not completely loaded."""
