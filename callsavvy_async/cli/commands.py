"""Every command of ``callsavvy``: its words, its function, its summary and its examples.

A new command is a function in a module of this package and a row here. Those of journals are in `campaign_commands.py`.
"""

from __future__ import annotations

from callsavvy_async.cli.campaign_commands import CAMPAIGN_COMMANDS
from callsavvy_async.cli.registry import CommandEntry, Registry

_ADA = "+2348012345678"
_CHANNELS = {
    "sms": ("Send an SMS.", "Hello", ""),
    "whatsapp": ("Send a WhatsApp message.", "Hello", " --channel-uid UID"),
    "robocall": (
        "Call each number and read out a message in English, or play a recording.",
        "Hello",
        " --duration-minutes 1",
    ),
}
"""Summary, text and further options of the examples of each channel."""

_GROUPS = {
    "bulk": (
        "Send to every number in a file, once each.\n\n"
        "The whole file is checked before the first message leaves. Ctrl-C stops sending and waits for requests in flight;"
        " a second Ctrl-C stops waiting. The command always prints a report.\n\n"
        "The send is recorded in a journal as a campaign, so `callsavvy campaigns resume` continues it after any stop.\n\n"
        "Exit codes: 0 all accepted (skipped rows are not failures), 1 some failed or the result could not be written,"
        " 2 refused and nothing sent, 3 some outcomes unknown, 4 stopped at --max-cost or the balance, 5 invalid keys or"
        " configuration, 130 interrupted. If several apply: 130, then 5, 4, 3, 1."
    ),
    "estimate": "Show the plan and cost of a bulk send, as bulk --dry-run does. Sends nothing.",
    "campaigns": "Inspect, steer, continue and settle campaigns (each bulk send is one).",
    "keys": "List and settle the unknown outcomes of single requests that a program sent with key=.",
    "suppress": (
        "Numbers that no campaign of a journal is sent to.\n\n"
        "A change holds from the next request that any process claims, also while campaigns run. Reports list these"
        " recipients as skipped: suppressed."
    ),
    "outbox": "Send the messages that your own transactions left in the table callsavvy_outbox.",
    "send": "Send to one or a few numbers in one request, without asking.",
    "tickets": "Read, open and answer support tickets.",
    "calls": "Read phone calls.",
    "chats": "Read live chats and messenger requests.",
    "meetings": "Read and create virtual meetings.",
    "contacts": "Read, create and delete contacts.",
    "webhooks": "Receive Callsavvy's events, and test a server that receives them.",
}


def _of_channels(group: str, arguments: str, *more: str) -> list[CommandEntry]:
    return [
        CommandEntry(
            f"{group} {channel}",
            f"{'sending' if group == 'send' else 'bulk'}:{group}_command",
            summary,
            (
                f'{group} {channel} {arguments} --message "{text}"{options}',
                *(f"{group} {channel} {line}{options}" for line in more),
            ),
            channel=channel,
        )
        for channel, (summary, text, options) in _CHANNELS.items()
    ]


