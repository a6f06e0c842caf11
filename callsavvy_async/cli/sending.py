"""``callsavvy send``: one request, to one or a few numbers."""

from __future__ import annotations

from collections.abc import Callable

from cyclopts import App

from callsavvy_async.cli.activity import set_receipt
from callsavvy_async.cli.channels import Content, add_commands
from callsavvy_async.cli.client import carry_out
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.output import Format

_commands: App = App(name="send", help="Send to one or a few numbers in one request, without asking.")


def register(app: App) -> None:
    """Add the commands."""
    add_commands(_commands, _command)
    app.command(_commands)


def _command() -> Callable[..., ExitCode]:
    def send(*numbers: str, content: Content, output: Format = "table") -> ExitCode:
        """Send.

        Args:
            numbers: Phone numbers in international format; at most 30 for WhatsApp.
            content: The message.
            output: Output format of the receipt.
        """
        message = content.build()
        text = message.render({})
        receipt = carry_out(lambda callsavvy: message.send(callsavvy.messaging, numbers, text))
        set_receipt(receipt, output)
        return ExitCode.FAILED if receipt.failed else ExitCode.DONE

    return send
