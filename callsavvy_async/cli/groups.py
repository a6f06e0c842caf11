"""The groups that reading and writing commands share."""

from __future__ import annotations

from cyclopts import App

TICKETS = App(name="tickets", help="Read, open and answer support tickets.")
CALLS = App(name="calls", help="Read phone calls.")
CHATS = App(name="chats", help="Read live chats and messenger requests.")
MEETINGS = App(name="meetings", help="Read and create virtual meetings.")
CONTACTS = App(name="contacts", help="Read, create and delete contacts.")
