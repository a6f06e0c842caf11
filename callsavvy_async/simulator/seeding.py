"""Fill a new world with the records of a small business. Equal seeds and clocks give equal records.

The records contain typical traps for clients: empty fields, a comma in a file's URL, HTML in messages, ids that end in
"==".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from random import Random

from callsavvy_async.simulator.handlers.meetings import add_meeting
from callsavvy_async.simulator.handlers.tickets import add_message
from callsavvy_async.simulator.state import World, stamp

HISTORY_DAYS = 180
"""Age of the oldest seeded record in days."""

_DEPARTMENTS = (("Sales", "sales", "2"), ("Support", "support", "3"), ("Billing", "billing", "1"))
_CATEGORIES = ("Enquiry", "Complaint", "Refund")
_AGENTS = ("Ada Obi", "Henry Ford", "Zoë Müller", "Bola Adé")
_PEOPLE = ("John Doe", "Amina Yusuf", "Chinedu Okafor", "María López", "Liu Wei", "O'Brien, Pat")
_SUBJECTS = ("Invoice is wrong", "Cannot log in", "How do I port my number?", "Réseau indisponible", "Thanks!")
_STATUSES = ("New", "Closed", "Awaiting Agent Reply", "Awaiting Customer Reply")
_FILES = (
    "",
    "https://files.getcallsavvy.com/a/receipt.pdf",
    "https://files.getcallsavvy.com/a/1,2.png, https://files.getcallsavvy.com/b/log.txt",
)


def seed_world(world: World) -> None:
    """Add records to an empty world."""
    rng = Random(world.seed)
    _add_directory(world)
    _add_tickets(world, rng)
    _add_traffic(world, rng)
    _add_meetings(world, rng)
    _add_contacts(world)


def _add_directory(world: World) -> None:
    for name, mailbox, agents in _DEPARTMENTS:
        key = world.record_id()
        world.departments[key] = {
            "department_id": key,
            "department_name": name,
            "department_email": f"{mailbox}@example.com",
            "department_agents": agents,
        }
    for name in _CATEGORIES:
        key = world.record_id()
        world.categories[key] = {"category_id": key, "category_name": name}
    for number, name in enumerate(_AGENTS, start=1):
        key = world.record_id()
        world.agents[key] = {"agent_id": key, "agent_name": name, "agent_email": f"agent{number}@example.com"}


def _moments(world: World, rng: Random, count: int) -> Iterator[str]:
    """Yield random times of the last `HISTORY_DAYS`, oldest first."""
    now = world.now()
    for age in sorted((rng.uniform(0, HISTORY_DAYS * 86_400) for _ in range(count)), reverse=True):
        yield stamp(now - timedelta(seconds=age))


def _email(name: str) -> str:
    return "".join(char for char in name.lower() if char.isascii() and char.isalpha()) + "@example.com"


def _add_tickets(world: World, rng: Random) -> None:
    for moment in _moments(world, rng, 24):
        key, status, person = world.record_id(), rng.choice(_STATUSES), rng.choice(_PEOPLE)
        world.tickets[key] = {
            "ticket_id": key,
            "datetime": moment,
            "ticket_status": status,
            "last_reply": "" if status == "New" else moment,
            "subject": rng.choice(_SUBJECTS),
            "sender_name": person,
            "sender_email": _email(person),
            "department_id": rng.choice(list(world.departments)),
        }
        world.conversations[key] = ()
        add_message(world, key, moment=moment, text="Hello,<br>please <b>help</b>.", files=rng.choice(_FILES))
        if status != "New":
            agent_id = rng.choice(list(world.agents))
            add_message(world, key, moment=moment, text="We are looking into it.", agent_id=agent_id)


def _add_traffic(world: World, rng: Random) -> None:
    for moment in _moments(world, rng, 40):
        key = world.record_id()
        world.calls[key] = {
            "call_id": key,
            "datetime": moment,
            "direction": rng.choice(("Incoming", "Outgoing")),
            "category": rng.choice(["", *world.categories]),
            "duration": str(rng.randrange(1_800)),
            "caller": f"+23480{rng.randrange(10**8):08d}",
            "recording_url": rng.choice(("", "https://files.getcallsavvy.com/recordings/call.mp3")),
            "department_id": rng.choice(list(world.departments)),
        }
    for moment in _moments(world, rng, 12):
        key, person = world.record_id(), rng.choice(_PEOPLE)
        world.chats[key] = {
            "chat_id": key,
            "datetime": moment,
            "chat_status": rng.choice(("Engaged", "Waiting")),
            "visitor_name": person,
            "visitor_email": _email(person),
            "visitor_phone": rng.choice(("", "+2348012345678")),
            "department_id": rng.choice(list(world.departments)),
        }
    for moment in _moments(world, rng, 12):
        key = world.record_id()
        world.messengers[key] = {
            "messanger_id": key,
            "datetime": moment,
            "chat_status": rng.choice(("Engaged", "Waiting")),
            "visitor_name": rng.choice(_PEOPLE),
            "channel": rng.choice(("facebook", "whatsapp", "telegram")),
            "visitor_phone": rng.choice(("", "+2348012345678")),
            "department_id": rng.choice(list(world.departments)),
        }


def _add_meetings(world: World, rng: Random) -> None:
    for moment, status in zip(_moments(world, rng, 3), ("Ended", "Started", "Not Started"), strict=True):
        host = rng.choice(list(world.agents))
        add_meeting(world, title="30 minutes call with Henry Ford", moment=moment, host_agent_id=host, status=status)


def _add_contacts(world: World) -> None:
    for name in ("Demo List One", "VIP"):
        key = world.record_id()
        world.groups[key] = {"name": name, "group_id": key}
    homes = cycle([*world.groups, ""])
    reached_by = cycle(["email and phone", "phone", "email"])
    for number, (person, home, ways) in enumerate(zip(_PEOPLE, homes, reached_by, strict=False)):
        key = world.record_id()
        world.contacts[key] = {
            "contact_id": key,
            "name": person,
            "email": _email(person) if "email" in ways else "",
            "phone": f"+23480333444{number:02d}" if "phone" in ways else "",
            "group_id": home,
        }
