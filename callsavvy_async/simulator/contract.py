"""The endpoints of the API document: one row per resource, with its parameters, their checks and its handler.

Only this module holds the parameters' names. They come from the document alone, so that the simulator cannot share a
wrong name with a client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from callsavvy_async.simulator import checks
from callsavvy_async.simulator.handlers import contacts, directory, meetings, messaging, tickets, traffic
from callsavvy_async.simulator.handlers.messaging import Charge
from callsavvy_async.simulator.responses import Json, RequestRejected
from callsavvy_async.simulator.state import World

Params: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a request body. Every field is a string, according to the document."""

    name: str
    required: bool
    check: checks.Check


def required(name: str, check: checks.Check = checks.text) -> Parameter:
    """Declare a required field."""
    return Parameter(name, required=True, check=check)


def optional(name: str, check: checks.Check = checks.text) -> Parameter:
    """Declare an optional field."""
    return Parameter(name, required=False, check=check)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One resource."""

    resource: str
    parameters: tuple[Parameter, ...]
    handler: Callable[[World, Params], Json | Charge]
    spends: bool = False
    """True if a request costs units of a balance."""
    fields: str = ""
    """Names of the response's fields, as the document lists them."""
    response_name: str = ""
    """Name of the resource in the response, if the document shows another one there."""

    def _texts_in(self, body: Mapping[str, Json]) -> dict[str, str]:
        known = {parameter.name for parameter in self.parameters}
        params: dict[str, str] = {}
        for name, value in body.items():
            if name not in known:
                raise RequestRejected(422, f"Unknown parameter: {name}")
            if not isinstance(value, str):
                raise RequestRejected(422, f"Invalid {name}: must be a string")
            params[name] = value
        return params

    def validate(self, body: Json) -> Params:
        """Return the body as parameters, or raise `RequestRejected` for the first violated rule.

        Raises:
            RequestRejected: A rule is violated.
        """
        if not isinstance(body, dict):
            raise RequestRejected(400, "Request body must be a JSON object")
        params = self._texts_in(body)
        for parameter in self.parameters:
            if parameter.name in params:
                parameter.check(parameter.name, params[parameter.name])
            elif parameter.required:
                raise RequestRejected(422, f"Missing required parameter: {parameter.name}")
        return params


_DEPARTMENT = optional("department_id")
_PERIOD = optional("datetime", checks.period)
_TICKET_STATUS = checks.one_of("New", "Closed", "Awaiting Agent Reply", "Awaiting Customer Reply")

_ROWS = (
    Endpoint(
        "getSummary",
        (),
        directory.get_summary,
        fields="assigned_number account_status business_id outbound_local_call_balance "
        "outbound_international_call_balance inbound_call_balance sms_balance",
    ),
    Endpoint(
        "getDepartments",
        (),
        directory.get_departments,
        fields="department_id department_name department_email department_agents",
    ),
    Endpoint("getCategories", (), directory.get_categories, fields="category_id category_name"),
    Endpoint("getAgents", (), directory.get_agents, fields="agent_id agent_name agent_email"),
    Endpoint(
        "getTickets",
        (_DEPARTMENT, optional("ticket_status", _TICKET_STATUS), optional("sender_email", checks.email), _PERIOD),
        tickets.get_tickets,
        fields="ticket_id datetime ticket_status last_reply subject sender_name sender_email department_id",
    ),
    Endpoint(
        "getTicketConversation",
        (required("ticket_id"),),
        tickets.get_ticket_conversation,
        response_name="getTicket",
        fields="conversation_id datetime message from_agent agent_name files",
    ),
    Endpoint(
        "createTicket",
        (
            required("department_id"),
            required("sender_name"),
            required("sender_email", checks.email),
            required("ticket_subject"),
            required("ticket_message"),
        ),
        tickets.create_ticket,
        fields="ticket_id subject sender_name sender_email",
    ),
    Endpoint(
        "replyTicket",
        (
            required("ticket_id"),
            optional("replying_agent_id", checks.text_or_empty),
            required("response_date", checks.timestamp),
            required("response_message"),
        ),
        tickets.reply_ticket,
        fields="conversation_id new_status",
    ),
    Endpoint(
        "getCalls",
        (
            _DEPARTMENT,
            optional("category"),
            optional("call_direction", checks.one_of("Incoming", "Outgoing")),
            _PERIOD,
        ),
        traffic.get_calls,
        fields="call_id datetime direction category duration caller recording_url department_id",
    ),
    Endpoint(
        "getChats",
        (_DEPARTMENT, _PERIOD),
        traffic.get_chats,
        fields="chat_id datetime chat_status visitor_name visitor_email visitor_phone department_id",
    ),
    Endpoint(
        "getMessangers",
        (_DEPARTMENT, _PERIOD),
        traffic.get_messangers,
        fields="messanger_id datetime chat_status visitor_name channel visitor_phone department_id",
    ),
    Endpoint(
        "sendSMS",
        (optional("sender_id"), required("recipient", checks.recipients), required("message")),
        messaging.send_sms,
        spends=True,
        fields="message_id cost status",
    ),
    Endpoint(
        "sendRobocall",
        (
            required("call_type", checks.one_of("Pre-recorded-Audio", "Text-2-Speech")),
            required("recipient", checks.recipients),
            required("message"),
            required("duration", checks.minutes),
        ),
        messaging.send_robocall,
        spends=True,
        fields="message_id cost status",
    ),
    Endpoint(
        "sendWhatsapp",
        (required("uid"), required("recipient", checks.up_to_30_recipients), required("message")),
        messaging.send_whatsapp,
        spends=True,
        fields="status",
    ),
    Endpoint(
        "listMeetings",
        (optional("datetime", checks.day_or_month),),
        meetings.list_meetings,
        fields="meeting_id title datetime status",
    ),
    Endpoint(
        "getMeeting",
        (required("meeting_id"),),
        meetings.get_meeting,
        fields="meeting_id title datetime host_agent_id start_link join_link status",
    ),
    Endpoint(
        "createMeeting",
        (required("title"), optional("host_agent_id")),
        meetings.create_meeting,
        fields="meeting_id title host_agent_id start_link join_link status",
    ),
    Endpoint(
        "getContacts",
        (optional("group_id"),),
        contacts.get_contacts,
        fields="contact_id name email phone group_id",
    ),
    Endpoint("getContactGroups", (), contacts.get_contact_groups, fields="name group_id"),
    Endpoint(
        "createContact",
        (required("name"), optional("email", checks.email), optional("phone", checks.phone), optional("group_id")),
        contacts.create_contact,
        fields="contact_id name",
    ),
    Endpoint("deleteContact", (required("contact_id"),), contacts.delete_contact, fields="contact_id"),
)

ENDPOINTS: Mapping[str, Endpoint] = {row.resource: row for row in _ROWS}
"""Every endpoint by its resource, whose name is case-sensitive."""
