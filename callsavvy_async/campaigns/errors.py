"""What can be wrong with a journal.

```
CallsavvyError
└── JournalError               the journal cannot be used as asked; the text says what to do
    ├── JournalInUseError      another process has it open
    ├── JournalDamagedError    what it holds is not what was written, or does not fit together
    ├── JournalUnavailableError  it cannot be written or read now: disk full, read-only, input/output error
    ├── ChunkLostError         a chunk is not in the state that a move starts from: somebody else moved it
    └── LeaseLostError         a run was taken for dead by another
InvalidRequestError
├── NotLoadedError             the recipients of a campaign are not loaded to their end
└── OtherAccountError          a campaign belongs to another account or server, or is a rehearsal
```
"""

from __future__ import annotations

from callsavvy_async.errors import CallsavvyError, InvalidRequestError


class JournalError(CallsavvyError):
    """The journal of a campaign cannot be used as asked."""


class JournalInUseError(JournalError):
    """Another process has the journal open."""


class JournalDamagedError(JournalError):
    """What the journal holds is not what was written, or does not fit together."""


class JournalUnavailableError(JournalError):
    """The journal cannot be written or read at the moment. Nothing is sent while it is so."""


class ChunkLostError(JournalError):
    """A chunk was not in the state that a move starts from."""


class LeaseLostError(JournalError):
    """A run did not write for longer than its lease, and was taken for dead."""


class OtherAccountError(InvalidRequestError):
    """A campaign belongs to another account or server, or is a rehearsal; nothing was sent."""


class NotLoadedError(InvalidRequestError):
    """The recipients of a campaign are not loaded to their end, or others are being loaded."""
