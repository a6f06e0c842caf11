"""getTickets, getTicketConversation, createTicket, replyTicket."""

from __future__ import annotations

from collections.abc import Mapping

from callsavvy_async.simulator.handlers.rows import check_reference, columns, find, select
from callsavvy_async.simulator.responses import Json
from callsavvy_async.simulator.state import World


def get_tickets(world: World, params: Mapping[str, str]) -> Json:
    """Return the tickets that match the filters."""
    check_reference(world.departments, params, "department_id")
    return select(
        world.tickets,
        params,
        department_id="department_id",
        ticket_status="ticket_status",
        sender_email="sender_email",
    )


def get_ticket_conversation(world: World, params: Mapping[str, str]) -> Json:
    """Return the messages of one ticket, oldest first."""
    find(world.tickets, params["ticket_id"], kind="Ticket")
    return world.conversations[params["ticket_id"]]


def create_ticket(world: World, params: Mapping[str, str]) -> Json:
    """Open a ticket with the customer's message."""
    check_reference(world.departments, params, "department_id")
    moment, ticket_id = world.timestamp(), world.record_id()
    ticket = {
        "ticket_id": ticket_id,
        "datetime": moment,
        "ticket_status": "New",
        "last_reply": "",
        "subject": params["ticket_subject"],
        "sender_name": params["sender_name"],
        "sender_email": params["sender_email"],
        "department_id": params["department_id"],
    }
    world.tickets[ticket_id] = ticket
    world.conversations[ticket_id] = ()
    add_message(world, ticket_id, moment=moment, text=params["ticket_message"])
    return columns(ticket, "ticket_id", "subject", "sender_name", "sender_email")


def reply_ticket(world: World, params: Mapping[str, str]) -> Json:
    """Add a message. The ticket then waits for the other side."""
    ticket_id, agent_id = params["ticket_id"], params.get("replying_agent_id", "")
    ticket = find(world.tickets, ticket_id, kind="Ticket")
    check_reference(world.agents, params, "replying_agent_id")
    status = "Awaiting Customer Reply" if agent_id else "Awaiting Agent Reply"
    moment = params["response_date"]
    world.tickets[ticket_id] = {**ticket, "ticket_status": status, "last_reply": moment}
    conversation_id = add_message(world, ticket_id, moment=moment, text=params["response_message"], agent_id=agent_id)
    return {"conversation_id": conversation_id, "new_status": status}


def add_message(world: World, ticket_id: str, *, moment: str, text: str, agent_id: str = "", files: str = "") -> str:
    """Append one message to a conversation and return its id."""
    message = {
        "conversation_id": world.record_id(),
        "datetime": moment,
        "message": text,
        "from_agent": "true" if agent_id else "false",
        "agent_name": world.agents[agent_id]["agent_name"] if agent_id else "",
        "files": files,
    }
    world.conversations[ticket_id] = (*world.conversations[ticket_id], message)
    return message["conversation_id"]
