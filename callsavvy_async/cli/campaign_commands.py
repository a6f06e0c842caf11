"""The commands that work with a journal, as `commands.py` registers them."""

from __future__ import annotations

from callsavvy_async.cli.registry import CommandEntry

_ADA = "+2348012345678"

CAMPAIGN_COMMANDS = (
    CommandEntry(
        "campaigns work",
        "worker:work",
        "Send a campaign together with other workers until nothing is left to send: callsavvy campaigns work [URL] NAME.",
        (
            "campaigns work postgresql://sender@db.example/callsavvy welcome --port 8080",
            "campaigns work welcome --forever",
        ),
    ),
    CommandEntry(
        "campaigns watch",
        "campaign_watch:watch",
        "Show the progress of a campaign while other processes send it: callsavvy campaigns watch [URL] NAME.",
        ("campaigns watch welcome", "campaigns watch welcome --every 10 -o json"),
        streams=True,
    ),
    CommandEntry(
        "campaigns top",
        "campaign_top:top",
        "Show a campaign live on the whole terminal, and steer it with single keys: callsavvy campaigns top [URL] NAME.",
        ("campaigns top welcome",),
    ),
    CommandEntry(
        "campaigns pause",
        "campaign_steering:pause",
        "Pause a campaign in all processes that send it, until campaigns continue.",
        ("campaigns pause welcome",),
    ),
    CommandEntry(
        "campaigns continue",
        "campaign_steering:go_on",
        "Continue a campaign after campaigns pause or stop.",
        ("campaigns continue welcome",),
    ),
    CommandEntry(
        "campaigns stop",
        "campaign_steering:stop",
        "Stop a campaign: its workers end after their requests in flight, and later ones end at once.",
        ("campaigns stop welcome --wait 10",),
    ),
    CommandEntry(
        "campaigns set",
        "campaign_steering:set_limits",
        "Change the limits of a campaign in all processes that send it, also in later ones.",
        ("campaigns set welcome --rate 5/s --max-cost 1000",),
    ),
    CommandEntry(
        "campaigns list",
        "campaigns:list_campaigns",
        "List the campaigns of a journal.",
        ("campaigns list -o csv",),
        is_list=True,
    ),
    CommandEntry(
        "campaigns show",
        "campaigns:show",
        "Show the sums of a campaign, and the commands that it got.",
        ("campaigns show welcome", "campaigns show welcome -o json"),
    ),
    CommandEntry(
        "campaigns resume",
        "campaigns:resume",
        "Send the pending requests of a campaign.",
        ("campaigns resume welcome", "campaigns resume welcome --resend not-sent --yes"),
    ),
    CommandEntry(
        "campaigns unknown",
        "campaigns:unknown",
        "List the unknown requests of a campaign: perhaps done, perhaps charged.",
        ("campaigns unknown welcome --numbers",),
        is_list=True,
    ),
    CommandEntry(
        "campaigns resolve",
        "campaigns:resolve",
        "Declare unknown requests sent or not sent.",
        ("campaigns resolve welcome 12 15 --sent", "campaigns resolve welcome --restored --no-sent"),
    ),
    CommandEntry(
        "campaigns reconcile",
        "campaigns:reconcile",
        "Determine from the account's balance which unknown requests were charged.",
        ("campaigns reconcile welcome", "campaigns reconcile welcome --exclusive"),
    ),
    CommandEntry(
        "campaigns report",
        "campaigns:report",
        "Write one row per recipient to a .csv, .jsonl or .parquet file.",
        ("campaigns report welcome report.csv",),
    ),
    CommandEntry(
        "campaigns verify",
        "campaigns:verify",
        "Check the journal of a campaign: file, states, checksums, duplicates and sums.",
        ("campaigns verify welcome",),
    ),
    CommandEntry(
        "campaigns backup",
        "campaigns:backup",
        "Copy a journal file to a new file, even while its campaigns run.",
        ("campaigns backup copy.db",),
    ),
    CommandEntry(
        "campaigns purge",
        "campaigns:purge",
        "Remove the numbers and texts of a campaign from the journal.",
        ("campaigns purge welcome",),
    ),
    CommandEntry(
        "keys unknown",
        "keys:unknown",
        "List the keys whose request is unknown: perhaps done, perhaps charged.",
        ("keys unknown",),
        is_list=True,
    ),
    CommandEntry(
        "keys resolve",
        "keys:resolve",
        "Declare the unknown request of a key sent or not sent.",
        ("keys resolve order-1042 --sent", "keys resolve order-1042 --no-sent"),
    ),
    CommandEntry(
        "keys trust",
        "keys:trust",
        "Allow new keys in a journal that was restored from a copy, or that moved to another server.",
        ("keys trust --journal restored.db",),
    ),
    CommandEntry(
        "suppress add",
        "suppress:add",
        "Add numbers.",
        (f"suppress add {_ADA}", "suppress add 08012345678 --region NG"),
    ),
    CommandEntry("suppress remove", "suppress:remove", "Remove numbers.", (f"suppress remove {_ADA}",)),
    CommandEntry(
        "suppress list",
        "suppress:list_numbers",
        "List the numbers, and who added them when.",
        ("suppress list -o csv",),
        is_list=True,
    ),
    CommandEntry(
        "outbox sql",
        "outbox:sql",
        "Print the migration that creates the outbox's table.",
        ("outbox sql", "outbox sql sqlite"),
    ),
    CommandEntry(
        "outbox work",
        "outbox:work",
        "Send what the outbox holds, and wait for more.",
        ("outbox work --journal postgresql://sender@db.example/shop", "outbox work --outbox shop.db --until-empty"),
    ),
    CommandEntry(
        "outbox show",
        "outbox:show",
        "Print how many messages wait, and the key and reason of each that failed.",
        ("outbox show --outbox shop.db",),
    ),
    CommandEntry(
        "outbox retry",
        "outbox:retry",
        "Send the messages that failed once more, after you have removed the cause.",
        ("outbox retry --outbox shop.db",),
    ),
)
"""Rows of the registry."""
