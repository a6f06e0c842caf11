"""getCalls, getChats, getMessangers."""

from __future__ import annotations

from collections.abc import Mapping

from callsavvy_async.simulator.handlers.rows import check_reference, select
from callsavvy_async.simulator.responses import Json
from callsavvy_async.simulator.state import World


def get_calls(world: World, params: Mapping[str, str]) -> Json:
    """Return the calls that match the filters."""
    check_reference(world.departments, params, "department_id")
    check_reference(world.categories, params, "category")
    return select(world.calls, params, department_id="department_id", category="category", call_direction="direction")


def get_chats(world: World, params: Mapping[str, str]) -> Json:
    """Return the live chats that match the filters."""
    check_reference(world.departments, params, "department_id")
    return select(world.chats, params, department_id="department_id")


def get_messangers(world: World, params: Mapping[str, str]) -> Json:
    """Return the messenger chats that match the filters. The misspelling is the API's."""
    check_reference(world.departments, params, "department_id")
    return select(world.messengers, params, department_id="department_id")
