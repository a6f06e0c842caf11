"""The channels of the command line: a class of options for each, and its commands in `send`, `bulk` and `estimate`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypedDict, TypeVar

import attrs
from cyclopts import Parameter

from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.options import Units
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.messages import SMS, Message, Robocall, WhatsApp
from callsavvy_async.resources.text import exactly_one
from callsavvy_async.simulator import WHATSAPP_UID


class _Words(TypedDict):
    text: str | None
    template: str | None
    literal: bool


@Parameter(name="*", negative="", group="Message (exactly one)")
@attrs.frozen(kw_only=True)
class Content(ABC):
    """Options of the message."""

    makes: ClassVar[type[Message]]
    """Type of message that these options build."""

    message: str | None = None
    """Text, the same for every recipient."""
    template: str | None = None
    """Text with placeholders for columns of the file, e.g. "Hi {first_name}" or "Hi {first_name|friend}"."""
    message_file: Path | None = None
    """UTF-8 file that contains the text. Keeps the text out of `ps`."""
    literal: bool = False
    """Send placeholders unchanged."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        CONTENTS[cls.makes.channel] = cls

    @abstractmethod
    def build(self, *, nothing_is_sent: bool = False) -> Message:
        """Return the message.

        Args:
            nothing_is_sent: True for a plan or the simulator; options that only the API needs may be missing.

        Raises:
            InvalidRequestError: The message breaks a rule.
            OSError: The message file cannot be read.
        """

    def words(self, audio_url: str | None = None) -> _Words:
        """Return the text, or the template, of the message."""
        given = {"--message": self.message, "--template": self.template, "--message-file": self.message_file}
        exactly_one(given if audio_url is None else {**given, "--audio-url": audio_url}, "the command")
        return {"text": self._text(), "template": self.template, "literal": self.literal}

    def _text(self) -> str | None:
        if self.message_file is None:
            return self.message
        try:
            return self.message_file.read_text(encoding="utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise InvalidRequestError(f"{self.message_file} is not UTF-8; save it as UTF-8.") from None


CONTENTS: dict[str, type[Content]] = {}
"""Options class of each channel."""


@attrs.frozen(kw_only=True)
class SmsContent(Content):
    """Send an SMS."""

    makes: ClassVar[type[Message]] = SMS

    sender_id: str | None = None
    """Sender that recipients see (default: the account's setting)."""

    def build(self, *, nothing_is_sent: bool = False) -> SMS:  # noqa: ARG002 - needs the same for a plan
        """Return the SMS."""
        return SMS(**self.words(), sender_id=self.sender_id)


@attrs.frozen(kw_only=True)
class WhatsAppContent(Content):
    """Send a WhatsApp message."""

    makes: ClassVar[type[Message]] = WhatsApp

    channel_uid: str | None = None
    """WhatsApp channel to send from (dashboard, Settings, Social Integrations). Not needed with --simulator."""

    def build(self, *, nothing_is_sent: bool = False) -> WhatsApp:
        """Return the WhatsApp message."""
        uid = WHATSAPP_UID if nothing_is_sent else self.channel_uid
        if uid is None:
            raise InvalidRequestError("--channel-uid is missing; give the WhatsApp channel to send from (see --help).")
        return WhatsApp(**self.words(), channel_uid=uid)


@attrs.frozen(kw_only=True)
class RobocallContent(Content):
    """Call each number and read out a message in English, or play a recording."""

    makes: ClassVar[type[Message]] = Robocall

    duration_minutes: Units
    """Length of each call, which determines its cost. A shorter message is repeated until then."""
    audio_url: str | None = None
    """MP3 file to play instead of a message."""

    def build(self, *, nothing_is_sent: bool = False) -> Robocall:  # noqa: ARG002 - needs the same for a plan
        """Return the robocall."""
        return Robocall(**self.words(self.audio_url), audio_url=self.audio_url, duration=self.duration_minutes)


C = TypeVar("C", bound=Callable[..., ExitCode | None])


def for_channel(channel: str, made: C) -> C:
    """Give a command the options of a channel's message, and return it.

    Args:
        channel: The channel.
        made: A new function with a parameter ``content``.
    """
    content = CONTENTS[channel]
    made.__annotations__ = {**made.__annotations__, "content": content}
    if all(field.default is not attrs.NOTHING for field in attrs.fields(content)):
        made.__kwdefaults__ = {**(made.__kwdefaults__ or {}), "content": content()}
    made.__doc__ = f"{content.__doc__}{(made.__doc__ or '').partition('.')[2]}"
    return made
