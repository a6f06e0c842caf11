"""``callsavvy campaigns top``: a live view of a campaign, with keys that steer it. It uses the journal only."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import anyio
import attrs
from rich.console import Console

from callsavvy_async.campaigns import Action, Campaign, Journal, JournalError, Steered
from callsavvy_async.cli.activity import refuse, show
from callsavvy_async.cli.campaign_steering import lines_of_steered
from callsavvy_async.cli.campaign_watch import CampaignView, read_view
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.journals import DEFAULT_JOURNAL, journal_and_name, url_of
from callsavvy_async.cli.options import JournalName
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.stderr import can_ask, explain
from callsavvy_async.cli.top_screen import Moment, RecentSpeed, lines_of
from callsavvy_async.errors import CallsavvyError
from callsavvy_async.transport.background import beside

_BETWEEN_VIEWS = 1.0
_PATIENCE = 60.0
"""Seconds to wait until every worker obeys."""
_ACTIONS = {"p": Action.PAUSE, "c": Action.CONTINUE}
_QUESTION = "Stop the campaign? Its workers end. s or y: stop; any other key: leave it."


def top(*where: str, journal: JournalName = DEFAULT_JOURNAL) -> ExitCode:
    """Show a campaign live on the whole terminal, and steer it with single keys: callsavvy campaigns top [URL] NAME.

    Any process may send the campaign. Keys: p pause, c continue, s stop (s or y confirms), q quit. The campaign goes on
    after q. At the end, the last view is printed.

    Args:
        where: The campaign's name; before it the journal's URL, unless --journal or CALLSAVVY_JOURNAL is set.
        journal: Journal file or URL.
    """
    place, name = journal_and_name(where, journal)
    if sys.platform == "win32" or not can_ask() or Console(stderr=True).is_dumb_terminal:
        return refuse(
            "campaigns top needs a terminal for its keys. campaigns show prints the sums once, campaigns watch a line"
            " every few seconds."
        )
    view = anyio.run(_show, place, name)
    show(Result(view.as_dict(), "\n".join(view.lines())))
    return ExitCode.DONE


async def _show(journal: str, name: str) -> CampaignView:
    from callsavvy_async.cli.fullscreen import FullScreen  # noqa: PLC0415 - POSIX has what it needs

    async with Journal.open(url_of(journal), read_only=True, patience=0) as opened:
        shown = Top(journal, opened, await opened.campaign(name))
        await shown.look()  # an error here leaves the terminal as it is
        screen = FullScreen(shown.lines)
        shown.refresh = screen.refresh
        with screen.shown() as signals:
            async with (
                beside(shown.watch),
                beside(screen.read_keys, shown.press),
                beside(screen.obey_signals, signals, shown.press),
            ):
                await shown.obey()
        return shown.moment.view


class Top:
    """The state of the view: the last moment, the last command, and the keys pressed since.

    Args:
        place: File or URL of the journal.
        journal: The journal.
        campaign: The campaign.
    """

    moment: Moment

    def __init__(self, place: str, journal: Journal, campaign: Campaign) -> None:
        self._place = place
        self._journal = journal
        self._campaign = campaign
        self._speed = RecentSpeed()
        self._note: Sequence[str] = ()
        self._failure = ""
        self._asking = False
        self._pressed: deque[Action | None] = deque()
        self._confirming = anyio.CancelScope()
        self._wanted = anyio.Event()
        self.refresh: Callable[[], object] = lambda: None
        """Draws the screen anew."""

    def lines(self, width: int, height: int, ascii_only: bool) -> list[str]:  # noqa: FBT001 - see `Draw`
        """Draw the screen."""
        failure = [f"The journal cannot be read: {self._failure}"] if self._failure else []
        return lines_of(self.moment, width, height, note=[*self._note, *failure], ascii_only=ascii_only)

    async def look(self) -> None:
        """Read the journal."""
        report, workers = await read_view(self._campaign)
        view = CampaignView(report, workers)
        view = attrs.evolve(view, rate=self._speed.update(time.monotonic(), view.settled))
        self.moment = Moment(
            view=view,
            commands=await self._journal.commands(self._campaign.name),
            settings=self._campaign.settings,
            now=datetime.now(UTC),
            journal=self._place,
        )

    async def watch(self) -> None:
        """Read the journal and draw, once a second, until cancelled. While the journal cannot be read, say so."""
        while True:
            await anyio.sleep(_BETWEEN_VIEWS)
            try:
                await self.look()
            except JournalError as error:
                self._failure = explain(error)
            else:
                self._failure = ""
            self.refresh()

    def press(self, key: str) -> None:
        """Obey a key."""
        asked, self._asking = self._asking, False
        if asked:
            self._note = () if key in {"s", "y"} else ("Not stopped.",)
            if key in {"s", "y"}:
                self._want(Action.STOP)
        elif key == "s":
            self._asking, self._note = True, (_QUESTION,)
        elif key in _ACTIONS:
            self._want(_ACTIONS[key])
        elif key == "q":
            self._want(None)
        self.refresh()

    def _want(self, action: Action | None) -> None:
        self._pressed.append(action)
        self._confirming.cancel()  # the last command is the one whose confirmation matters
        self._wanted.set()

    async def obey(self) -> None:
        """Give the commands that were asked for, one after the other, until the user quits."""
        while True:
            await self._wanted.wait()
            self._wanted = anyio.Event()
            while self._pressed:
                action = self._pressed.popleft()
                if action is None:
                    return
                await self._give(action)

    async def _give(self, action: Action) -> None:
        self._say(f"{action}: …")
        try:
            steered = await self._command(action)
            self._say(*lines_of_steered(steered, self._place))
            if not self._pressed:
                with anyio.CancelScope() as self._confirming:
                    confirmed = await self._journal.confirm(steered, wait=_PATIENCE)
                    self._say(*lines_of_steered(confirmed, self._place))
        except CallsavvyError as error:
            self._say(explain(error))

    async def _command(self, action: Action) -> Steered:
        name = self._campaign.name
        match action:
            case Action.PAUSE:
                return await self._journal.pause(name, wait=0)
            case Action.STOP:
                return await self._journal.stop(name, wait=0)
            case _:
                return await self._journal.go_on(name, wait=0)

    def _say(self, *lines: str) -> None:
        self._note = lines
        self.refresh()
