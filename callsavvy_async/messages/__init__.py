"""Messages as values: what is said, by which channel. They know how they are cut up, sent, estimated and written down."""

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
