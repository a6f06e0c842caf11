"""Messages: one class per channel, with its text, cost estimate, segments and JSON form."""

from callsavvy_async.messages.channels import SMS, Robocall, WhatsApp
from callsavvy_async.messages.message import CHANNELS, Message, require_message
from callsavvy_async.messages.segments import Encoding, Segments, count_segments, replace_ucs2

__all__ = [
    "CHANNELS",
    "SMS",
    "Encoding",
    "Message",
    "Robocall",
    "Segments",
    "WhatsApp",
    "count_segments",
    "replace_ucs2",
    "require_message",
]
