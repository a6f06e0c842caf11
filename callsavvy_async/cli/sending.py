"""``callsavvy send``: one call to the API, to one or a few numbers."""

from __future__ import annotations

from cyclopts import App

from callsavvy_async.cli.books import receive
from callsavvy_async.cli.client import carry_out
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.options import Units
from callsavvy_async.cli.output import Format
from callsavvy_async.resources.sends import SendReceipt

_commands = App(name="send", help="Send to one or a few numbers in one call, at once and without a question.")


def register(app: App) -> None:
    """Add the commands."""
    app.command(_commands)


@_commands.command
def sms(*numbers: str, message: str, sender_id: str | None = None, output: Format = "table") -> ExitCode:
    """Send an SMS.

    Args:
        numbers: Whom to, in international format.
        message: The text.
        sender_id: What the recipients see as sender; the account's own setting unless given.
        output: How the receipt is written.
    """
    receipt = carry_out(lambda callsavvy: callsavvy.messaging.send_sms(numbers, message, sender_id=sender_id))
    return _show(receipt, output)


@_commands.command
def whatsapp(*numbers: str, message: str, channel_uid: str, output: Format = "table") -> ExitCode:
    """Send a WhatsApp message.

    Args:
        numbers: Whom to, in international format; at most 30.
        message: The text.
        channel_uid: The channel to send from (dashboard, Settings, Social Integrations).
        output: How the receipt is written.
    """
    receipt = carry_out(lambda callsavvy: callsavvy.messaging.send_whatsapp(numbers, message, channel_uid=channel_uid))
    return _show(receipt, output)


@_commands.command
def robocall(
    *numbers: str,
    duration_minutes: Units,
    message: str | None = None,
    audio_url: str | None = None,
    output: Format = "table",
) -> ExitCode:
    """Call, and read out a message in English or play a recording.

    Args:
        numbers: Whom to, in international format.
        duration_minutes: Length of each call; what is shorter is repeated until then, and costs.
        message: What is read out; or
        audio_url: The MP3 file to play.
        output: How the receipt is written.
    """
    receipt = carry_out(
        lambda callsavvy: callsavvy.messaging.send_robocall(
            numbers, duration_minutes=duration_minutes, text=message, audio_url=audio_url
        )
    )
    return _show(receipt, output)


def _show(receipt: SendReceipt, output: Format) -> ExitCode:
    receive(receipt, output)
    return ExitCode.FAILED if receipt.failed else ExitCode.DONE
