"""``callsavvy send``: one request, to one or a few numbers."""

from __future__ import annotations

from collections.abc import Callable

from callsavvy_async.cli.activity import show_one
from callsavvy_async.cli.channels import Content
from callsavvy_async.cli.client import carry_out
from callsavvy_async.cli.exit_codes import ExitCode


def send_command() -> Callable[..., ExitCode]:
    """Return a new command, for the options of a channel."""

    def send(*numbers: str, content: Content) -> ExitCode:
        """Send.

        Args:
            numbers: Phone numbers in international format; at most 30 for WhatsApp.
            content: The message.
        """
        message = content.build()
        text = message.render({})
        receipt = carry_out(lambda callsavvy: message.send(callsavvy.messaging, numbers, text))
        show_one(receipt)
        return ExitCode.FAILED if receipt.failed else ExitCode.DONE

    return send
