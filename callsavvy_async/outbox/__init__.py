"""The transactional outbox: a message exists if and only if the user's own transaction commits.

`Outbox` enqueues, in a web request or a job. `OutboxWorker` sends, in a separate process or beside other work. The
migration that creates the table is the text of `migration`.
"""

from callsavvy_async.outbox.migrations import migration
from callsavvy_async.outbox.outbox import Enqueued, Outbox
from callsavvy_async.outbox.table import FailedRow
from callsavvy_async.outbox.worker import OutboxReport, OutboxWorker

__all__ = ["Enqueued", "FailedRow", "Outbox", "OutboxReport", "OutboxWorker", "migration"]
