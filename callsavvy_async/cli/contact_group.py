"""A contact group of the account as a list of recipients (API document: "Get Contacts", "Get Contact Groups")."""

from __future__ import annotations

import json
from typing import IO

from callsavvy_async.cli.client import read
from callsavvy_async.client import Callsavvy
from callsavvy_async.errors import InvalidRequestError
from callsavvy_async.resources.contacts import Contact, ContactGroup


def copy_group(name: str, spool: IO[bytes]) -> None:
    """Read the contacts of a group from the account, and write them as JSON lines.

    Args:
        name: Name or id of the group.
        spool: Temporary file.

    Raises:
        InvalidRequestError: The account has no group of this name, or several; or the API ignored the group.
    """
    for contact in read(lambda callsavvy: _contacts_of(callsavvy, name)):
        spool.write(f"{json.dumps(contact.as_row())}\n".encode())


async def _contacts_of(callsavvy: Callsavvy, name: str) -> tuple[Contact, ...]:
    group = _find(await callsavvy.contacts.groups(), name)
    contacts = await callsavvy.contacts.list(group_id=group.group_id)
    if any(contact.group_id not in {None, group.group_id} for contact in contacts):
        raise InvalidRequestError(
            f"the API returned contacts of other groups than {name!r}, so somebody else might get the message. Nothing is"
            " sent; export the group to a file and use that."
        )
    return contacts


def _find(groups: tuple[ContactGroup, ...], name: str) -> ContactGroup:
    found = [group for group in groups if group.group_id and name in {group.name, group.group_id}]
    match found:
        case [group]:
            return group
        case []:
            known = ", ".join(repr(group.name) for group in groups) or "none"
            raise InvalidRequestError(f"the account has no contact group {name!r}; it has: {known}.")
        case _:
            ids = ", ".join(group.group_id for group in found)
            raise InvalidRequestError(f"{len(found)} contact groups are named {name!r}; give the id of one: {ids}.")
