"""Options of bulk sends, plans and campaigns.

Each group is declared twice: as a TypedDict for type checkers, and as an attrs class with the defaults and checks. A test
compares the names. Functions named ``..._settings`` convert the first to the second.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypedDict, Unpack

import attrs

from callsavvy_async.bulk.doubtful import Doubtful
from callsavvy_async.bulk.number_set import NumberMemory, NumberSet
from callsavvy_async.bulk.phone_parsing import NumberCheck
from callsavvy_async.bulk.recipients import RecipientFilter
from callsavvy_async.bulk.report import BulkReport, ChunkResult
from callsavvy_async.config import RequestSettings
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.keywords import refuse_unknown
from callsavvy_async.messages import Message
from callsavvy_async.policy.pacer import MAX_IN_FLIGHT, at_least_one
from callsavvy_async.transport.options import RequestOptions, apply_options


class RecipientOptions(TypedDict, total=False):
    """Options for reading recipients.

    Attributes:
        column: field of a mapping that holds the number, or several, of which the first that is not blank counts; found by
            its name when None.
        suppress: numbers that must get nothing.
        region: ISO 3166 code (``"NG"``) of the country whose national numbers are accepted. Needs the ``phone`` extra.
        international: whether numbers without ``+`` begin with their country code. If False and `region` is None, they are
            read the same way, but counted as doubtful.
        validate: check of the numbers: ``"shape"``; or ``"possible"`` or ``"valid"``, which need the ``phone`` extra.
        max_recipients: most people who get the message: the first of the list. For a campaign, the sum over all its loads.
    """

    column: str | Sequence[str] | None
    suppress: Iterable[str] | NumberSet
    region: str | None
    international: bool
    validate: NumberCheck
    max_recipients: int | None


class SendOptions(TypedDict, total=False):
    """Options for sending.

    Attributes:
        max_cost: most units to spend. Each request counts its estimate, or its reported cost if that is higher. For a
            campaign, the sum over all its runs and processes.
        deadline: seconds after which the run starts no further request. Requests in flight are awaited.
        max_in_flight: most requests in flight, 64 by default. The client's own limits apply too.
        stop_after: number of consecutive requests with the same definite failure that stops the run; 10 by default.
        on_result: callback for the outcome of each request.
        timeout: seconds for one attempt of a request, connecting included; the client's by default.
        max_retries: retries of a request after a failure that is safe to retry; the client's by default.
        extra: undocumented parameters of the API, sent with every request.
    """

    max_cost: Decimal | int | None
    deadline: float | None
    max_in_flight: int
    stop_after: int
    on_result: Callable[[ChunkResult], object] | None
    timeout: float | None
    max_retries: int | None
    extra: Mapping[str, object] | None


class BulkOptions(RecipientOptions, SendOptions, total=False):
    """Options of a bulk send and of its plan: `RecipientOptions`, `SendOptions` and these.

    Attributes:
        chunk_size: most recipients of a request; 100 by default, 30 for WhatsApp. While the rate limit allows, requests take
            at most 25; see `callsavvy_async.bulk.chunk_size`.
        on_progress: callback for the report, after each request.
    """

    chunk_size: int | None
    on_progress: Callable[[BulkReport], object] | None


def _seconds(_: object, field: attrs.Attribute[float | None], value: object) -> None:
    if value is not None and not (isinstance(value, int | float) and value > 0):
        raise ConfigurationError(f"{field.name} is {value!r}; it must be a number of seconds above 0, or None.")


def _plain_function(_: object, field: attrs.Attribute[Callable[..., object] | None], value: object) -> None:
    if value is None:
        return
    if not callable(value) or inspect.iscoroutinefunction(value):
        raise ConfigurationError(f"{field.name} is {value!r}; it must be a plain function, not a coroutine function.")


def _units(value: Decimal | float | str | None) -> Decimal | None:
    if value is None:
        return None
    try:
        units = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        units = Decimal("NaN")
    if not units.is_finite() or units < 0:
        raise ConfigurationError(f"max_cost is {value!r}; it must be a number of units, 0 or more, or None.")
    return units


@attrs.frozen(kw_only=True, slots=False)
class RecipientSettings:
    """See `RecipientOptions`."""

    column: str | Sequence[str] | None = None
    suppress: Iterable[str] | NumberSet = attrs.field(default=(), repr=False)
    region: str | None = None
    international: bool = False
    validate: NumberCheck = "shape"
    max_recipients: int | None = attrs.field(default=None, validator=attrs.validators.optional(at_least_one))

    def recipient_filter(
        self, message: Message, number_set: NumberMemory | None = None, *, doubtful: Doubtful | None = None
    ) -> RecipientFilter:
        """Return the filter for the recipients of a message."""
        return RecipientFilter(
            column=self.column,
            suppress=self.suppress,
            region=self.region,
            international=self.international,
            validate=self.validate,
            max_recipients=self.max_recipients,
            template=message.merge,
            number_set=number_set,
            doubtful=doubtful,
        )


@attrs.frozen(kw_only=True, slots=False)
class SendSettings:
    """See `SendOptions`, and `on_progress` of `BulkOptions`."""

    max_cost: Decimal | None = attrs.field(default=None, converter=_units)
    deadline: float | None = attrs.field(default=None, validator=_seconds)
    max_in_flight: int = attrs.field(default=MAX_IN_FLIGHT, validator=at_least_one)
    stop_after: int = attrs.field(default=10, validator=at_least_one)
    on_result: Callable[[ChunkResult], object] | None = attrs.field(default=None, validator=_plain_function)
    on_progress: Callable[..., object] | None = attrs.field(default=None, validator=_plain_function)
    timeout: float | None = attrs.field(default=None, validator=_seconds)
    max_retries: int | None = None
    extra: Mapping[str, object] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        apply_options(RequestSettings(), self.request)

    @property
    def request(self) -> RequestOptions:
        """Options of each request. Its wait for the rate limit has no deadline."""
        options: RequestOptions = {"deadline": None}
        if self.timeout is not None:
            options["timeout"] = self.timeout
        if self.max_retries is not None:
            options["max_retries"] = self.max_retries
        if self.extra is not None:
            options["extra"] = self.extra
        return options

    def check_for(self, message: Message) -> None:
        """Check the options against a message.

        Raises:
            InvalidRequestError: `max_cost` is given for a channel without a documented cost.
        """
        if self.max_cost is not None and not message.is_priced:
            raise InvalidRequestError(
                f"max_cost is {self.max_cost}, but the API neither documents nor reports the cost of {message.channel};"
                " leave max_cost out."
            )


@attrs.frozen(kw_only=True, slots=False)
class BulkSettings(SendSettings, RecipientSettings):
    """See `BulkOptions`."""

    chunk_size: int | None = None


def bulk_settings(**options: Unpack[BulkOptions]) -> BulkSettings:
    """Check the options of a bulk send.

    Raises:
        ConfigurationError: an option does not exist, or breaks a rule.
    """
    refuse_unknown_options(options, BulkSettings, "a bulk send")
    return BulkSettings(**options)


def recipient_settings(**options: Unpack[RecipientOptions]) -> RecipientSettings:
    """Check the options for loading recipients.

    Raises:
        ConfigurationError: an option does not exist.
    """
    refuse_unknown_options(options, RecipientSettings, "a load")
    return RecipientSettings(**options)


def refuse_unknown_options(options: Iterable[str], settings: type[attrs.AttrsInstance], taker: str) -> None:
    """Refuse unknown options.

    Args:
        options: names of the given options.
        settings: attrs class with the known options.
        taker: owner of the options, for the error.

    Raises:
        ConfigurationError: an option does not exist. The error suggests the closest known one.
    """
    refuse_unknown(options, [field.name for field in attrs.fields(settings)], kind="option", where=taker)
