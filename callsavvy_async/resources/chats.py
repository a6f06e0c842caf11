"""Live chats and messengers (API document: "List Chats", "List Socials")."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Annotated, Unpack

import attrs

from callsavvy_async.resources.periods import days_between, iterate
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import RequestOptions
from callsavvy_async.transport.transport import Transport
from callsavvy_async.values import ChatStatus, Period, format_period
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Model, Wire, private

__all__ = ["Chat", "Messenger"]


@attrs.frozen(kw_only=True)
class Chat(Model):
    """A live chat.

    Attributes:
        chat_id: its id.
        started_at: start of the chat, in the account's time.
        status: engaged or waiting.
        visitor_name: name of the visitor.
        visitor_email: e-mail address of the visitor.
        visitor_phone: phone number of the visitor.
        department_id: its department.
    """

    chat_id: str = ""
    started_at: Annotated[datetime | None, Wire("datetime")] = None
    status: Annotated[ChatStatus | None, Wire("chat_status")] = None
    visitor_name: str | None = private()
    visitor_email: str | None = private()
    visitor_phone: str | None = private()
    department_id: str | None = None


@attrs.frozen(kw_only=True)
class Messenger(Model):
    """A conversation by a messenger; the API spells it ``messanger``.

    Attributes:
        messenger_id: its id.
        started_at: start of the conversation, in the account's time.
        status: engaged or waiting.
        visitor_name: name of the visitor.
        channel: name of the messenger, such as facebook or whatsapp.
        visitor_phone: phone number of the visitor.
        department_id: its department.
    """

    messenger_id: Annotated[str, Wire("messanger_id")] = ""
    started_at: Annotated[datetime | None, Wire("datetime")] = None
    status: Annotated[ChatStatus | None, Wire("chat_status")] = None
    visitor_name: str | None = private()
    channel: str | None = None
    visitor_phone: str | None = private()
    department_id: str | None = None


LIST_CHATS = Endpoint("getChats", tuple[Chat, ...], Effect.READ)
LIST_MESSENGERS = Endpoint("getMessangers", tuple[Messenger, ...], Effect.READ)


@private_arguments
class Chats:
    """Read live chats and messenger conversations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self, *, department_id: str | None = None, period: Period | None = None, **options: Unpack[RequestOptions]
    ) -> tuple[Chat, ...]:
        """List chats. The API has no paging; narrow the list by `period`, or use `iter`.

        Args:
            department_id: only chats of this department.
            period: a month, day or time; see `Period`.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(
            LIST_CHATS,
            options,
            department_id=department_id,
            datetime=None if period is None else format_period(period, zone=self._transport.config.timezone),
        )

    def iter(
        self, *, start: date, end: date, department_id: str | None = None, **options: Unpack[RequestOptions]
    ) -> AsyncIterator[Chat]:
        """Iterate over the chats from `start` to `end`, both days included.

        Args:
            start: first day.
            end: last day.
            department_id: only chats of this department.
            **options: see `RequestOptions`.
        """

        async def fetch(period: str) -> tuple[Chat, ...]:
            return await self.list(department_id=department_id, period=period, **options)

        days = days_between(start, end, self._transport.config.timezone)
        return iterate(days, fetch, key=lambda chat: chat.chat_id, moment=lambda chat: chat.started_at)

    async def messengers(
        self, *, department_id: str | None = None, period: Period | None = None, **options: Unpack[RequestOptions]
    ) -> tuple[Messenger, ...]:
        """List conversations by messengers such as facebook and whatsapp ("List Socials").

        Args:
            department_id: only conversations of this department.
            period: a month, day or time; see `Period`.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(
            LIST_MESSENGERS,
            options,
            department_id=department_id,
            datetime=None if period is None else format_period(period, zone=self._transport.config.timezone),
        )
