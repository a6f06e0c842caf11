"""Contacts (API document: "Get Contacts", "Get Contact Groups", "Create Contact", "Delete Contact")."""

from __future__ import annotations

from typing import Unpack

import attrs

from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.text import require_text
from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import RequestOptions
from callsavvy_async.transport.transport import Transport
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Model, Receipt, private

__all__ = ["Contact", "ContactGroup", "CreatedContact", "DeletedContact"]


@attrs.frozen(kw_only=True)
class Contact(Model):
    """A person in the address book. Ids are opaque and may hold ``=``.

    Attributes:
        contact_id: its id.
        name: name of the person.
        email: e-mail address.
        phone: phone number, in any form.
        group_id: group that it is in.
    """

    contact_id: str = ""
    name: str | None = private()
    email: str | None = private()
    phone: str | None = private()
    group_id: str | None = None

    def as_row(self) -> dict[str, str | None]:
        """Return the documented fields by name, as a recipient of a bulk send."""
        fields = (field.name for field in attrs.fields(Contact))
        return {name: getattr(self, name) for name in fields if name != "extra"}


@attrs.frozen(kw_only=True)
class ContactGroup(Model):
    """A list of contacts.

    Attributes:
        group_id: its id.
        name: its name.
    """

    group_id: str = ""
    name: str | None = None


@attrs.frozen(kw_only=True)
class CreatedContact(Receipt):
    """Response of createContact.

    Attributes:
        contact_id: id of the new contact.
        name: name as stored.
    """

    contact_id: str | None = None
    name: str | None = private()


@attrs.frozen(kw_only=True)
class DeletedContact(Receipt):
    """Response of deleteContact.

    Attributes:
        contact_id: id of the deleted contact.
    """

    contact_id: str | None = None


LIST_CONTACTS = Endpoint("getContacts", tuple[Contact, ...], Effect.READ)
LIST_GROUPS = Endpoint("getContactGroups", tuple[ContactGroup, ...], Effect.READ)
CREATE_CONTACT = Endpoint("createContact", CreatedContact, Effect.WRITE)
DELETE_CONTACT = Endpoint("deleteContact", DeletedContact, Effect.IDEMPOTENT)


@private_arguments
class Contacts:
    """Read, create and delete contacts. The API cannot change contacts."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, group_id: str | None = None, **options: Unpack[RequestOptions]) -> tuple[Contact, ...]:
        """List all contacts, or the contacts of one group.

        Args:
            group_id: only contacts of this group.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(LIST_CONTACTS, options, group_id=group_id)

    async def groups(self, **options: Unpack[RequestOptions]) -> tuple[ContactGroup, ...]:
        """List contact groups."""
        return await self._transport.send(LIST_GROUPS, options)

    async def create(
        self,
        name: str,
        *,
        email: str | None = None,
        phone: str | None = None,
        group_id: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> CreatedContact:
        """Create a contact with an e-mail address, a phone number, or both.

        The number is stored unchanged. The API document does not require an international format here, and address books hold
        national numbers and short codes.

        The request is not idempotent: a lost response raises `OutcomeUnknownError`.

        Args:
            name: name of the contact.
            email: e-mail address.
            phone: phone number, in any form.
            group_id: group to add it to.
            **options: see `RequestOptions`.

        Raises:
            InvalidRequestError: email and phone are both empty; nothing was sent.
        """
        if not email and not phone:
            raise InvalidRequestError("email and phone are both empty; give email=, phone=, or both.")
        return await self._transport.send(
            CREATE_CONTACT,
            options,
            name=require_text(name, "name"),
            email=require_text(email, "email") if email else None,
            phone=require_text(phone, "phone") if phone else None,
            group_id=group_id,
        )

    async def delete(self, contact_id: str, **options: Unpack[RequestOptions]) -> DeletedContact:
        """Delete a contact. A lost response is retried, because "not found" then means deleted.

        Args:
            contact_id: id of the contact.
            **options: see `RequestOptions`.
        """
        return await self._transport.send(DELETE_CONTACT, options, contact_id=require_text(contact_id, "contact_id"))
