"""The keyword options of bulk sends, plans and campaigns, taken in and checked in one place.

Each group is declared twice: as a TypedDict, which type checkers read, and as an attrs class, which has the defaults and the
checks. A test holds that the names are the same. Functions named ``..._settings`` make one of the other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypedDict, Unpack

import attrs

from callsavvy_async.bulk.number_set import NumberSet
from callsavvy_async.bulk.phone_parsing import NumberCheck
from callsavvy_async.bulk.recipients import Doubtful, NumberMemory, RecipientFilter
from callsavvy_async.bulk.report import BulkReport, ChunkResult
from callsavvy_async.config import RequestSettings
from callsavvy_async.errors import ConfigurationError, InvalidRequestError
from callsavvy_async.keywords import refuse_unknown
from callsavvy_async.messages import Message
from callsavvy_async.policy.pacer import MAX_IN_FLIGHT, at_least_one
from callsavvy_async.transport.options import RequestOptions, apply_options


class RecipientOptions(TypedDict, total=False):
    """How recipients are read.

    Attributes:
        column: the field of a mapping that holds the number, or several, of which the first that is not blank does; found
            by its name when None.
        suppress: numbers that must get nothing.
        region: two letters (``"NG"``): national numbers of this country are taken too. Needs the ``phone`` extra.
        international: numbers without ``+`` begin with their country code. Without it and ``region`` they are taken so
            too, but counted as doubtful.
        validate: ``"shape"``, or ``"possible"`` and ``"valid"`` by the ``phone`` extra.
    """

    column: str | Sequence[str] | None
    suppress: Iterable[str] | NumberSet
    region: str | None
    international: bool
    validate: NumberCheck


class SendOptions(TypedDict, total=False):
    """How a send goes about it.

    Attributes:
        max_cost: units that may be spent; estimated before each request, raised to the cost that the API reports. A campaign's
            is of all its runs together, also those of other processes.
        deadline: seconds after which no further request starts; those under way are waited for.
        max_in_flight: most requests under way at a time, 64 unless given; fewer where the limit, or what the client may have in
            flight, is less.
        stop_after: requests in a row that fail definitely and alike, after which nothing more is sent; 10 unless given.
        on_result: called with the outcome of every request.
        timeout: seconds for one attempt of a request, connecting included; the client's unless given.
        max_retries: retries of a request after a failure that is proved safe to retry; the client's unless given.
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
    """Keyword options of a bulk send and of its plan: `RecipientOptions`, `SendOptions` and those below.

    Attributes:
        chunk_size: most recipients of a request; 100 unless given, 30 for WhatsApp. Small chunks keep what may become unknown
            small, so a request takes no more than 25 until requests are scarce; see `callsavvy_async.bulk.chunk_size`.
        on_progress: called with the report after every request.
    """

    chunk_size: int | None
    on_progress: Callable[[BulkReport], object] | None


def _seconds(_: object, field: attrs.Attribute[float | None], value: object) -> None:
    if value is not None and not (isinstance(value, int | float) and value > 0):
        raise ConfigurationError(f"{field.name} is {value!r}; it must be a number of seconds above 0, or None.")


def _called_at_once(_: object, field: attrs.Attribute[Callable[..., object] | None], value: object) -> None:
    if value is None:
        return
    if not callable(value) or inspect.iscoroutinefunction(value):
        raise ConfigurationError(f"{field.name} is {value!r}; it must be a plain function, which nothing awaits.")


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

    def recipient_filter(
        self, message: Message, number_set: NumberMemory | None = None, *, doubtful: Doubtful | None = None
    ) -> RecipientFilter:
        """Return what admits the recipients of a message."""
        return RecipientFilter(
            column=self.column,
            suppress=self.suppress,
            region=self.region,
            international=self.international,
            validate=self.validate,
            template=message.merge,
            number_set=number_set,
            doubtful=doubtful,
        )


@attrs.frozen(kw_only=True, slots=False)
class SendSettings:
    """See `SendOptions`; and `on_progress`, which is called with the report after every request."""

    max_cost: Decimal | None = attrs.field(default=None, converter=_units)
    deadline: float | None = attrs.field(default=None, validator=_seconds)
    max_in_flight: int = attrs.field(default=MAX_IN_FLIGHT, validator=at_least_one)
    stop_after: int = attrs.field(default=10, validator=at_least_one)
    on_result: Callable[[ChunkResult], object] | None = attrs.field(default=None, validator=_called_at_once)
    on_progress: Callable[..., object] | None = attrs.field(default=None, validator=_called_at_once)
    timeout: float | None = attrs.field(default=None, validator=_seconds)
    max_retries: int | None = None
    extra: Mapping[str, object] | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        apply_options(RequestSettings(), self.request)

    @property
    def request(self) -> RequestOptions:
        """The options of each request. It may wait for the limit as long as the run goes on."""
        options: RequestOptions = {"deadline": None}
        if self.timeout is not None:
            options["timeout"] = self.timeout
        if self.max_retries is not None:
            options["max_retries"] = self.max_retries
        if self.extra is not None:
            options["extra"] = self.extra
        return options

    def check_for(self, message: Message) -> None:
        """Refuse what cannot be kept for a message.

        Raises:
            InvalidRequestError: its cost is not known beforehand, so that no budget can be kept.
        """
        if self.max_cost is not None and not message.is_priced:
            raise InvalidRequestError(
                f"max_cost cannot be kept for {message.channel}: the API documents no cost of it and reports none."
            )


@attrs.frozen(kw_only=True, slots=False)
class BulkSettings(SendSettings, RecipientSettings):
    """See `BulkOptions`."""

    chunk_size: int | None = None


def bulk_settings(**options: Unpack[BulkOptions]) -> BulkSettings:
    """Take in the options of a bulk send.

    Raises:
        ConfigurationError: one does not exist, or breaks a rule.
    """
    refuse_unknown_options(options, BulkSettings, "a bulk send")
    return BulkSettings(**options)


def recipient_settings(**options: Unpack[RecipientOptions]) -> RecipientSettings:
    """Take in the options of a load.

    Raises:
        ConfigurationError: one does not exist.
    """
    refuse_unknown_options(options, RecipientSettings, "a load")
    return RecipientSettings(**options)


def refuse_unknown_options(options: Iterable[str], settings: type[attrs.AttrsInstance], taker: str) -> None:
    """Refuse keyword options that do not exist.

    Args:
        options: their names.
        settings: the attrs class of those that exist.
        taker: what takes them, for the error.

    Raises:
        ConfigurationError: naming the first one, and the one that was perhaps meant.
    """
    refuse_unknown(options, [field.name for field in attrs.fields(settings)], kind="option", where=taker)
