"""`Message`, the base class of all channels."""

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

if TYPE_CHECKING:
    from callsavvy_async.resources.account import Summary
    from callsavvy_async.resources.messaging import Messaging
    from callsavvy_async.transport.options import RequestOptions

PURGED = "(purged)"
"""Replacement of a deleted text."""


@attrs.frozen
class Message(ABC):
    """A message for many recipients; immutable, and validated when created.

    Each channel is a subclass with a `channel`; see `SMS`, `WhatsApp` and `Robocall`. A text with placeholders of mail-merge
    tools is refused, because recipients would get them unchanged; see `callsavvy_async.messages.placeholders`.

    Args:
        text: a text for all recipients; or
        template: a text with ``{field}`` or ``{field|default}`` for the fields of each recipient.
        literal: whether to send placeholders unchanged.

    Raises:
        InvalidRequestError: an argument breaks a rule.
    """

    channel: ClassVar[str]
    """Name of the channel in reports, in a journal and on the command line."""
    contents: ClassVar[tuple[str, ...]] = ("text", "template")
    """Fields with the content. Exactly one of them must be given."""
    most_recipients: ClassVar[int | None] = None
    """Most recipients of a request; None if the API document gives no maximum."""
    usual_recipients: ClassVar[int] = USUAL_RECIPIENTS
    """Default `chunk_size`."""
    is_priced: ClassVar[bool] = True
    """Whether the API document gives a rule for the cost."""
    is_reconcilable: ClassVar[bool] = False
    """Whether sending reduces `balance` by exactly the cost, so that the balance proves what was sent."""

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

    @property
    def merge(self) -> Template | None:
        """The parsed template; None for a common text."""
        return self._merge

    @property
    def common(self) -> str | None:
        """The common content of all recipients; None for a template."""
        return next((getattr(self, name) for name in self.contents if name != "template" and getattr(self, name)), None)

    @property
    def sender(self) -> str:
        """What recipients see as the sender, in words; blank if the channel has nothing to say."""
        return ""

    def render(self, fields: Mapping[str, str]) -> str:
        """Return the content for one recipient.

        Raises:
            InvalidRequestError: a field without a default is missing or blank.
        """
        return self.common or "" if self._merge is None else self._merge.render(fields)

    def chunk_size(self, asked: int | None) -> int:
        """Return the most recipients of a request.

        Args:
            asked: the user's `chunk_size`, or None for the default.

        Raises:
            InvalidRequestError: `asked` is out of the channel's range.
        """
        largest = self.most_recipients
        size = min(self.usual_recipients, largest or self.usual_recipients) if asked is None else asked
        if size < 1 or (largest is not None and size > largest):
            most = f" and at most {largest}" if largest else ""
            raise InvalidRequestError(f"chunk_size is {size}; it must be at least 1{most}.")
        return size

    @abstractmethod
    def units(self, text: str) -> Decimal | None:
        """Return the cost of this text per recipient, in units; None if the API document gives no rule."""

    def estimate(self, text: str, recipients: int) -> Decimal:
        """Return the cost of a request, in units; 0 if the API document gives no rule.

        Args:
            text: Text of the message.
            recipients: Number of recipients.
        """
        return (self.units(text) or Decimal(0)) * recipients

    def segments(self, text: str) -> Segments | None:  # noqa: ARG002 - for subclasses
        """Return the encoding and segments of a text; None if the channel has no segments."""
        return None

    def balance(self, summary: Summary) -> Decimal | None:  # noqa: ARG002 - for subclasses
        """Return the units that pay for this channel; None if the API does not report them."""
        return None

    @abstractmethod
    def send(
        self, messaging: Messaging, recipients: Iterable[str], text: str, **options: Unpack[RequestOptions]
    ) -> Awaitable[SendReceipt]:
        """Send the same content to some recipients, in one request.

        Args:
            messaging: the API's methods for sending.
            recipients: the numbers.
            text: the content, as `render` returns it.
            **options: see `RequestOptions`.
        """

    def to_json(self) -> dict[str, object]:
        """Return the message as JSON-able values."""
        fields = {field.name: getattr(self, field.name) for field in attrs.fields(type(self)) if field.init}
        plain = {name: str(value) if isinstance(value, Decimal) else value for name, value in fields.items()}
        return {"channel": self.channel, **plain}

    @staticmethod
    def from_json(fields: Mapping[str, object]) -> Message:
        """Return the message of a `to_json` result.

        Raises:
            InvalidRequestError: the channel does not exist, or an argument breaks a rule.
        """
        arguments: dict[str, Any] = dict(fields)
        channel = arguments.pop("channel", None)
        kind = _CHANNELS.get(str(channel))
        if kind is None:
            raise InvalidRequestError(f"channel is {channel!r}; it must be one of {', '.join(sorted(_CHANNELS))}.")
        return kind(**arguments)

    def without_texts(self) -> Self:
        """Return the message without its content."""
        changes: dict[str, Any] = {**dict.fromkeys(self.contents), "text": PURGED, "literal": True}
        return attrs.evolve(self, **changes)


_CHANNELS: dict[str, type[Message]] = {}

CHANNELS: Mapping[str, type[Message]] = MappingProxyType(_CHANNELS)
"""Subclass of `Message` for each channel."""


def require_message(message: object) -> Message:
    """Return the message unchanged.

    Raises:
        InvalidRequestError: the value is not a `Message`.
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
                "the template has no placeholder such as {first_name}; give it as a text (text=, --message), or send it"
                " unchanged: literal=True (--literal)."
            )
        _refuse_placeholder(template.literals)
    return template


def _refuse_placeholder(text: str) -> None:
    found = find_placeholder(text)
    if found is not None:
        raise InvalidRequestError(
            f"the message holds the placeholder {found!r}, which recipients would get unchanged; fill it in with template="
            " (--template) and the name of a field in single braces, as in {first_name}, or send it unchanged: literal=True"
            " (--literal)."
        )
