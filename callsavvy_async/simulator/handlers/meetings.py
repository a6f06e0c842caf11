"""listMeetings, getMeeting, createMeeting."""

from __future__ import annotations

from collections.abc import Mapping

from callsavvy_async.simulator.handlers.rows import check_reference, columns, find, select
from callsavvy_async.simulator.responses import Json
from callsavvy_async.simulator.state import World


def list_meetings(world: World, params: Mapping[str, str]) -> Json:
    """Return the meetings of a period, without their links."""
    return [columns(row, "meeting_id", "title", "datetime", "status") for row in select(world.meetings, params)]


def get_meeting(world: World, params: Mapping[str, str]) -> Json:
    """Return all fields of one meeting."""
    return find(world.meetings, params["meeting_id"], kind="Meeting")


def create_meeting(world: World, params: Mapping[str, str]) -> Json:
    """Create a meeting. The response shows all fields but the time, as in the document."""
    check_reference(world.agents, params, "host_agent_id")
    meeting_id = add_meeting(
        world, title=params["title"], moment=world.timestamp(), host_agent_id=params.get("host_agent_id", "")
    )
    return columns(
        world.meetings[meeting_id], "meeting_id", "title", "host_agent_id", "start_link", "join_link", "status"
    )


def add_meeting(world: World, *, title: str, moment: str, host_agent_id: str, status: str = "Not Started") -> str:
    """Store one meeting and return its id, which also is a part of its links."""
    meeting_id, secret = world.message_id(), world.message_id()
    join_link = f"https://meet.getcallsavvy.com/meeting/{meeting_id}"
    world.meetings[meeting_id] = {
        "meeting_id": meeting_id,
        "title": title,
        "datetime": moment,
        "host_agent_id": host_agent_id,
        "start_link": f"{join_link}?s={secret}",
        "join_link": join_link,
        "status": status,
    }
    return meeting_id
