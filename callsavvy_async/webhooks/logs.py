"""Log records of webhooks, without personal data and secrets."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from callsavvy_async.webhooks.events import Event
from callsavvy_async.webhooks.secrets import SecretSet

log: logging.Logger = logging.getLogger("callsavvy_async.webhooks")


def log_failure(event: Event, handler: object, error: BaseException, *, consequence: str) -> None:
    """Log a handler's failure with the type and place of the error. Its text is omitted: it may hold personal data."""
    name = getattr(handler, "__qualname__", type(handler).__name__)
    log.error("%s: %s failed with %s; %s", type(event).__name__, name, describe(error), consequence)


def describe(error: BaseException) -> str:
    """Return the type and place of an error, without its text."""
    return f"{type(error).__name__}{_place(error)}"


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


class MaskSecrets(logging.Filter):
    """Masks the secrets in log records. Add it to the *handlers* or loggers of access logs, which hold paths."""

    def __init__(self, secrets: SecretSet) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record's text and arguments. Returns True for every record."""
        record.msg = self._mask(record.msg)
        if isinstance(record.args, Mapping):
            record.args = {name: self._mask(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(self._mask(value) for value in record.args)
        return True

    def _mask(self, value: object) -> object:
        return self._secrets.mask(value) if isinstance(value, str) else value
