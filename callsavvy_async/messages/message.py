"""A message as a value: what is said by which channel, before anybody is chosen to get it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

import attrs

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages.placeholders import find_placeholder
from callsavvy_async.messages.segments import Segments
from callsavvy_async.messages.templates import Template
from callsavvy_async.redaction import mask_text
from callsavvy_async.resources.sends import USUAL_RECIPIENTS, SendReceipt
from callsavvy_async.resources.text import exactly_one, require_text

if TYPE_CHECKING:  # a message is a value: how it is sent is the business of others
    from callsavvy_async.resources.account import Summary
    from callsavvy_async.resources.messaging import Messaging
    from callsavvy_async.transport.options import RequestOptions

PURGED = "(purged)"
"""Stands for a text that was removed."""


@attrs.frozen
class Message(ABC):
    """What many people get, by one channel. Frozen, and checked when it is made.

    A channel is a subclass with a `channel`; see `SMS`, `WhatsApp`, `Robocall`. Placeholders of mail-merge tools in a text
    are refused, since they would reach people as they stand; see `callsavvy_async.messages.placeholders`.

    Args:
        text: the same for all; or
        template: a text with ``{field}`` or ``{field|default}`` for the fields of each recipient.
        literal: send placeholders as they are written.

    Raises:
        InvalidRequestError: an argument breaks a rule.
    """

    channel: ClassVar[str]
    """Its name, in reports, in a journal and on the command line."""
    contents: ClassVar[tuple[str, ...]] = ("text", "template")
    """The fields of which exactly one is given."""
    most_recipients: ClassVar[int | None] = None
    """Recipients of one request that the API allows; None where its document names no maximum."""
    usual_recipients: ClassVar[int] = USUAL_RECIPIENTS
    """Recipients of one request unless a `chunk_size` is given."""
    is_priced: ClassVar[bool] = True
    """Whether the API's document gives a rule for its cost."""
    is_reconcilable: ClassVar[bool] = False
    """Whether `balance` is reduced by exactly its cost, so that the balance proves what was sent."""

    text: str | None = attrs.field(default=None, repr=mask_text)
    template: str | None = attrs.field(default=None, kw_only=True, repr=mask_text)
    literal: bool = attrs.field(default=False, kw_only=True)
    _merge: Template | None = attrs.field(default=None, init=False, repr=False, eq=False)

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "channel" in vars(cls):
            _CHANNELS[cls.channel] = cls

    def __attrs_post_init__(self) -> None:
        values = {name: getattr(self, name) for name in self.contents}
        for name, value in values.items():
            if value is not None:
                _check_text(value, name)
        chosen = exactly_one({f"{name}=": value for name, value in values.items()}, f"{type(self).__name__}()")
        if chosen == "text=" and not self.literal:
            _refuse_placeholder(self.text or "")
        if self.template is not None:
            object.__setattr__(self, "_merge", _parsed(self.template, literal=self.literal))

    # ------------------------------------------------------------------------------------------------ what people get

    @property
    def merge(self) -> Template | None:
        """The parsed template; None where all get the same."""
        return self._merge

    @property
    def common(self) -> str | None:
        """What all get; None where each gets a text of their own."""
        return next((getattr(self, name) for name in self.contents if name != "template" and getattr(self, name)), None)

    def render(self, fields: Mapping[str, str]) -> str:
        """Return what one recipient gets.

        Raises:
            InvalidRequestError: a field that has no default in the template is missing or blank; it is named.
        """
        return self.common or "" if self._merge is None else self._merge.render(fields)

    # ------------------------------------------------------------------------------------------- what it takes to send

    def chunk_size(self, asked: int | None) -> int:
        """Return how many recipients one request takes.

        Raises:
            InvalidRequestError: the channel does not take so many.
        """
        largest = self.most_recipients
        size = min(self.usual_recipients, largest or self.usual_recipients) if asked is None else asked
        if size < 1 or (largest is not None and size > largest):
            most = f" and {largest} at the most" if largest else ""
            raise InvalidRequestError(f"chunk_size is {size}; it must be at least 1{most}.")
        return size

    @abstractmethod
    def units(self, text: str) -> Decimal | None:
        """Return the units that one recipient of this text costs; None where the document gives no rule."""

    def estimate(self, text: str, recipients: int) -> Decimal:
        """Return the units that one request will cost; 0 where the document gives no rule."""
        return (self.units(text) or Decimal(0)) * recipients

    def segments(self, text: str) -> Segments | None:  # noqa: ARG002 - what is not cut into segments has none
        """Return how this text is encoded and cut into segments; None where it is not."""
        return None

    def balance(self, summary: Summary) -> Decimal | None:  # noqa: ARG002 - of most channels none is told
        """Return the units at hand that it is paid with; None where the API tells none."""
        return None

    @abstractmethod
    def send(
        self, messaging: Messaging, recipients: Iterable[str], text: str, **options: Unpack[RequestOptions]
    ) -> Awaitable[SendReceipt]:
        """Send to some people who get the same, in one request.

        Args:
            messaging: the methods of the API that send.
            recipients: their numbers.
            text: what they get, as `render` returns it.
            **options: see `RequestOptions`.
        """

    # ---------------------------------------------------------------------------------------------- how it is written

    def to_json(self) -> dict[str, object]:
        """Return it as JSON-able values."""
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(type(self)) if field.init}
        plain = {name: str(value) if isinstance(value, Decimal) else value for name, value in fields.items()}
        return {"channel": self.channel, **plain}

    @staticmethod
    def from_json(fields: Mapping[str, object]) -> Message:
        """Return the message that `to_json` wrote.

        Raises:
            InvalidRequestError: its channel does not exist, or an argument breaks a rule.
        """
        arguments: dict[str, Any] = dict(fields)
        channel = arguments.pop("channel", None)
        kind = _CHANNELS.get(str(channel))
        if kind is None:
            raise InvalidRequestError(f"there is no channel {channel!r}; there are {', '.join(sorted(_CHANNELS))}.")
        return kind(**arguments)

    def without_texts(self) -> Self:
        """Return the message without what it says."""
        changes: dict[str, Any] = {**dict.fromkeys(self.contents), "text": PURGED, "literal": True}
        return attrs.evolve(self, **changes)


