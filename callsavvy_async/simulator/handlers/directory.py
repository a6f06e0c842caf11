"""getSummary, getDepartments, getCategories, getAgents."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from callsavvy_async.simulator.responses import Json
from callsavvy_async.simulator.state import World


def get_summary(world: World, _params: Mapping[str, str]) -> Json:
    """Return the account and its balances, with numbers as text."""
    return {
        "assigned_number": world.assigned_number,
        "account_status": world.account_status,
        "business_id": world.business_id,
        "outbound_local_call_balance": plain(world.balances.local),
        "outbound_international_call_balance": plain(world.balances.international),
        "inbound_call_balance": plain(world.balances.inbound),
        "sms_balance": plain(world.balances.sms),
    }


def get_departments(world: World, _params: Mapping[str, str]) -> Json:
    """Return all departments."""
    return list(world.departments.values())


def get_categories(world: World, _params: Mapping[str, str]) -> Json:
    """Return all categories."""
    return list(world.categories.values())


def get_agents(world: World, _params: Mapping[str, str]) -> Json:
    """Return all agents."""
    return list(world.agents.values())


def plain(number: Decimal) -> str:
    """Format a number without exponent and trailing zeros."""
    return f"{number.normalize():f}"
