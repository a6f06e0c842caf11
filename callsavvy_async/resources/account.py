"""The business: status, departments, categories, agents.

API document: "Get Business Summary", "List Departments", "List Request Categories", "List Users".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Unpack

import attrs

from callsavvy_async.tracebacks import private_arguments
from callsavvy_async.transport.options import RequestOptions
from callsavvy_async.transport.transport import Transport
from callsavvy_async.wire.endpoint import Effect, Endpoint
from callsavvy_async.wire.model import Model, private

__all__ = ["Agent", "Category", "Department", "Summary"]


@attrs.frozen(kw_only=True)
class Summary(Model):
    """Status and balances of the business. A balance that is not a number ("Unlimited") is None; `extra` has its text.

    Attributes:
        assigned_number: phone number of the business.
        account_status: status of the account, in the API's words.
        business_id: id of the business.
        outbound_local_call_balance: minutes left this month.
        outbound_international_call_balance: minutes left this month.
        inbound_call_balance: minutes left this month.
        sms_balance: SMS units left this month.
    """

    assigned_number: str | None = private()
    account_status: str | None = None
    business_id: str | None = None
    outbound_local_call_balance: Decimal | None = None
    outbound_international_call_balance: Decimal | None = None
    inbound_call_balance: Decimal | None = None
    sms_balance: Decimal | None = None


@attrs.frozen(kw_only=True)
class Department(Model):
    """A department of the business.

    Attributes:
        department_id: its id.
        department_name: its name.
        department_email: its e-mail address.
        department_agents: number of agents.
    """

    department_id: str = ""
    department_name: str | None = None
    department_email: str | None = private()
    department_agents: int | None = None


@attrs.frozen(kw_only=True)
class Category(Model):
    """A category of requests.

    Attributes:
        category_id: its id.
        category_name: its name.
    """

    category_id: str = ""
    category_name: str | None = None


@attrs.frozen(kw_only=True)
class Agent(Model):
    """A user of the business's workplace.

    Attributes:
        agent_id: its id.
        agent_name: name of the agent.
        agent_email: e-mail address of the agent.
    """

    agent_id: str = ""
    agent_name: str | None = None
    agent_email: str | None = private()


GET_SUMMARY = Endpoint("getSummary", Summary, Effect.READ)
LIST_DEPARTMENTS = Endpoint("getDepartments", tuple[Department, ...], Effect.READ)
LIST_CATEGORIES = Endpoint("getCategories", tuple[Category, ...], Effect.READ)
LIST_AGENTS = Endpoint("getAgents", tuple[Agent, ...], Effect.READ)


@private_arguments
class Account:
    """Status, departments, categories and agents of the business."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def summary(self, **options: Unpack[RequestOptions]) -> Summary:
        """Read the status and the balances of the business."""
        return await self._transport.send(GET_SUMMARY, options)

    async def departments(self, **options: Unpack[RequestOptions]) -> tuple[Department, ...]:
        """List all departments."""
        return await self._transport.send(LIST_DEPARTMENTS, options)

    async def categories(self, **options: Unpack[RequestOptions]) -> tuple[Category, ...]:
        """List all request categories."""
        return await self._transport.send(LIST_CATEGORIES, options)

    async def agents(self, **options: Unpack[RequestOptions]) -> tuple[Agent, ...]:
        """List all agents ("List Users")."""
        return await self._transport.send(LIST_AGENTS, options)