_CHANNELS: dict[str, type[Message]] = {}

CHANNELS: Mapping[str, type[Message]] = MappingProxyType(_CHANNELS)
"""Every channel by its name: the subclasses of `Message` that were defined."""


def require_message(message: object) -> Message:
    """Return a message as it is.

    Raises:
        InvalidRequestError: it is something else; its type is named.
    """
    if not isinstance(message, Message):
        kinds = ", ".join(f"{kind.__name__}(...)" for kind in _CHANNELS.values())
        raise InvalidRequestError(f"the message is of type {type(message).__name__}; give one of {kinds}.")
    return message


def _check_text(value: object, name: str) -> None:
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} is of type {type(value).__name__}; it must be a str.")
    require_text(value, name)


def _parsed(text: str, *, literal: bool) -> Template:
    template = Template(text, literal)
    if not literal:
        if not template.placeholders:
            raise InvalidRequestError(
                "the template has no placeholder, as {first_name}; give it as a text (text=, --message), or send it as it is"
                " written: literal=True (--literal)."
            )
        _refuse_placeholder(template.literals)
    return template


def _refuse_placeholder(text: str) -> None:
    found = find_placeholder(text)
    if found is not None:
        raise InvalidRequestError(
            f"the message holds the placeholder {found!r}, which people would get as it is written; fill it in with"
            " template= (--template) and the name of a field in single braces, as {first_name}, or send it as it is written:"
            " literal=True (--literal)."
        )