_COMMANDS = (
    *_of_channels(
        "bulk",
        "people.csv",
        'people.csv --template "Hi {first_name|friend}" --dry-run',
        'people.csv --message "Hello" --campaign welcome --max-cost 500 --yes',
    ),
    *_of_channels("estimate", "people.csv", 'people.csv --message "Hello" --rate 10/s --report left-out.csv'),
    *CAMPAIGN_COMMANDS,
    *_of_channels("send", _ADA),
    CommandEntry(
        "tickets list",
        "reading:list_tickets",
        "List support tickets.",
        (
            "tickets list --status New --period 2026-11",
            "tickets list --columns ticket_id,subject",
        ),
        is_list=True,
    ),
    CommandEntry(
        "tickets conversation",
        "reading:conversation",
        "Show the messages of a ticket.",
        ("tickets conversation TICKET_ID",),
        is_list=True,
    ),
    CommandEntry(
        "tickets create",
        "writing:create_ticket",
        "Open a ticket on behalf of a customer.",
        (
            "tickets create --department-id ID --sender-name Ada --sender-email ada@example.com --subject Bill --message Wrong",
        ),
    ),
    CommandEntry(
        "tickets reply",
        "writing:reply",
        "Add a reply to a ticket.",
        ('tickets reply TICKET_ID --message "It is corrected." --agent-id AGENT_ID',),
    ),
    CommandEntry(
        "tickets export",
        "exporting:export_tickets",
        "Write the support tickets of a range of days to a file.",
        ("tickets export tickets.csv --start 2026-11-01 --end 2026-11-30",),
    ),
    CommandEntry(
        "calls list",
        "reading:list_calls",
        "List phone calls.",
        ("calls list --direction Incoming --period 2026-11-22",),
        is_list=True,
    ),
    CommandEntry(
        "calls export",
        "exporting:export_calls",
        "Write the phone calls of a range of days to a file.",
        ("calls export calls.jsonl --start 2026-11-01 --end 2026-11-30",),
    ),
    CommandEntry(
        "chats list", "reading:list_chats", "List live chats.", ("chats list --period 2026-11 -o csv",), is_list=True
    ),
    CommandEntry(
        "chats export",
        "exporting:export_chats",
        "Write the live chats of a range of days to a file.",
        ("chats export chats.csv --start 2026-11-01 --end 2026-11-30",),
    ),
    CommandEntry(
        "chats messengers",
        "reading:messengers",
        "List customer requests from messengers.",
        ("chats messengers --period 2026-11",),
        is_list=True,
    ),
    CommandEntry("meetings list", "reading:list_meetings", "List virtual meetings.", ("meetings list",), is_list=True),
    CommandEntry(
        "meetings export",
        "exporting:export_meetings",
        "Write the virtual meetings of a range of days to a file.",
        ("meetings export meetings.csv --start 2026-01-01 --end 2026-12-31",),
    ),
    CommandEntry("meetings get", "reading:get_meeting", "Show a meeting with its links.", ("meetings get MEETING_ID",)),
    CommandEntry(
        "meetings create", "writing:create_meeting", "Create a virtual meeting.", ('meetings create "Review"',)
    ),
    CommandEntry(
        "contacts list", "reading:list_contacts", "List contacts.", ("contacts list --group-id GROUP_ID",), is_list=True
    ),
    CommandEntry(
        "contacts groups", "reading:groups", "List the groups of contacts.", ("contacts groups",), is_list=True
    ),
    CommandEntry(
        "contacts create",
        "writing:create_contact",
        "Create a contact with an e-mail address, a phone number, or both.",
        (f"contacts create Ada --phone {_ADA}",),
    ),
    CommandEntry("contacts delete", "writing:delete_contact", "Delete a contact.", ("contacts delete CONTACT_ID",)),
    CommandEntry(
        "balance",
        "reading:balance",
        "Show the account's status and balances.",
        (
            "balance",
            "balance -o json",
        ),
    ),
    CommandEntry("departments", "reading:departments", "List the departments.", ("departments",), is_list=True),
    CommandEntry(
        "categories", "reading:categories", "List the categories of customer requests.", ("categories",), is_list=True
    ),
    CommandEntry("agents", "reading:agents", "List the agents.", ("agents -o csv",), is_list=True),
    CommandEntry(
        "login",
        "login:login",
        "Check the keys of an account with one free request, and store them in a profile.",
        ("login", "login --profile shop", "login --public-key PUBLIC_KEY --private-key-file /run/secrets/callsavvy"),
    ),
    CommandEntry(
        "logout",
        "login:logout",
        "Remove a profile and its private key from this machine.",
        ("logout", "logout --profile shop"),
    ),
    CommandEntry("profiles", "login:profiles", "List the profiles that login stored.", ("profiles",), is_list=True),
    CommandEntry(
        "doctor",
        "doctor.command:doctor",
        "Find what is wrong with settings, network, account, disk, journal and limit server, each fault with its fix.",
        ("doctor", "doctor --profile shop -o json", "doctor --columns check,verdict,fix"),
        is_list=True,
    ),
    CommandEntry(
        "api",
        "raw:api",
        "Send a request to any resource of the API and print the raw response.",
        ("api getTickets -d ticket_status=New",),
    ),
    CommandEntry(
        "completion",
        "completion:completion",
        "Print the script that completes commands and options in a shell.",
        ("completion bash", "completion zsh"),
    ),
    CommandEntry(
        "simulator",
        "simulator:simulator",
        "Serve a simulated account on a loopback port until Ctrl-C.",
        ("simulator", "simulator --port 8080 --rate 20/s --fault sendSMS=drop-after-read:0.1"),
        streams=True,
    ),
    CommandEntry(
        "webhooks secret", "webhooks:secret", "Print a new random secret for a callback URL.", ("webhooks secret",)
    ),
    CommandEntry(
        "webhooks serve",
        "webhooks:serve_events",
        "Listen on loopback and print each event as a line of JSON until Ctrl-C.",
        ("webhooks serve --port 8000",),
        streams=True,
    ),
    CommandEntry(
        "webhooks trigger",
        "webhooks:trigger",
        "Post a sample event as Callsavvy does (chatbotCallback as a form, others as JSON), and print the response.",
        ("webhooks trigger callSummary --url http://127.0.0.1:8000/hooks/SECRET",),
    ),
    CommandEntry(
        "webhooks dead",
        "webhooks:dead",
        "List the events whose handler failed too often.",
        ("webhooks dead --journal inbox.db",),
        is_list=True,
    ),
    CommandEntry(
        "webhooks replay",
        "webhooks:replay",
        "Let the server handle the events once more whose handler failed too often.",
        ("webhooks replay --journal inbox.db",),
    ),
)

REGISTRY = Registry({command.words: command for command in _COMMANDS}, _GROUPS)
"""The registry of the command line."""
