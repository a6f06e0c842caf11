"""getContacts, getContactGroups, createContact, deleteContact."""

from __future__ import annotations

from collections.abc import Mapping

from callsavvy_async.simulator.handlers.rows import check_reference, columns, find, select
from callsavvy_async.simulator.responses import Json, RequestRejected
from callsavvy_async.simulator.state import World


def get_contacts(world: World, params: Mapping[str, str]) -> Json:
    """Return all contacts, or those of one group."""
    check_reference(world.groups, params, "group_id")
    return select(world.contacts, params, group_id="group_id")


def get_contact_groups(world: World, _params: Mapping[str, str]) -> Json:
    """Return all contact groups."""
    return list(world.groups.values())


def create_contact(world: World, params: Mapping[str, str]) -> Json:
    """Store a contact. It needs an e-mail address or a phone number. Equal contacts may exist."""
    if "email" not in params and "phone" not in params:
        raise RequestRejected(422, "Missing required parameter: email or phone")
    check_reference(world.groups, params, "group_id")
    contact_id = world.record_id()
    world.contacts[contact_id] = {
        "contact_id": contact_id,
        "name": params["name"],
        "email": params.get("email", ""),
        "phone": params.get("phone", ""),
        "group_id": params.get("group_id", ""),
    }
    return columns(world.contacts[contact_id], "contact_id", "name")


def delete_contact(world: World, params: Mapping[str, str]) -> Json:
    """Remove a contact, or raise 404 if it does not exist."""
    contact_id = params["contact_id"]
    find(world.contacts, contact_id, kind="Contact")
    del world.contacts[contact_id]
    return {"contact_id": contact_id}
